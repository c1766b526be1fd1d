// Package streamtest links stream.Conns of one process by real connections, as
// an agent links processes: for the tests of every package that wants gRPC
// under it.
package streamtest

import (
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"testing"

	"github.com/muster-mpi/muster/internal/transport"
	"github.com/muster-mpi/muster/internal/transport/stream"
)

// Pair makes the two ends of one connection, as socketpair.Unix and
// socketpair.TCP do.
type Pair func() (a, b net.Conn, err error)

// Net makes stream.Conns and hands out the connections they ask for.
type Net struct {
	Pair   Pair
	TLS    bool          // mutual TLS with certificates minted for the occasion
	Config stream.Config // tunables only
	// Wrap, if not nil, stands in for the end of rank self of a connection.
	Wrap func(conn net.Conn, self, peer int, number uint32) net.Conn
	// Refuse, if not nil, is asked before each connection; its error is what
	// Connect returns.
	Refuse func(a, b int) error
}

// Open is a transporttest.Opener.
func (n Net) Open(tb testing.TB, hs []transport.Handler) []transport.Conn {
	conns := make([]transport.Conn, len(hs))
	for i, c := range n.Start(tb, hs).Conns {
		conns[i] = c
	}
	return conns
}

// Started is a Net with its Conns.
type Started struct {
	Conns []*stream.Conn

	net     Net
	tb      testing.TB
	mu      sync.Mutex
	numbers map[[2]int]uint32
	pending sync.WaitGroup
}

// Start makes len(hs) Conns, Conn i calling hs[i].
func (n Net) Start(tb testing.TB, hs []transport.Handler) *Started {
	s := &Started{net: n, tb: tb, numbers: map[[2]int]uint32{}, Conns: make([]*stream.Conn, len(hs))}
	job := [16]byte{1, 2, 3}
	var ids []*tls.Config
	if n.TLS {
		var err error
		if ids, err = Certificates(job, len(hs)); err != nil {
			tb.Fatal(err)
		}
	}
	made := make(chan struct{})
	for i, h := range hs {
		cfg := n.Config
		cfg.Self, cfg.Size, cfg.Job, cfg.Incarnation = i, len(hs), job, 1
		cfg.Connect = func(peer int) error {
			<-made
			return s.Connect(i, peer)
		}
		if n.TLS {
			cfg.TLS = func(int, bool) *tls.Config { return ids[i] }
		}
		s.Conns[i] = stream.New(cfg, h)
	}
	close(made)
	tb.Cleanup(s.pending.Wait)
	return s
}

// Connect makes a connection between ranks a and b and attaches it to both,
// asynchronously.
func (s *Started) Connect(a, b int) error {
	a, b = min(a, b), max(a, b)
	if s.net.Refuse != nil {
		if err := s.net.Refuse(a, b); err != nil {
			return err
		}
	}
	ca, cb, err := s.net.Pair()
	if err != nil {
		return fmt.Errorf("connection of ranks %d and %d: %w", a, b, err)
	}
	// The lock is held while attaching, so that the numbers arrive in order.
	s.pending.Go(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.numbers[[2]int{a, b}]++
		number := s.numbers[[2]int{a, b}]
		if s.net.Wrap != nil {
			ca, cb = s.net.Wrap(ca, a, b, number), s.net.Wrap(cb, b, a, number)
		}
		s.Conns[a].Attach(b, number, ca)
		s.Conns[b].Attach(a, number, cb)
	})
	return nil
}
