package rank

import (
	"fmt"
	"net"
	"sync"

	"github.com/muster-mpi/muster/internal/engine"
	"github.com/muster-mpi/muster/internal/socketpair"
	"github.com/muster-mpi/muster/internal/transport"
	"github.com/muster-mpi/muster/internal/transport/inproc"
	"github.com/muster-mpi/muster/internal/transport/stream"
)

// Over has the ranks linked as the launcher's --transport links processes: "shm"
// by shared memory (on Linux), "unix" by gRPC over Unix socket pairs, "tcp" by
// gRPC over TCP connections on loopback, without TLS. Without it, and with "", a
// message is copied from rank to rank. For tests of what a transport may change,
// which is nothing but time.
func Over(network string) LocalOption { return func(l *local) { l.network = network } }

// links returns what makes the links of rank r of n, and its way to each peer.
func (l *local) links(n int) (func(r int, e *engine.Engine) ([]transport.Conn, func(peer int) transport.Conn), error) {
	switch l.network {
	case "":
		hub := inproc.NewNet(n)
		return func(r int, e *engine.Engine) ([]transport.Conn, func(int) transport.Conn) {
			conn := hub.Open(r, e)
			return []transport.Conn{conn}, func(int) transport.Conn { return conn }
		}, nil
	case "shm":
		x, err := newSharedBroker(n)
		if err != nil {
			return nil, fmt.Errorf("rank: Local: %w", err)
		}
		l.after = x.close
		return x.open, nil
	case "unix", "tcp":
		x := &broker{pair: socketpair.Unix, ends: make([]*stream.Conn, n), numbers: make(map[[2]int]uint32)}
		if l.network == "tcp" {
			x.pair = socketpair.TCP
		}
		return x.open, nil
	}
	return nil, fmt.Errorf("rank: Local: %w: transport %q, there are \"shm\", \"unix\" and \"tcp\"", ErrArgument, l.network)
}

// byWay returns the links of rank r: loop to itself, conn to all others.
func byWay(r int, conn, loop transport.Conn) ([]transport.Conn, func(peer int) transport.Conn) {
	return []transport.Conn{conn, loop}, func(peer int) transport.Conn {
		if peer == r {
			return loop
		}
		return conn
	}
}

// broker hands connections to the ranks of a process, as an agent does to the
// ranks of a host.
type broker struct {
	pair func() (a, b net.Conn, err error)

	mu      sync.Mutex
	ends    []*stream.Conn
	numbers map[[2]int]uint32 // connections made so far, by pair
}

func (x *broker) open(r int, e *engine.Engine) ([]transport.Conn, func(int) transport.Conn) {
	links := stream.New(stream.Config{
		Self: r, Size: len(x.ends),
		Connect: func(peer int) error { return x.connect(r, peer) },
		Spin:    -1, // its peers are goroutines of this process, which need the processor
	}, e)
	x.mu.Lock()
	x.ends[r] = links
	x.mu.Unlock()
	return byWay(r, links, inproc.Loop(len(x.ends), r, e))
}

func (x *broker) connect(r, peer int) error {
	a, b, err := x.pair()
	if err != nil {
		return err
	}
	pair := [2]int{min(r, peer), max(r, peer)}
	x.mu.Lock()
	number := x.numbers[pair]
	x.numbers[pair]++
	mine, theirs := x.ends[r], x.ends[peer]
	x.mu.Unlock()
	mine.Attach(peer, number, a)
	theirs.Attach(r, number, b)
	return nil
}
