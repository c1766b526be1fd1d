//go:build unix

package rendezvous

import (
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// inheritedSocket takes over a stream socket that the process has inherited. What it
// starts does not inherit it any more.
func inheritedSocket(fd int) (pmiConn, error) {
	if kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE); err != nil || kind != unix.SOCK_STREAM {
		return nil, fmt.Errorf("descriptor %d is no stream socket: the process that holds it did not pass it on", fd)
	}
	unix.CloseOnExec(fd)
	f := os.NewFile(uintptr(fd), "pmi")
	defer f.Close()
	return net.FileConn(f)
}
