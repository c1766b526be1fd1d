package stream

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxRetransmit is how long TCP waits at most before it sends again what was lost. By
// itself it doubles that time up to two minutes, so that a road which was closed for half a
// minute and is open again would stay unused for as long.
const maxRetransmit = 1000 // milliseconds, the least that Linux allows

// pace sets how fast conn sends. Where it cannot, as the limit of retransmission before
// Linux 6.15, it is as it was.
//
// If both ends are on this host, conn sends as fast as its peer reads.
// Congestion control that paces, as BBR does, is made for networks: over loopback
// it takes the peer's turns on a busy machine for a slow road, and then keeps to
// that speed. Reno, which every kernel has and lets everybody choose, sends what
// the window allows.
func pace(conn *net.TCPConn, raw syscall.RawConn) {
	within := sameHost(conn.LocalAddr(), conn.RemoteAddr())
	raw.Control(func(fd uintptr) {
		unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_RTO_MAX_MS, maxRetransmit)
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
