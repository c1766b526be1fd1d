package stream

import (
	"net"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/muster-mpi/muster/internal/socketpair"
)

// onSocket calls f with the descriptor of a link's connection over loopback.
func onSocket(t *testing.T, f func(fd int)) {
	t.Helper()
	p, _ := polledPair(t, socketpair.TCP, time.Millisecond)
	raw, err := p.Conn.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) { f(int(fd)) })
}

// TestConnectionsWithinAHostAreNotPaced asks the kernel.
func TestConnectionsWithinAHostAreNotPaced(t *testing.T) {
	onSocket(t, func(fd int) {
		got, err := unix.GetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION)
		if err != nil || got != "reno" {
			t.Errorf("congestion control of a connection over loopback: %q, %v, want reno", got, err)
		}
	})
}

// TestWhatWasLostIsSentAgainWithinASecond asks the kernel.
func TestWhatWasLostIsSentAgainWithinASecond(t *testing.T) {
	onSocket(t, func(fd int) {
		most, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_RTO_MAX_MS)
		if err == unix.ENOPROTOOPT {
			t.Skip("the longest time between two attempts can be set from Linux 6.15 on")
		}
		if err != nil || most != maxRetransmitMillis {
			t.Errorf("%d ms between two attempts at most, %v, want %d", most, err, maxRetransmitMillis)
		}
		// Shorter times must not be fewer attempts in less time.
		if patience, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT); err != nil || patience != patienceMillis {
			t.Errorf("given up after %d ms, %v, want %d", patience, err, patienceMillis)
		}
	})
}

func TestAHostIsKnownByItsAddresses(t *testing.T) {
	for _, c := range []struct {
		local, remote string
		want          bool
	}{
		{"127.0.0.1", "127.0.0.1", true},
		{"127.0.0.1", "127.0.0.2", true},
		{"::1", "::1", true},
		{"10.1.2.3", "10.1.2.3", true},
		{"::ffff:10.1.2.3", "10.1.2.3", true},
		{"10.1.2.3", "10.1.2.4", false},
		{"fe80::1", "fe80::2", false},
	} {
		local, remote := &net.TCPAddr{IP: net.ParseIP(c.local), Port: 1}, &net.TCPAddr{IP: net.ParseIP(c.remote), Port: 2}
		if got := sameHost(local, remote); got != c.want {
			t.Errorf("%s and %s on one host: %t, want %t", local, remote, got, c.want)
		}
	}
	unnamed := &net.UnixAddr{Net: "unix"}
	if sameHost(unnamed, unnamed) || sameHost(nil, nil) {
		t.Error("ends without an IP address are said to be on one host")
	}
}
