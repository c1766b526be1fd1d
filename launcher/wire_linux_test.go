package launcher

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-mpi/muster/internal/testbed"
	"golang.org/x/sys/unix"
)

// testSniff writes all frames of its network to a file.
func testSniff(path string) {
	const all = uint16(unix.ETH_P_ALL)
	protocol := binary.NativeEndian.Uint16([]byte{byte(all >> 8), byte(all)}) // as the network has it
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, int(protocol))
	if err != nil {
		die("socket: %v", err)
	}
	unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20)
	out, err := os.Create(path)
	if err != nil {
		die("%v", err)
	}
	fmt.Println("sniffing")
	frame := make([]byte, 1<<18)
	for {
		n, _, err := unix.Recvfrom(fd, frame, 0)
		if err != nil {
			die("receive: %v", err)
		}
		out.Write(frame[:n])
	}
}

// helper starts a mode of this test binary on a host of a bed, until the test ends, once it
// has said a word. Its output is what it returns.
func helper(t *testing.T, b *testbed.Net, host int, word string, args ...string) *buffer {
	t.Helper()
	out := newBuffer()
	cmd := b.Command(host, append([]string{os.Args[0]}, args...)...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	out.await(t, word, 1)
	return out
}

// S16: who listens between the hosts sees nothing of what ranks say.
func TestS16NothingIsReadableBetweenHosts(t *testing.T) {
	b := testbed.Namespaces(t, 2)
	canary := "canary-" + strings.Repeat("0123456789abcdef", 3)
	for _, c := range []struct {
		name     string
		env      []string
		readable bool
	}{
		{"tcp", nil, false},
		{"via ssh", []string{"TEST_VIA=ssh"}, false},
		{"plain", []string{"TEST_INSECURE=1"}, true}, // which shows that what is readable is found
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "frames")
			helper(t, b, 0, "sniffing", "sniff", path)
			l := exchangeInHub(t, b, "4s", "4", c.env, "-rounds=50", "-pause=1ms", "-canary="+canary)
			l.expect(l.wait(20*time.Second), 0)
			var frames []byte
			for begin := time.Now(); len(frames) < 50*2*8000; time.Sleep(10 * time.Millisecond) { // what went to the other host at least
				var err error
				if frames, err = os.ReadFile(path); err != nil || time.Since(begin) > 10*time.Second {
					t.Fatalf("%d bytes were seen, %v", len(frames), err)
				}
			}
			if n := bytes.Count(frames, []byte(canary)); (n > 0) != c.readable {
				t.Errorf("of %d bytes that were seen %d times the text that ranks sent", len(frames), n)
			}
		})
	}
}

// testFlip passes connections on to an address and turns over a bit in so many bytes, on
// average, each of which it tells.
func testFlip(args []string) {
	every, err := strconv.Atoi(args[2])
	if err != nil {
		die("%v", err)
	}
	l, err := net.Listen("tcp", args[0])
	if err != nil {
		die("%v", err)
	}
	fmt.Println("passing on")
	for seed := uint64(1); ; seed++ {
		near, err := l.Accept()
		if err != nil {
			die("%v", err)
		}
		go func() {
			far, err := net.Dial("tcp", args[1])
			if err != nil {
				near.Close()
				return
			}
			var ways sync.WaitGroup
			for way, ends := range [2][2]net.Conn{{near, far}, {far, near}} {
				ways.Go(func() { flip(ends[0], ends[1], every, rand.New(rand.NewPCG(seed, uint64(way)))) })
			}
			ways.Wait()
		}()
	}
}

func flip(from, to net.Conn, every int, random *rand.Rand) {
	defer from.Close()
	defer to.Close()
	next := int(random.ExpFloat64() * float64(every))
	buf := make([]byte, 16<<10)
	for {
		n, err := from.Read(buf)
		for next < n {
			buf[next] ^= 1 << random.IntN(8)
			fmt.Println("flipped")
			next += 1 + int(random.ExpFloat64()*float64(every))
		}
		next -= n
		if _, e := to.Write(buf[:n]); err != nil || e != nil {
			return
		}
	}
}

// S16, S17: bytes that are changed on the way end a connection, never in a number.
func TestS16AndS17ChangedBytesNeverChangeAResult(t *testing.T) {
	args := []string{"-rounds=30", "-n=30000"}
	want := exchangeAlone(t, 2, args...)
	for name, env := range map[string][]string{"TLS": nil, "plain": {"TEST_INSECURE=1"}} {
		t.Run(name, func(t *testing.T) {
			b := testbed.Namespaces(t, 2)
			begin := filepath.Join(t.TempDir(), "begin")
			path, err := exchange()
			if err != nil {
				t.Fatal(err)
			}
			cmd := b.Command(0, append([]string{os.Args[0], "launch", "2", "-begin=" + begin}, args...)...)
			cmd.Env = append(cmd.Environ(), "TEST_HOSTS="+strings.Join(b.Hosts(), ","), "TEST_SHELL=ssh", "TEST_PROGRAM="+path)
			cmd.Env = append(cmd.Env, env...)
			l := launchAs(t, cmd)
			var flips []*buffer
			for host := 1; host <= 2; host++ {
				flips = append(flips, flipAll(t, b, host, 1<<20))
			}
			if err := os.WriteFile(begin, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			code := l.wait(60 * time.Second)
			flipped := 0
			for _, out := range flips {
				flipped += strings.Count(out.String(), "flipped")
			}
			got := resultLine.FindString(l.stdout.String())
			switch {
			case flipped == 0:
				t.Errorf("no bit was turned over\n%s", l.stderr)
			case code == 0 && got != want:
				t.Errorf("after %d changes got %q, want %q", flipped, got, want)
			case code != 0 && (got != "" || !strings.Contains(l.stderr.String(), "lost its link to rank")):
				t.Errorf("after %d changes exit code %d, %q, want the link named\n%s", flipped, code, got, l.stderr)
			}
			t.Logf("%d bits were turned over; exit code %d", flipped, code)
		})
	}
}

// flipAll leads the connections that come to the port of a job on a host by way of one
// who turns bits over.
func flipAll(t *testing.T, b *testbed.Net, host, every int) *buffer {
	t.Helper()
	var port netip.AddrPort
	for begin := time.Now(); !port.IsValid(); time.Sleep(time.Millisecond) {
		if i := slices.IndexFunc(b.Listeners(host), func(a netip.AddrPort) bool { return a.Port() != 22 }); i >= 0 {
			port = b.Listeners(host)[i]
		}
		if time.Since(begin) > 20*time.Second {
			t.Fatalf("host %d opens no port", host)
		}
	}
	const relay = 1234
	out := helper(t, b, host, "passing on", "flip", fmt.Sprintf(":%d", relay),
		netip.AddrPortFrom(b.Address(host), port.Port()).String(), fmt.Sprint(every))
	for _, table := range []string{"iptables", "ip6tables"} {
		said, err := b.Command(host, table, "-w", "-t", "nat", "-A", "PREROUTING", "-p", "tcp",
			"--dport", fmt.Sprint(port.Port()), "-j", "REDIRECT", "--to-ports", fmt.Sprint(relay)).CombinedOutput()
		if err != nil {
			t.Skipf("this test wants %s that can redirect: %v %s", table, err, said)
		}
	}
	return out
}
