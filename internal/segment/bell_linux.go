package segment

import (
	"fmt"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// NewBell returns a bell as a descriptor that is closed on exec and can be passed to the
// processes that are to ring it.
func NewBell() (*os.File, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("bell: eventfd: %w", err)
	}
	return os.NewFile(uintptr(fd), "muster-bell"), nil
}

// Bell is one process's hand on a bell. Ring and Wait may be called by any goroutine,
// also beside Close.
type Bell struct {
	mu   sync.RWMutex // read: the descriptor is in use
	fd   int          // -1 after Close
	wait *os.File     // over a second descriptor, from the first Wait on
}

// OpenBell returns a Bell over f, made by NewBell. It has a descriptor of its own: f may
// be closed, and should be where only Ring is wanted, since the runtime watches f and
// would be woken by every Ring of its own.
func OpenBell(f *os.File) (*Bell, error) {
	b := new(Bell)
	err := control(f, func(fd int) (err error) {
		b.fd, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("bell: duplicating %s: %w", f.Name(), err)
	}
	return b, nil
}

var one = uint64(1)

// Ring makes one Wait return, the next if none is under way; several rings may do so only
// once. It never blocks. After Close it does nothing.
func (b *Bell) Ring() {
	b.mu.RLock()
	if b.fd >= 0 {
		// Raw: the descriptor does not block, so the scheduler need not know. The only
		// error is a counter at its limit, and then the bell rings already.
		unix.RawSyscall(unix.SYS_WRITE, uintptr(b.fd), uintptr(unsafe.Pointer(&one)), 8)
	}
	b.mu.RUnlock()
}

// Wait returns once the bell was rung. No thread waits with it: the goroutine is parked in
// the runtime's poller. After Close the error is os.ErrClosed.
func (b *Bell) Wait() error {
	f, err := b.watched()
	if err != nil {
		return err
	}
	var count [8]byte
	if _, err := f.Read(count[:]); err != nil {
		return fmt.Errorf("bell: %w", err)
	}
	return nil
}

// watched returns the file through which the runtime watches the bell.
func (b *Bell) watched() (*os.File, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fd < 0 {
		return nil, fmt.Errorf("bell: %w", os.ErrClosed)
	}
	if b.wait == nil {
		fd, err := unix.FcntlInt(uintptr(b.fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return nil, fmt.Errorf("bell: duplicating it: %w", err)
		}
		b.wait = os.NewFile(uintptr(fd), "muster-bell")
	}
	return b.wait, nil
}

// Close ends every Wait under way and makes Ring do nothing. A second Close does nothing.
func (b *Bell) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fd < 0 {
		return nil
	}
	err := unix.Close(b.fd)
	b.fd = -1
	if b.wait != nil {
		if e := b.wait.Close(); err == nil {
			err = e
		}
	}
	if err != nil {
		return fmt.Errorf("bell: %w", err)
	}
	return nil
}
