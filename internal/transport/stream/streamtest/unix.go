//go:build unix

package streamtest

import (
	"net"
	"os"
	"syscall"
)

// Unix is a Pair of Unix sockets without a name.
func Unix() (net.Conn, net.Conn, error) {
	syscall.ForkLock.RLock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	a, err := fileConn(fds[0])
	b, err2 := fileConn(fds[1])
	if err == nil && err2 == nil {
		return a, b, nil
	}
	for _, c := range []net.Conn{a, b} {
		if c != nil {
			c.Close()
		}
	}
	if err == nil {
		err = err2
	}
	return nil, nil, err
}

func fileConn(fd int) (net.Conn, error) {
	f := os.NewFile(uintptr(fd), "socketpair")
	defer f.Close()
	return net.FileConn(f)
}
