package launcher

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
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
