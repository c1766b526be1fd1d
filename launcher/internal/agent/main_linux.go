// Package agent is the part of a job that runs on each host: it starts the
// ranks of the host, hands them their links, and sees to it that none of them
// outlives the job. One process serves one job.
package agent

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"

	pb "github.com/muster-mpi/muster/proto"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
)

// EnvSocket names the descriptor on which the agent is served to the launcher.
const EnvSocket = "MUSTER_AGENT"

// Main runs an agent on the descriptor that EnvSocket names, or on standard input
// and output if args say so (see stdioArgs), until the launcher ends the
// connection, and returns the process's exit code. It changes settings of the
// whole process and must be called once.
func Main(args ...string) int {
	how, err := parseArgs(args)
	if err == nil {
		err = OwnRights()
	}
	if err == nil && how.digest {
		err = printDigest()
		if err == nil {
			return 0
		}
	}
	var conn net.Conn
	if err == nil {
		if how.stdio != "" {
			conn, err = how.stdioConn()
		} else {
			conn, err = launcherConn()
		}
	}
	if err == nil {
		err = prepareProcess()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "muster agent:", err)
		return 64
	}
	s := new(server)
	g := grpc.NewServer(
		grpc.InitialWindowSize(4<<20), grpc.InitialConnWindowSize(connWindow),
		grpc.MaxRecvMsgSize(64<<20), grpc.MaxConcurrentStreams(1<<20),
	)
	pb.RegisterAgentServer(g, s)
	c := &onlyConn{Conn: conn, closed: make(chan struct{})}
	s.conn = c
	go g.Serve(newOnlyListener(c))
	<-c.closed
	s.end()
	return 0
}

// connWindow is so large that one stream whose reader waits never holds up the
// others: what is under way is bounded for each stream, and for each link by its ranks.
const connWindow = 1 << 30

func launcherConn() (net.Conn, error) {
	value, ok := os.LookupEnv(EnvSocket)
	if !ok {
		return nil, errors.New("this is a part of muster run and is not started by hand")
	}
	fd, err := strconv.Atoi(value)
	if err != nil || fd < 3 {
		return nil, fmt.Errorf("%s=%q is no descriptor number", EnvSocket, value)
	}
	if kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE); err != nil || kind != unix.SOCK_STREAM {
		return nil, fmt.Errorf("%s names descriptor %d, which is no stream socket", EnvSocket, fd)
	}
	unix.CloseOnExec(fd)
	f := os.NewFile(uintptr(fd), "launcher")
	defer f.Close()
	return net.FileConn(f) // close-on-exec as well
}

func prepareProcess() error {
	// Whatever a rank leaves behind becomes a child of the agent.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("becoming a child subreaper: %w", err)
	}
	// Caught and dropped instead of ignored: the ranks would inherit the latter.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE, syscall.SIGHUP, syscall.SIGINT, syscall.SIGTTOU, syscall.SIGTTIN)
	return nil
}

// onlyConn tells when the server has closed it.
type onlyConn struct {
	net.Conn
	once   sync.Once
	closed chan struct{}
}

func (c *onlyConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { close(c.closed) })
	return err
}

// onlyListener hands out one connection and no other.
type onlyListener struct {
	conn  chan net.Conn
	local net.Addr
}

func newOnlyListener(c net.Conn) *onlyListener {
	l := &onlyListener{conn: make(chan net.Conn, 1), local: c.LocalAddr()}
	l.conn <- c
	return l
}

func (l *onlyListener) Accept() (net.Conn, error) { return <-l.conn, nil }
func (l *onlyListener) Close() error              { return nil }
func (l *onlyListener) Addr() net.Addr            { return l.local }

type server struct {
	pb.UnimplementedAgentServer
	conn    net.Conn
	expects expectations
	mu      sync.Mutex
	host    *host
}

// Run is the one job. When it returns nothing of the job runs any more.
func (s *server) Run(stream grpc.BidiStreamingServer[pb.ToAgent, pb.FromAgent]) error {
	if err := stream.Send(&pb.FromAgent{Kind: &pb.FromAgent_Ready{Ready: ready()}}); err != nil {
		return err
	}
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	if sweep := first.GetSweep(); sweep != nil {
		strays, survivors := sweepJob(hex.EncodeToString(sweep.GetJob()))
		done := &pb.Done{Strays: int32(strays), Survivors: survivors}
		return stream.Send(&pb.FromAgent{Kind: &pb.FromAgent_Done{Done: done}})
	}
	start := first.GetStart()
	if start == nil {
		return fmt.Errorf("first message is %T, want Start", first.GetKind())
	}
	if err := checkStart(start); err != nil {
		return fmt.Errorf("the launcher's message makes no sense: %w", err)
	}
	h := newHost(start)
	s.mu.Lock()
	if s.host != nil {
		s.mu.Unlock()
		return errors.New("an agent runs one job")
	}
	s.host = h
	s.mu.Unlock()
	go h.deliver(stream.Send)
	go h.listen(stream.Recv)
	h.run()
	// The launcher has what it wants; it ends the stream once it has read that.
	<-stream.Context().Done()
	return context.Cause(stream.Context())
}

// lastResort bounds how long the agent outlives its launcher. Ranks that it
// could not see dead by then die with it, of their parent-death signal.
const lastResort = 3 * time.Second

// end kills what is left of the job after the launcher has gone, and returns
// when it is dead.
func (s *server) end() {
	s.expects.close()
	s.mu.Lock()
	h := s.host
	s.mu.Unlock()
	if h != nil {
		h.post(h.onLauncherGone)
		select {
		case <-h.over:
		case <-time.After(lastResort):
		}
	}
}

// listen passes on what the launcher says.
func (h *host) listen(recv func() (*pb.ToAgent, error)) {
	for {
		m, err := recv()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				h.post(h.onLauncherGone)
			}
			return
		}
		if c := m.GetOutputCredit(); c != nil {
			if r := h.rank(int(c.GetRank())); r != nil {
				r.credit.add(c.GetBytes())
			}
			continue
		}
		if in := m.GetStdin(); in != nil {
			h.stdin.Put(in)
			continue
		}
		if b := m.GetBlob(); b != nil {
			h.news.Put(programNews{blob: b})
			continue
		}
		if f := m.GetFetch(); f != nil {
			h.news.Put(programNews{fetch: f})
			continue
		}
		h.post(func() { h.onLauncher(m) })
	}
}

// deliver sends what the host has for the launcher.
func (h *host) deliver(send func(*pb.FromAgent) error) {
	for {
		messages := h.outbox.Take()
		if messages == nil {
			return
		}
		for _, m := range messages {
			if send(m) != nil {
				h.outbox.Close(io.EOF)
				return
			}
		}
	}
}
