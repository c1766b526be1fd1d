package rendezvous

import (
	"net"
	"time"
)

// How long the host at the other end of a control connection may be silent before it
// is given up: as keepalive has it, and as long for what was sent.
//
// The kernels ask each other, the processes do not: one that computes for long, in
// assembly or on its only core, or that is stopped, is not taken for dead. That a
// process has died its kernel says at once, by closing the connection.
const (
	keepaliveEvery = time.Second
	keepaliveTries = 3
	unreachable    = (keepaliveTries + 1) * keepaliveEvery
)

// watch makes reads of conn fail when the other host is not reached any more.
func watch(conn *net.TCPConn) error {
	err := conn.SetKeepAliveConfig(net.KeepAliveConfig{
		Enable: true, Idle: keepaliveEvery, Interval: keepaliveEvery, Count: keepaliveTries,
	})
	if err != nil {
		return err
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	return watchBytes(raw)
}
