package boot

import (
	"fmt"
	"os"
	"strconv"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// A program started by a wrapper script inherits the descriptor through the
// script's own exec, so the descriptor arrives without close-on-exec. It must
// have it before the rank's own code starts a child.
func init() {
	if fd, err := controlSocket(os.Getenv(EnvControl)); err == nil {
		unix.CloseOnExec(fd)
	}
}

// controlSocket returns the descriptor that value names, if it is a connected
// Unix SOCK_SEQPACKET socket.
func controlSocket(value string) (int, error) {
	fd, err := strconv.Atoi(value)
	if err != nil || fd < 3 {
		return -1, fmt.Errorf("boot: %s=%q is no descriptor number", EnvControl, value)
	}
	if isControlSocket(fd) {
		return fd, nil
	}
	return -1, fmt.Errorf("boot: %s names descriptor %d, which is not the control socket of a rank: "+
		"the process that holds it did not pass it on; remove the MUSTER_ variables to start a program outside the job",
		EnvControl, fd)
}

func isControlSocket(fd int) bool {
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil || domain != unix.AF_UNIX {
		return false
	}
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	return err == nil && kind == unix.SOCK_SEQPACKET
}

var taken atomic.Bool

// Inherited goes through the door that the agent left open for this process
// and returns the connection to the agent. It reports false when the process
// was started without a launcher. It fails when the environment names a
// descriptor that is no control socket, when the agent is gone, and when this
// process has gone through already.
func Inherited() (*Conn, bool, error) {
	value, ok := os.LookupEnv(EnvControl)
	if !ok {
		return nil, false, nil
	}
	if taken.Swap(true) {
		return nil, false, fmt.Errorf("boot: this process has taken its control socket already")
	}
	fd, err := controlSocket(value)
	if err != nil {
		taken.Store(false)
		return nil, false, err
	}
	c, err := enter(fd)
	if err != nil {
		return nil, false, err
	}
	return c, true, nil
}
