package launcher

import (
	"context"
	"errors"
	"net"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/muster-mpi/muster/launcher/internal/agent"
	"github.com/muster-mpi/muster/launcher/internal/proctree"
	pb "github.com/muster-mpi/muster/proto"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// AgentMain is the whole of the program that Job.Agent names: the part of a job
// that runs on a host. It returns the process's exit code.
func AgentMain(args ...string) int { return agent.Main(args...) }

// hostAgent is the running agent of a host and the connection to it.
type hostAgent struct {
	process *os.Process
	conn    *grpc.ClientConn
	stream  grpc.BidiStreamingClient[pb.ToAgent, pb.FromAgent]
	cancel  context.CancelFunc
	ended   chan struct{} // closed when the process was waited for
	state   *os.ProcessState

	mu sync.Mutex // of stream.Send
}

// becomeSubreaper makes this process the parent of what a killed agent leaves
// behind. It stays so.
var becomeSubreaper = sync.OnceValue(func() error {
	return os.NewSyscallError("prctl", unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
})

// startAgent starts an agent in a session of its own: what the terminal sends to
// the launcher's process group does not reach it or its ranks.
func startAgent(argv []string) (*hostAgent, error) {
	if err := becomeSubreaper(); err != nil {
		return nil, err
	}
	path := "/proc/self/exe" // the very program that runs, whatever became of its file
	if len(argv) == 0 {
		argv = []string{"muster", "agent"}
	} else {
		path = argv[0]
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socketpair", err)
	}
	mine, theirs := os.NewFile(uintptr(fds[0]), "agent"), os.NewFile(uintptr(fds[1]), "launcher")
	defer mine.Close()
	defer theirs.Close()
	conn, err := net.FileConn(mine)
	if err != nil {
		return nil, err
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		conn.Close()
		return nil, err
	}
	defer null.Close()
	const number = 3 // the first descriptor after standard error
	a := &hostAgent{ended: make(chan struct{})}
	err = a.start(path, argv, &os.ProcAttr{
		Env:   append(outside(os.Environ()), agent.EnvSocket+"="+strconv.Itoa(number)),
		Files: []*os.File{null, os.Stderr, os.Stderr, theirs},
		// The end of the launcher wakes an agent that is stopped, so that it can
		// clean up; it changes nothing for one that runs.
		Sys: &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGCONT},
	})
	if err != nil {
		conn.Close()
		return nil, err
	}
	if err := a.connect(conn); err != nil {
		conn.Close()
		a.kill()
		return nil, err
	}
	return a, nil
}

// start starts the process and sees to its being waited for. The thread that
// starts it lives as long as it does: its death would count as the launcher's.
func (a *hostAgent) start(path string, argv []string, attr *os.ProcAttr) error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		var err error
		a.process, err = os.StartProcess(path, argv, attr)
		started <- err
		if err == nil {
			a.state, _ = a.process.Wait()
			close(a.ended)
		}
	}()
	return <-started
}

func (a *hostAgent) connect(conn net.Conn) (err error) {
	only := make(chan net.Conn, 1)
	only <- conn
	a.conn, err = grpc.NewClient("passthrough:agent",
		grpc.WithTransportCredentials(insecure.NewCredentials()), // a socket pair has no third end
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
			select {
			case c := <-only:
				return c, nil
			default:
				return nil, errors.New("the agent's only connection has ended")
			}
		}),
		grpc.WithNoProxy(), grpc.WithDisableServiceConfig(), grpc.WithIdleTimeout(0),
		grpc.WithInitialWindowSize(8<<20), grpc.WithInitialConnWindowSize(16<<20),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20)),
	)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	a.cancel = cancel
	a.stream, err = pb.NewAgentClient(a.conn).Run(ctx)
	return err
}

// send may be called from any goroutine. An error shows in the stream's Recv as
// well, so none is returned.
func (a *hostAgent) send(m *pb.ToAgent) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stream.Send(m)
}

// kill ends the agent and whatever of its connection is left, and waits for it.
func (a *hostAgent) kill() {
	a.process.Kill()
	if a.cancel != nil {
		a.cancel()
	}
	if a.conn != nil {
		a.conn.Close()
	}
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
func (a *hostAgent) deathText() string {
	if a.state == nil {
		return "it cannot be waited for"
	}
	return a.state.String()
}
