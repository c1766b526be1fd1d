package testbed_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math/bits"
	"net"
	"os"
	"testing"
	"time"

	"github.com/muster-mpi/muster/internal/testbed"
)

// echo returns the address of a server that sends back all it gets.
func echo(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				io.Copy(c, c)
				c.Close()
			}()
		}
	}()
	return l.Addr().String()
}

func dial(t *testing.T, r *testbed.Relay) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", r.Address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(time.Minute))
	return c.(*net.TCPConn)
}

// around sends bytes through a relay and returns what came back and when.
func around(t *testing.T, r *testbed.Relay, b []byte) ([]byte, time.Duration) {
	t.Helper()
	c := dial(t, r)
	begin := time.Now()
	go func() {
		c.Write(b)
		c.CloseWrite()
	}()
	got, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return got, time.Since(begin)
}

func TestARelayChangesNothingByItself(t *testing.T) {
	r := testbed.NewRelay(t, echo(t), 1)
	want := bytes.Repeat([]byte("muster"), 3<<20)
	if got, _ := around(t, r, want); !bytes.Equal(got, want) {
		t.Errorf("%d bytes came back as %d others", len(want), len(got))
	}
}

func TestARelayKeepsDelayAndRate(t *testing.T) {
	for _, c := range []struct {
		w     testbed.Weather
		bytes int
		least time.Duration
	}{
		{testbed.Weather{Delay: 40 * time.Millisecond}, 1, 80 * time.Millisecond},
		{testbed.Weather{Delay: 40 * time.Millisecond, Jitter: 20 * time.Millisecond}, 1 << 20, 80 * time.Millisecond},
		{testbed.Weather{Rate: 4 << 20}, 1 << 20, 240 * time.Millisecond},
	} {
		r := testbed.NewRelay(t, echo(t), 1)
		r.Set(c.w)
		want := bytes.Repeat([]byte{7}, c.bytes)
		got, took := around(t, r, want)
		if !bytes.Equal(got, want) {
			t.Errorf("%+v: %d bytes came back as %d others", c.w, len(want), len(got))
		}
		// An upper bound says only that delays do not add up over the bytes, on any machine.
		if took < c.least || took > c.least+10*time.Second {
			t.Errorf("%+v: %d bytes were back after %v, want %v or a little more", c.w, c.bytes, took, c.least)
		}
	}
}

func TestFlipsOfARelayDependOnTheSeed(t *testing.T) {
	sent := make([]byte, 1<<20)
	flips := func(seed uint64) (n int, sum [32]byte) {
		r := testbed.NewRelay(t, echo(t), seed)
		r.Set(testbed.Weather{Flip: 10000})
		got, _ := around(t, r, sent)
		if len(got) != len(sent) {
			t.Fatalf("%d bytes came back as %d", len(sent), len(got))
		}
		for _, b := range got {
			n += bits.OnesCount8(b)
		}
		return n, sha256.Sum256(got)
	}
	n, first := flips(1)
	if n < 150 || n > 280 {
		t.Errorf("%d bits of %d bytes are turned over on two ways at one in 10000 bytes, want about 210", n, len(sent))
	}
	if _, again := flips(1); again != first {
		t.Error("the same seed turned other bits over")
	}
	if _, other := flips(2); other == first {
		t.Error("another seed turned the same bits over")
	}
}

func TestACutRelayResetsAndAStalledOneHolds(t *testing.T) {
	r := testbed.NewRelay(t, echo(t), 1)
	c := dial(t, r)
	b := []byte{1}
	pass := func(c net.Conn) error {
		if _, err := c.Write(b); err != nil {
			return err
		}
		_, err := io.ReadFull(c, b)
		return err
	}
	if err := pass(c); err != nil {
		t.Fatal(err)
	}
	r.Stall()
	fresh := dial(t, r)
	for name, c := range map[string]net.Conn{"an old": c, "a new": fresh} {
		c.SetDeadline(time.Now().Add(100 * time.Millisecond))
		if err := pass(c); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s connection through a stalled relay: %v, want silence", name, err)
		}
		c.SetDeadline(time.Now().Add(time.Minute))
	}
	r.Resume()
	for name, c := range map[string]net.Conn{"an old": c, "a new": fresh} {
		if _, err := io.ReadFull(c, b); err != nil {
			t.Errorf("%s connection after the stall: %v", name, err)
		}
	}
	r.Cut()
	if err := pass(c); err == nil {
		t.Error("a connection that was cut works")
	}
	if err := pass(dial(t, r)); err != nil {
		t.Errorf("a new connection after a cut: %v", err)
	}
}
