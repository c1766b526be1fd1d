//go:build !linux

package stream

import (
	"net"
	"syscall"
)

func tune(*net.TCPConn, syscall.RawConn) {}
