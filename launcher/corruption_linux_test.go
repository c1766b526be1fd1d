package launcher

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/muster-mpi/muster/internal/testbed"
	"golang.org/x/sys/unix"
)

// testRelay takes the connections that netfilter redirects to a port of this host and
// passes them on to where they were meant to go, with a bit turned over in so many bytes
// on average.
func testRelay(port, flip string) int {
	every, err := strconv.Atoi(flip)
	if err != nil {
		die("%q bytes: %v", flip, err)
	}
	l, err := net.Listen("tcp4", ":"+port)
	if err != nil {
		die("relay: %v", err)
	}
	fmt.Println("relaying")
	for number := uint64(0); ; number++ {
		c, err := l.Accept()
		if err != nil {
			die("relay: %v", err)
		}
		go relay(c.(*net.TCPConn), number, every)
	}
}

// relayMark is on the relay's own connections, which are not redirected.
const relayMark = 77

func relay(near *net.TCPConn, number uint64, every int) {
	defer near.Close()
	to, err := originalDestination(near)
	if err != nil {
		fmt.Fprintln(os.Stderr, "relay:", err)
		return
	}
	dialer := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK, relayMark) })
		if err == nil {
			err = failed
		}
		return err
	}}
	far, err := dialer.Dial("tcp4", to.String())
	if err != nil {
		return
	}
	defer far.Close()
	done := make(chan struct{}, 2)
	for way, ends := range [][2]net.Conn{{near, far}, {far, near}} {
		random := rand.New(rand.NewPCG(number, uint64(way)))
		go func() {
			defer func() { done <- struct{}{} }()
			b := make([]byte, 1<<16)
			left := every + random.IntN(every)
			for {
				n, err := ends[0].Read(b)
				for ; left < n; left += 1 + random.IntN(2*every) {
					b[left] ^= 1 << random.IntN(8)
					fmt.Println("flipped")
				}
				left -= n
				if _, e := ends[1].Write(b[:n]); err != nil || e != nil {
					return
				}
			}
		}()
	}
	<-done
}

// originalDestination is where a redirected connection was meant to go.
func originalDestination(c *net.TCPConn) (to netip.AddrPort, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return to, err
	}
	const soOriginalDst = 80
	var address unix.RawSockaddrInet4
	size := uint32(unsafe.Sizeof(address))
	err2 := raw.Control(func(fd uintptr) {
		if _, _, e := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_IP, soOriginalDst,
			uintptr(unsafe.Pointer(&address)), uintptr(unsafe.Pointer(&size)), 0); e != 0 {
			err = e
		}
	})
	if err == nil {
		err = err2
	}
	port := binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(&address.Port))[:])
	return netip.AddrPortFrom(netip.AddrFrom4(address.Addr), port), err
}

// F40, S16, S17: bits that are turned over on the road between hosts cost time and never
// change a number, with TLS and without.
func TestF40FlippedBitsNeverChangeANumber(t *testing.T) {
	var relays []*buffer
	args := []string{"-rounds=200", "-n=1000"}
	want := exchangeAlone(t, 4, args...)
	b := testbed.Namespaces(t, 2)
	for host := 1; host <= 2; host++ {
		onHost(t, b, host, "ip", "-6", "addr", "flush", "dev", "eth0")
		if out, err := b.Command(host, "iptables", "-w", "-t", "nat", "-A", "OUTPUT", "-p", "tcp", "-d", b.Address(3-host).String(),
			"-m", "mark", "!", "--mark", fmt.Sprint(relayMark), "-j", "REDIRECT", "--to-ports", "4040").CombinedOutput(); err != nil {
			t.Skipf("this test wants the nat table of iptables: %s", out)
		}
		cmd := b.Command(host, os.Args[0], "relay", "4040", "200000")
		said := newBuffer()
		cmd.Stdout, cmd.Stderr = said, os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer cmd.Wait()
		defer cmd.Process.Kill()
		said.await(t, "relaying", 1)
		relays = append(relays, said)
	}
	flipped := func() (n int) {
		for _, r := range relays {
			n += strings.Count(r.String(), "flipped")
		}
		return n
	}
	for _, insecure := range []string{"", "1"} {
		t.Run("insecure="+insecure, func(t *testing.T) {
			before := flipped()
			l := exchangeInHub(t, b, "4s", "4", []string{"TEST_INSECURE=" + insecure}, args...)
			l.expect(l.wait(30*time.Second), 0)
			if got := resultLine.FindString(l.stdout.String()); got != want {
				t.Errorf("got %q, want %q\n%s", got, want, l.stderr)
			}
			if flipped() == before {
				t.Error("no bit was turned over")
			}
		})
	}
}

// F60: what is no frame ends its link, and the job says between whom that was. What a peer
// sends over sockets is tried by TestMalformedPacketCostsItsLinkOnly of internal/transport/stream.
func TestF60GarbageOnALinkIsNamed(t *testing.T) {
	path, err := exchange()
	if err != nil {
		t.Fatal(err)
	}
	tr := newTrial(t, 1)
	tr.job.Apps = []App{
		{Ranks: 1, Argv: []string{path}, Env: []string{tr.mark}},
		{Ranks: 1, Argv: []string{os.Args[0], "rank", "@scribble"}, Env: []string{tr.mark}},
	}
	tr.run()
	// Whether the link is up by then is chance.
	if code := tr.result.Code; code != ExitResource && code != ExitLost {
		t.Errorf("exit code %d, want %d or %d", code, ExitResource, ExitLost)
	}
	tr.expect(tr.result.Code, "rank 0 (host", "link", "to rank 1")
}
