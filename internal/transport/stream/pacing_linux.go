package stream

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// unpaced has conn send as fast as its peer reads, if both are on this host.
// Congestion control that paces, as BBR does, is made for networks: over loopback
// it takes the peer's turns on a busy machine for a slow road, and then keeps to
// that speed. Reno, which every kernel has and lets everybody choose, sends what
// the window allows.
func unpaced(conn *net.TCPConn, raw syscall.RawConn) {
	if sameHost(conn.LocalAddr(), conn.RemoteAddr()) {
		raw.Control(func(fd uintptr) {
			// Where that fails it is as it was.
			unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, "reno")
		})
	}
}

// sameHost reports whether both ends of a TCP connection are on this host: the
// address of one is the other's too, or is for loopback.
func sameHost(local, remote net.Addr) bool {
	a, ok := local.(*net.TCPAddr)
	b, too := remote.(*net.TCPAddr)
	return ok && too && (a.IP.Equal(b.IP) || b.IP.IsLoopback())
}
