package stream_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/muster-mpi/muster/internal/socketpair"
	"github.com/muster-mpi/muster/internal/transport/stream"
	"github.com/muster-mpi/muster/internal/transport/stream/streamtest"
	"github.com/muster-mpi/muster/internal/transport/transporttest"
)

func TestUnix(t *testing.T) { transporttest.Run(t, streamtest.Net{Pair: socketpair.Unix}.Open) }
func TestTCP(t *testing.T)  { transporttest.Run(t, streamtest.Net{Pair: socketpair.TCP}.Open) }
func TestTLS(t *testing.T) {
	transporttest.Run(t, streamtest.Net{Pair: socketpair.TCP, TLS: true}.Open)
}

// TestPolling has readers poll however many ranks there are.
func TestPolling(t *testing.T) {
	for name, pair := range map[string]streamtest.Pair{"Unix": socketpair.Unix, "TCP": socketpair.TCP} {
		t.Run(name, func(t *testing.T) {
			transporttest.Run(t, streamtest.Net{Pair: pair, Config: stream.Config{Spin: time.Millisecond}}.Open)
		})
	}
}

// TestTinyBuffers makes every limit bite: windows of a few packets, packets of
// a few frames, queues that are full at once.
func TestTinyBuffers(t *testing.T) {
	transporttest.Run(t, streamtest.Net{Pair: socketpair.Unix, Config: tiny}.Open)
}

var tiny = stream.Config{Copy: 300, Packet: 1000, Window: 4000, Queue: 2000, Buffer: 4096}

// TestShakyConnections cuts connections in the middle of packets: what is
// delivered is the same, once and in order.
func TestShakyConnections(t *testing.T) {
	for _, c := range []struct {
		name  string
		pair  streamtest.Pair
		tls   bool
		cfg   stream.Config
		every int
	}{
		{"Unix", socketpair.Unix, false, stream.Config{}, 1 << 20},
		{"UnixTiny", socketpair.Unix, false, tiny, 20_000},
		{"TCP", socketpair.TCP, false, stream.Config{}, 1 << 20},
		{"TLS", socketpair.TCP, true, stream.Config{}, 300_000},
	} {
		seeds := uint64(3)
		if transporttest.Short() {
			seeds = 1
		}
		for seed := range seeds {
			t.Run(fmt.Sprintf("%s/seed%d", c.name, seed), func(t *testing.T) {
				cfg := c.cfg
				cfg.Tries, cfg.Backoff = 50, time.Millisecond
				transporttest.Run(t, streamtest.Net{Pair: c.pair, TLS: c.tls, Config: cfg, Wrap: streamtest.Shaky(seed, c.every, 6)}.Open)
			})
		}
	}
}
