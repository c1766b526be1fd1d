//go:build !linux

package stream

import (
	"net"
	"syscall"
)

func pace(*net.TCPConn, syscall.RawConn) {}
