package main

import (
	"io"
	"net"
	"runtime"
	"syscall"
	"unsafe"
)

// A polling connection asks the kernel again and again instead of sleeping until
// there is something to read. RawSyscall, since the runtime need not know of
// calls that never block.
type polling struct {
	net.Conn
	raw syscall.RawConn
}

func newPolling(c net.Conn) (io.ReadWriter, error) {
	raw, err := c.(syscall.Conn).SyscallConn()
	return &polling{c, raw}, err
}

func (p *polling) Read(b []byte) (n int, err error) {
	if len(b) == 0 {
		return 0, nil
	}
	for {
		var got uintptr
		var errno syscall.Errno
		if err := p.raw.Read(func(fd uintptr) bool {
			got, _, errno = syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
			return true // done, whatever came: never wait
		}); err != nil {
			return 0, err
		}
		switch {
		case errno == syscall.EAGAIN || errno == syscall.EINTR:
			runtime.Gosched()
		case errno != 0:
			return 0, errno
		case got == 0:
			return 0, io.EOF
		default:
			return int(got), nil
		}
	}
}
