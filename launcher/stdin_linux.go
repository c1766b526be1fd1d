package launcher

import (
	"io"
	"os"
	"time"

	pb "github.com/muster-mpi/muster/proto"
	"golang.org/x/sys/unix"
)

const stdinWindow = 256 << 10 // bytes on the way that no rank has taken

// readStdin sends in to the agent, as far as the ranks take it. It ends with the
// input, or after stop is closed once a Read that is under way returns.
func readStdin(in io.Reader, send func(*pb.ToAgent), taken <-chan int64, stop <-chan struct{}) {
	window := int64(stdinWindow)
	buf := make([]byte, 32<<10)
	for {
		for window <= 0 {
			select {
			case n := <-taken:
				window += n
			case <-stop:
				return
			}
		}
		if !mayRead(in, stop) {
			return
		}
		n, err := in.Read(buf)
		select {
		case <-stop:
			return
		default:
		}
		if n > 0 {
			window -= int64(n)
			send(&pb.ToAgent{Kind: &pb.ToAgent_Stdin{Stdin: &pb.StdinData{Data: append([]byte(nil), buf[:n]...)}}})
		}
		if err != nil {
			send(&pb.ToAgent{Kind: &pb.ToAgent_Stdin{Stdin: &pb.StdinData{Eof: true}}})
			return
		}
		for drained := false; !drained; {
			select {
			case n := <-taken:
				window += n
			default:
				drained = true
			}
		}
	}
}

// sendStdin passes input on to every host with a rank that reads it.
func (r *run) sendStdin(m *pb.ToAgent) {
	for _, a := range r.stdinAgents() {
		a.send(m)
	}
}

func (r *run) stdinAgents() []*hostAgent {
	if rank := r.plan.common.GetStdinRank(); rank >= 0 {
		at := r.plan.host[rank]
		return r.agents[at : at+1]
	}
	return r.agents
}

// onStdinTaken counts what the ranks of a host have taken. So much room there is for more
// as the slowest host has made.
func (r *run) onStdinTaken(a *hostAgent, bytes int64) {
	r.stdinMu.Lock()
	a.stdin += bytes
	least := a.stdin
	for _, other := range r.stdinAgents() {
		least = min(least, other.stdin)
	}
	more := least - r.stdinTaken
	r.stdinTaken = least
	r.stdinMu.Unlock()
	if more > 0 {
		r.taken <- more // at most stdinWindow is on the way
	}
}

// mayRead waits until reading in would not stop the launcher: a process group in
// the background that reads from its terminal is stopped by it.
func mayRead(in io.Reader, stop <-chan struct{}) bool {
	f, ok := in.(*os.File)
	if !ok {
		return true
	}
	for {
		foreground := true
		if raw, err := f.SyscallConn(); err == nil {
			raw.Control(func(fd uintptr) {
				if group, err := unix.IoctlGetInt(int(fd), unix.TIOCGPGRP); err == nil {
					foreground = group == unix.Getpgrp()
				}
			})
		}
		if foreground {
			return true
		}
		select {
		case <-stop:
			return false
		case <-time.After(200 * time.Millisecond):
		}
	}
}
