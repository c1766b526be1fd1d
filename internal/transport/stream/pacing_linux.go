package stream

import (
	"math"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxRetransmitMillis is how long TCP waits at most before it sends again what was lost. By
// itself it doubles that time up to two minutes, so that a road which was closed for half a
// minute and is open again would stay unused for as long.
const maxRetransmitMillis = 1000 // the least that Linux allows

// patienceMillis is how long TCP sends again before it gives a connection up: without
// limit. By itself it would do so after fifteen times, a quarter of an hour or, at a second
// each, of a minute. Whoever watches hosts says when one is lost.
const patienceMillis = math.MaxInt32

// tune makes conn fit for a link. What the kernel does not let be set stays as it was: the
// limit of retransmission can be set from Linux 6.15 on.
//
// If both ends are on this host, conn sends as fast as its peer reads.
// Congestion control that paces, as BBR does, is made for networks: over loopback
// it takes the peer's turns on a busy machine for a slow road, and then keeps to
// that speed. Reno, which every kernel has and lets everybody choose, sends what
// the window allows.
func tune(conn *net.TCPConn, raw syscall.RawConn) {
	within := sameHost(conn.LocalAddr(), conn.RemoteAddr())
	raw.Control(func(fd uintptr) {
		if unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, patienceMillis) == nil {
			unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_RTO_MAX_MS, maxRetransmitMillis)
		}
		if within {
			unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, "reno")
		}
	})
}

// sameHost reports whether both ends of a TCP connection are on this host: the
// address of one is the other's too, or is for loopback.
func sameHost(local, remote net.Addr) bool {
	a, ok := local.(*net.TCPAddr)
	b, too := remote.(*net.TCPAddr)
	return ok && too && (a.IP.Equal(b.IP) || b.IP.IsLoopback())
}
