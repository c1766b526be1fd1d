//go:build !linux

package stream

import (
	"net"
	"syscall"
)

func unpaced(*net.TCPConn, syscall.RawConn) {}
