package streamtest

import (
	"errors"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
)

// errCut is what a Shaky connection reports once it has cut itself.
var errCut = errors.New("connection cut by the test")

// Shaky returns a Net.Wrap whose connections write in pieces, hesitate, and cut
// themselves, all on seed: a connection dies after a random number of bytes, on
// average every. After each pair has used up its cuts, connections last.
func Shaky(seed uint64, every, cuts int) func(conn net.Conn, self, peer int, number uint32) net.Conn {
	return func(conn net.Conn, self, peer int, number uint32) net.Conn {
		rnd := rand.New(rand.NewPCG(seed, uint64(self)<<32|uint64(peer)<<16|uint64(number)))
		s := &shaky{Conn: conn, rnd: rnd, left: -1}
		if int(number) <= cuts {
			s.left = rnd.IntN(2 * every)
		}
		return s
	}
}

type shaky struct {
	net.Conn
	mu   sync.Mutex // one Write at a time
	rnd  *rand.Rand
	left int // bytes before the cut; -1: none
}

func (s *shaky) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := 0; ; {
		piece := min(len(b)-n, 1+s.rnd.IntN(1<<(1+s.rnd.IntN(18))))
		cut := s.left >= 0 && piece >= s.left
		if cut {
			piece = s.left
		}
		k, err := s.Conn.Write(b[n : n+piece])
		n += k
		if s.left >= 0 {
			s.left -= k
		}
		switch {
		case err != nil:
			return n, err
		case cut:
			s.Conn.Close()
			return n, errCut
		case n == len(b):
			return n, nil
		}
		for range s.rnd.IntN(4) {
			runtime.Gosched()
		}
	}
}
