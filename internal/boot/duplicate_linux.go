package boot

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Duplicate returns another descriptor of what f stands for, closed on exec. The
// runtime does not watch it, as it would an os.File over a socket or an eventfd.
func Duplicate(f *os.File) (fd int, err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return -1, err
	}
	if e := raw.Control(func(n uintptr) { fd, err = unix.FcntlInt(n, unix.F_DUPFD_CLOEXEC, 3) }); e != nil {
		return -1, e
	}
	if err != nil {
		return -1, fmt.Errorf("duplicating %s: %w", f.Name(), os.NewSyscallError("fcntl", err))
	}
	return fd, nil
}
