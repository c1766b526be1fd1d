package shm

import (
	"fmt"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// process is a peer's process: its number, and a descriptor that says whether the number
// is still its own.
type process struct {
	pid int
	mu  sync.RWMutex // read: fd is in use
	fd  int          // -1 after close
}

func watch(pid int) (*process, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, fmt.Errorf("pidfd_open of process %d: %w", pid, err)
	}
	return &process{pid: pid, fd: fd}, nil
}

// alive returns nil while the process lives, and os.ErrProcessDone afterwards.
func (p *process) alive() error {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.fd < 0 {
		return os.ErrClosed
	}
	ask := unix.PollFd{Fd: int32(p.fd), Events: unix.POLLIN}
	var now unix.Timespec
	for {
		// Raw as in vm: it does not wait.
		n, _, errno := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&ask)), 1, uintptr(unsafe.Pointer(&now)), 0, 0, 0)
		switch {
		case errno == unix.EINTR:
		case errno != 0:
			return fmt.Errorf("poll of process %d: %w", p.pid, errno)
		case n > 0:
			return fmt.Errorf("process %d: %w", p.pid, os.ErrProcessDone)
		default:
			return nil
		}
	}
}

func (p *process) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	fd := p.fd
	p.fd = -1
	return unix.Close(fd)
}

// readv copies from memory of the process to local, writev the other way, as much as one
// call does.
func readv(pid int, local [][]byte, remote uint64) (int, error) {
	return vm(unix.SYS_PROCESS_VM_READV, pid, local, remote)
}

func writev(pid int, local [][]byte, remote uint64) (int, error) {
	return vm(unix.SYS_PROCESS_VM_WRITEV, pid, local, remote)
}

func vm(call uintptr, pid int, local [][]byte, remote uint64) (int, error) {
	var here [maxRuns]unix.Iovec
	size := 0
	for i, run := range local {
		here[i].Base = unsafe.SliceData(run)
		here[i].SetLen(len(run))
		size += len(run)
	}
	there := unix.RemoteIovec{Base: uintptr(remote), Len: size}
	// Raw: the call is short and does not wait, so the scheduler need not find another
	// thread for this one's work.
	n, _, errno := unix.RawSyscall6(call, uintptr(pid), uintptr(unsafe.Pointer(&here)), uintptr(len(local)), uintptr(unsafe.Pointer(&there)), 1, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
