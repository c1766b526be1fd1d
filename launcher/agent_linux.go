package launcher

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/muster-mpi/muster/internal/queue"
	"github.com/muster-mpi/muster/launcher/internal/agent"
	"github.com/muster-mpi/muster/launcher/internal/proctree"
	"github.com/muster-mpi/muster/launcher/internal/remote"
	pb "github.com/muster-mpi/muster/proto"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// AgentMain is the whole of the program that Job.Agent names: the part of a job
// that runs on a host. It returns the process's exit code.
func AgentMain(args ...string) int { return agent.Main(args...) }

// hostAgent is the agent of one host of a job: how it was reached, and what the launcher
// knows of it. Fields without a note belong to the goroutine of Run.
type hostAgent struct {
	number int
	host   Host
	link   agentLink        // nil until it is reached
	conn   *grpc.ClientConn // nil until connected
	stream grpc.BidiStreamingClient[pb.ToAgent, pb.FromAgent]
	cancel context.CancelFunc
	heard  *heard // bytes of the connection, that show that the host is there
	out    *queue.Queue[outgoing]

	owed      [][]byte      // programs to send it, by digest; the first is on its way
	stage     remote.Stage  // while it is being reached; "" once the agent runs
	ready     *pb.Ready     // nil: not heard yet
	skew      time.Duration // how far its clock is ahead of this one's; 0 if within maxLatency
	listening []string
	begun     bool // it was given its part of the job
	started   bool
	reached   pb.Stage
	suspended bool
	asked     bool // where its ranks are, and it has not said so yet
	done      *pb.Done
	lost      bool
	silent    bool         // it was lost because nothing was heard of it
	swept     <-chan error // end of the search for what a lost agent may have left
	stdin     int64        // bytes of input that its ranks have taken; guarded by run.stdinMu
	noInput   bool         // nothing takes any; guarded by run.stdinMu
}

// over reports whether nothing more comes from the agent.
func (a *hostAgent) over() bool { return a.done != nil || a.lost }

// agentLink is how an agent was started and how its end is seen.
type agentLink interface {
	// kill ends the agent, or the way to it, and waits for that.
	kill()
	// deathText says how it ended; after kill.
	deathText() string
}

// localAgent is an agent that is a child of this process.
type localAgent struct {
	process *os.Process
	ended   chan struct{} // closed when the process was waited for
	state   *os.ProcessState
}

// remoteAgent is one that a remote shell has started.
type remoteAgent struct{ *remote.Session }

func (r remoteAgent) kill()             { r.Kill(); <-r.Ended() }
func (r remoteAgent) deathText() string { return r.DeathText() }

// becomeSubreaper makes this process the parent of what a killed agent leaves
// behind. It stays so.
var becomeSubreaper = sync.OnceValue(func() error {
	return os.NewSyscallError("prctl", unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
})

// startAgent starts an agent in a session of its own: what the terminal sends to
// the launcher's process group does not reach it or its ranks.
func startAgent(argv []string) (*localAgent, net.Conn, error) {
	if err := becomeSubreaper(); err != nil {
		return nil, nil, err
	}
	path := "/proc/self/exe" // the very program that runs, whatever became of its file
	if len(argv) == 0 {
		argv = []string{"muster", "agent"}
	} else {
		path = argv[0]
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	mine, theirs := os.NewFile(uintptr(fds[0]), "agent"), os.NewFile(uintptr(fds[1]), "launcher")
	defer mine.Close()
	defer theirs.Close()
	conn, err := net.FileConn(mine)
	if err != nil {
		return nil, nil, err
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		conn.Close()
		return nil, nil, err
	}
	defer null.Close()
	const number = 3 // the first descriptor after standard error
	a := &localAgent{ended: make(chan struct{})}
	err = a.start(path, argv, &os.ProcAttr{
		Env:   append(outside(os.Environ()), agent.EnvSocket+"="+strconv.Itoa(number)),
		Files: []*os.File{null, os.Stderr, os.Stderr, theirs},
		// The end of the launcher wakes an agent that is stopped, so that it can
		// clean up; it changes nothing for one that runs.
		Sys: &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGCONT},
	})
	if err != nil {
		conn.Close()
		return nil, nil, err
	}
	return a, conn, nil
}

// agentStarted is told of every agent that is a child of this process; tests look whether
// it was waited for.
var agentStarted = func(pid int) {}

// start starts the process and sees to its being waited for. The thread that
// starts it lives as long as it does: its death would count as the launcher's.
func (a *localAgent) start(path string, argv []string, attr *os.ProcAttr) error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		var err error
		a.process, err = os.StartProcess(path, argv, attr)
		if err == nil {
			agentStarted(a.process.Pid)
		}
		started <- err
		if err == nil {
			a.state, _ = a.process.Wait()
			close(a.ended)
		}
	}()
	return <-started
}

