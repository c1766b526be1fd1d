//go:build linux || darwin

package output

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// IsTerminal reports whether w is a file that is a terminal.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return false
	}
	terminal := false
	raw.Control(func(fd uintptr) {
		_, err := unix.IoctlGetTermios(int(fd), getTermios)
		terminal = err == nil
	})
	return terminal
}

func isBrokenPipe(err error) bool { return errors.Is(err, unix.EPIPE) }
