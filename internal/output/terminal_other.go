//go:build !linux && !darwin && !windows

package output

import (
	"errors"
	"io"
	"syscall"
)

// IsTerminal reports false: on this system it is not known.
func IsTerminal(w io.Writer) bool { return false }

func isBrokenPipe(err error) bool { return errors.Is(err, syscall.EPIPE) }
