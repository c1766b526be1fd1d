package launcher

import (
	"io"
	"math"
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
	r.stdinMu.Lock()
	defer r.stdinMu.Unlock()
	for _, a := range r.stdinAgents() {
		a.send(m)
	}
}

// stdinAgents are those whose ranks read the input, but for those that are over. It needs
// stdinMu.
func (r *run) stdinAgents() (all []*hostAgent) {
	for _, a := range r.agents {
		rank := r.plan.common.GetStdinRank()
		if !a.noInput && (rank < 0 || r.plan.host[rank] == a.number) {
			all = append(all, a)
		}
	}
	return all
}

// onStdinTaken counts what the ranks of a host have taken. So much room there is for more
// as the slowest host has made.
func (r *run) onStdinTaken(a *hostAgent, bytes int64) {
	r.stdinMu.Lock()
	defer r.stdinMu.Unlock()
	a.stdin += bytes
	r.makeRoom()
}

// takesNoInput is that a host is over: the others do not wait for it.
func (r *run) takesNoInput(a *hostAgent) {
	r.stdinMu.Lock()
	defer r.stdinMu.Unlock()
	a.noInput = true
	r.makeRoom()
}

// makeRoom tells whoever reads the input how much more there is room for. It needs stdinMu,
// which makes it the only sender.
func (r *run) makeRoom() {
	least := int64(math.MaxInt64)
	for _, a := range r.stdinAgents() {
		least = min(least, a.stdin)
	}
	if least == math.MaxInt64 || least <= r.stdinTaken {
		return
	}
	more := least - r.stdinTaken
	r.stdinTaken = least
	// The reader may be waiting for input, or may have ended: what it has not fetched is
	// added up, and nobody waits for it.
	select {
	case before := <-r.taken:
		more += before
	default:
	}
	r.taken <- more
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