// connect begins to talk to the agent over conn, which it owns from now on.
func (a *hostAgent) connect(conn net.Conn) (err error) {
	a.heard = &heard{Conn: conn}
	only := make(chan net.Conn, 1)
	only <- a.heard
	a.conn, err = grpc.NewClient("passthrough:agent",
		grpc.WithTransportCredentials(insecure.NewCredentials()), // a socket pair has no third end, and a remote shell has its own
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
			select {
			case c := <-only:
				return c, nil
			default:
				return nil, errors.New("the agent's only connection has ended")
			}
		}),
		grpc.WithNoProxy(), grpc.WithDisableServiceConfig(), grpc.WithIdleTimeout(0),
		grpc.WithInitialWindowSize(8<<20), grpc.WithInitialConnWindowSize(1<<30),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20)),
	)
	if err != nil {
		conn.Close()
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	a.cancel = cancel
	a.stream, err = pb.NewAgentClient(a.conn).Run(ctx)
	if err != nil {
		return err
	}
	a.out = queue.New[outgoing]()
	go deliver(a.out, a.stream.Send)
	return nil
}

// send may be called from any goroutine, and never waits. An error shows in the
// stream's Recv as well, so none is returned.
func (a *hostAgent) send(m *pb.ToAgent) {
	if a.out != nil {
		a.out.Put(outgoing{m: m})
	}
}

// kill ends the agent and whatever of its connection is left, and waits for it.
func (a *hostAgent) kill() {
	if a.link != nil {
		a.link.kill()
	}
	a.hangUp()
}

// hangUp ends the connection, by which an agent ends all that it has started and itself.
func (a *hostAgent) hangUp() {
	if a.out != nil {
		a.out.Close(io.EOF)
	}
	if a.cancel != nil {
		a.cancel()
	}
	if a.conn != nil {
		a.conn.Close()
	}
}

// heard counts the bytes that come.
type heard struct {
	net.Conn
	bytes atomic.Int64
}

func (h *heard) Read(p []byte) (int, error) {
	n, err := h.Conn.Read(p)
	h.bytes.Add(int64(n))
	return n, err
}

// outgoing is a message on its way to an agent.
type outgoing struct {
	m    *pb.ToAgent
	sent chan<- struct{} // closed then, or when it cannot be any more; may be nil
}

// deliver sends what is put into out until that is closed. It has a goroutine of its own, so
// that an agent that takes nothing holds up nobody.
func deliver(out *queue.Queue[outgoing], send func(*pb.ToAgent) error) {
	for batch := out.Take(); batch != nil; batch = out.Take() {
		for _, q := range batch {
			send(q.m)
			if q.sent != nil {
				close(q.sent)
			}
		}
	}
}

func (a *localAgent) kill() {
	a.process.Kill()
	<-a.ended
}

// killOrphans kills what a dead agent has left: everything of its session,
// everything that was started with the job's environment, and what descends
// from those. Ranks are dead already, by their parent-death signal.
func killOrphans(session int, mark string) (survivors []int) {
	deadline := time.Now().Add(5 * time.Second)
	killed := make(map[int]bool)
	for {
		all := proctree.All()
		// One that is dying has no environment any more.
		ours := func(p proctree.Process) bool {
			return p.Session == session || killed[p.PID] || hasEnv(p.PID, mark)
		}
		below := make(map[int]bool)
		var found []proctree.Process
		for _, p := range proctree.Below(all, func(p proctree.Process) bool { return p.PID == os.Getpid() }) {
			below[p.PID] = true
			if ours(p) {
				found = append(found, p)
			}
		}
		found = append(found, proctree.Below(all, func(p proctree.Process) bool { return below[p.PID] && ours(p) })...)
		survivors = survivors[:0]
		for _, p := range found {
			p.Kill()
			killed[p.PID] = true
			survivors = append(survivors, p.PID)
		}
		zombies := 0
		for _, p := range all {
			if p.Parent == os.Getpid() && p.State == 'Z' && (p.Session == session || killed[p.PID]) {
				zombies++
				unix.Wait4(p.PID, nil, unix.WNOHANG, nil)
			}
		}
		if len(found)+zombies == 0 || time.Now().After(deadline) {
			return survivors
		}
		time.Sleep(time.Millisecond)
	}
}

func hasEnv(pid int, mark string) bool {
	for _, kv := range proctree.Environ(pid) {
		if string(kv) == mark {
			return true
		}
	}
	return false
}

// deathText says how the agent's process ended; after kill.
func (a *localAgent) deathText() string {
	if a.state == nil {
		return "it cannot be waited for"
	}
	return a.state.String()
}
