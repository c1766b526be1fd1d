package remote

import (
	"bufio"
	"errors"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is a running remote shell.
type process struct {
	stderr *stderrReader
	asked  bool          // asked to end before it is killed
	ended  chan struct{} // closed when it was waited for and its standard error read
	state  *os.ProcessState

	mu     sync.Mutex
	os     *os.Process
	reaped bool // its number may be another's
}

// startProcess starts argv in a session of its own, so that the terminal's
// signals do not reach it, with one end of a socket pair as its standard input
// and output, and returns the other. It ends with the launcher.
//
// Of ssh's end the server learns from the kernel, so ssh is killed. Slurm leaves a
// step alone whose srun is killed: srun, and what is not known better, is asked.
func startProcess(kind Kind, argv []string, stderr *stderrReader) (*process, net.Conn, error) {
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return nil, nil, err
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	mine, theirs := os.NewFile(uintptr(fds[0]), "remote shell"), os.NewFile(uintptr(fds[1]), "launcher")
	defer mine.Close()
	defer theirs.Close()
	conn, err := net.FileConn(mine)
	if err != nil {
		return nil, nil, err
	}
	said, says, err := os.Pipe()
	if err != nil {
		conn.Close()
		return nil, nil, err
	}
	defer says.Close()
	p := &process{ended: make(chan struct{}), stderr: stderr, asked: kind != KindSSH}
	end := unix.SIGKILL
	if p.asked {
		end = unix.SIGTERM
	}
	p.os, err = spawn(path, argv, &os.ProcAttr{
		Files: []*os.File{theirs, theirs, says},
		Sys:   &syscall.SysProcAttr{Setsid: true, Pdeathsig: end},
	})
	if err != nil {
		said.Close()
		conn.Close()
		return nil, nil, err
	}
	all := make(chan struct{})
	go func() {
		defer close(all)
		stderr.read(said)
	}()
	go func() {
		p.wait()
		// Something in its background may hold standard error, such as the
		// master of shared ssh connections.
		const grace = 100 * time.Millisecond
		said.SetReadDeadline(time.Now().Add(grace))
		<-all
		said.Close()
		close(p.ended)
	}()
	return p, conn, nil
}

// wait returns when the process has ended, and keeps its number until then.
func (p *process) wait() {
	for {
		err := unix.Waitid(unix.P_PID, p.os.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state, _ = p.os.Wait()
	p.reaped = true
}

// kill ends the process and what it has started in its group, such as a
// ProxyCommand, and waits for it.
func (p *process) kill() {
	if p.asked {
		p.signal(unix.SIGTERM)
		select {
		case <-p.ended:
			return
		case <-time.After(killGrace):
		}
	}
	p.signal(unix.SIGKILL)
	<-p.ended
}

// killGrace is what is left to a process that is asked to end.
const killGrace = 2 * time.Second

// signal reaches the process's group while its number is its own.
func (p *process) signal(s unix.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.reaped {
		unix.Kill(-p.os.Pid, s)
	}
}

type spawning struct {
	path string
	argv []string
	attr *os.ProcAttr
	done chan<- spawned
}

type spawned struct {
	process *os.Process
	err     error
}

// spawner is a thread that lives as long as the launcher: the death of the
// thread that starts a process counts as its parent's.
var spawner = sync.OnceValue(func() chan<- spawning {
	requests := make(chan spawning)
	go func() {
		runtime.LockOSThread()
		for r := range requests {
			p, err := os.StartProcess(r.path, r.argv, r.attr)
			r.done <- spawned{p, err}
		}
	}()
	return requests
})

func spawn(path string, argv []string, attr *os.ProcAttr) (*os.Process, error) {
	done := make(chan spawned, 1)
	spawner() <- spawning{path, argv, attr, done}
	s := <-done
	return s.process, s.err
}

// stderrReader keeps the last lines of standard error and passes lines on.
type stderrReader struct {
	pass func(line string)
	in   func() // the remote shell has let us in

	mu      sync.Mutex
	lines   []string
	passing bool
}

const (
	keptLines  = 20
	longestErr = 4 << 10
)

func (r *stderrReader) read(f *os.File) {
	in := bufio.NewReaderSize(f, longestErr)
	for {
		b, _, err := in.ReadLine() // a longer line comes in parts
		if err != nil {
			return
		}
		line := strings.TrimRight(string(b), "\r")
		if strings.TrimSpace(line) == "" || r.ofVerbose(line) {
			continue
		}
		r.mu.Lock()
		r.lines = append(r.lines, line)
		r.lines = r.lines[max(0, len(r.lines)-keptLines):]
		passing := r.passing
		r.mu.Unlock()
		if passing && r.pass != nil {
			r.pass(line)
		}
	}
}

// ofVerbose tells lines that ssh says for LogLevel=VERBOSE only.
func (r *stderrReader) ofVerbose(line string) bool {
	if strings.HasPrefix(line, "Authenticated to ") {
		r.in()
		return true
	}
	return strings.HasPrefix(line, "Transferred: sent ") || strings.HasPrefix(line, "Bytes per second: sent ")
}

// startPassing passes on the lines that come from now on, and forgets the others.
func (r *stderrReader) startPassing() {
	r.mu.Lock()
	r.passing, r.lines = true, nil
	r.mu.Unlock()
}

func (r *stderrReader) tail() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.lines...)
}
