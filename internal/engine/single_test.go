package engine

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/transport"
	"github.com/muster-mpi/muster/internal/wire"
)

// directStand is a stand whose links copy between memories: from and to a piece
// of memory of the test's, at address 1000.
type directStand struct {
	*stand
	memory  []byte
	in, out [transport.ClaimWords]atomic.Uint64
	fail    error
	during  func() // called in each copy
	blind   bool   // Reach knows nothing
}

const directBase = 1000

func newDirectStand(t testing.TB) *directStand {
	s := &directStand{stand: newStand(t), memory: make([]byte, 4096)}
	s.part = 16
	s.route = func(int) transport.Conn { return s }
	return s
}

func (s *directStand) Reach(_ int, b layout.Buffer) uint64 {
	if _, ok := b.Contiguous(); !ok || s.blind {
		return 0
	}
	return directBase
}

func (s *directStand) Pull(_ int, dst layout.Buffer, addr uint64) error {
	if s.during != nil {
		s.during()
	}
	dst.WriteAt(s.memory[addr-directBase:], 0)
	return s.fail
}

func (s *directStand) Push(_ int, addr uint64, src layout.Buffer) error {
	src.ReadAt(s.memory[addr-directBase:], 0)
	return s.fail
}

func (s *directStand) Claims(int) (in, out *[transport.ClaimWords]atomic.Uint64) {
	return &s.in, &s.out
}

// settle does what a thread that waits would do.
func (s *directStand) settle() {
	for s.move() {
	}
	s.work()
}

// offer delivers an Offer of n bytes that can be pulled.
func (s *directStand) offer(n int) {
	s.deliver(1, wire.Header{Kind: wire.Offer, Source: 1, ID: 77, Bytes: uint64(n), Arg: directBase})
}

// granted starts a send of n bytes and has peer 1 invite this rank to push it, in
// parts of 16 bytes. It returns the send's number.
func (s *directStand) invited(n int) (Ref, uint64) {
	r := s.isend(1, Standard, n)
	id := s.last(1, wire.Offer).h.ID
	s.deliver(1, wire.Header{Kind: wire.Grant, ID: id, Arg: 5, Bytes: uint64(n), Tag: directBase, Context: 1, Layout: 3, Source: 16})
	return r, id
}

// What a peer says of a single copy is held against what it can know.
func TestLiesAboutSingleCopiesAreFound(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(s *directStand)
	}{
		{"Pulled of nothing", func(s *directStand) { s.deliver(1, wire.Header{Kind: wire.Pulled, ID: 1<<32 | 1, Bytes: 1, Arg: 1}) }},
		{"Pulled of a receive", func(s *directStand) {
			r := s.irecv(1, make([]byte, 8))
			s.deliver(1, wire.Header{Kind: wire.Pulled, ID: r.op.id, Bytes: 8, Arg: 8})
		}},
		{"Pulled by another rank", func(s *directStand) {
			s.isend(2, Standard, 100)
			s.deliver(1, wire.Header{Kind: wire.Pulled, ID: s.last(2, wire.Offer).h.ID, Bytes: 100, Arg: 100})
		}},
		{"Pulled more than was offered", func(s *directStand) {
			s.isend(1, Standard, 100)
			s.deliver(1, wire.Header{Kind: wire.Pulled, ID: s.last(1, wire.Offer).h.ID, Bytes: 101, Arg: 101})
		}},
		{"Pulled more than was wanted", func(s *directStand) {
			s.isend(1, Standard, 100)
			s.deliver(1, wire.Header{Kind: wire.Pulled, ID: s.last(1, wire.Offer).h.ID, Bytes: 100, Arg: 50})
		}},
		{"Pulled a part, and nobody was invited", func(s *directStand) {
			s.isend(1, Standard, 100)
			s.deliver(1, wire.Header{Kind: wire.Pulled, ID: s.last(1, wire.Offer).h.ID, Bytes: 50, Arg: 100})
		}},
		{"Pulled what this rank has pushed", func(s *directStand) {
			s.out[0].Store(3 << 32)
			_, id := s.invited(100)
			s.settle()
			s.deliver(1, wire.Header{Kind: wire.Pulled, ID: id, Bytes: 100, Arg: 100})
		}},
		{"Pulled twice", func(s *directStand) {
			_, id := s.invited(100)
			s.deliver(1, wire.Header{Kind: wire.Pulled, ID: id, Bytes: 40, Arg: 100})
			s.deliver(1, wire.Header{Kind: wire.Pulled, ID: id, Bytes: 40, Arg: 100})
		}},
		{"Pushed for nothing", func(s *directStand) { s.deliver(1, wire.Header{Kind: wire.Pushed, ID: 1<<32 | 1, Bytes: 1}) }},
		{"Pushed where nobody was invited", func(s *directStand) {
			s.cfg.Crowded = true
			r := s.irecv(1, make([]byte, 100))
			s.Deliver(1, &wire.Header{Kind: wire.Offer, Source: 1, ID: 77, Bytes: 100, Arg: directBase}, layout.Buffer{})
			s.deliver(1, wire.Header{Kind: wire.Pushed, ID: r.op.id, Bytes: 16})
		}},
		{"Pushed what this rank has pulled", func(s *directStand) {
			r := s.irecv(1, make([]byte, 100))
			s.Deliver(1, &wire.Header{Kind: wire.Offer, Source: 1, ID: 77, Bytes: 100, Arg: directBase}, layout.Buffer{})
			s.in[0].Store(1<<32 | 1<<16) // the peer claims one part
			s.settle()
			s.deliver(1, wire.Header{Kind: wire.Pushed, ID: r.op.id, Bytes: 100})
		}},
		{"Grant by no word", func(s *directStand) {
			s.isend(1, Standard, 100)
			s.deliver(1, wire.Header{Kind: wire.Grant, ID: s.last(1, wire.Offer).h.ID, Bytes: 100, Tag: directBase, Source: 16})
		}},
		{"Grant by a word beyond the last", func(s *directStand) {
			s.isend(1, Standard, 100)
			s.deliver(1, wire.Header{Kind: wire.Grant, ID: s.last(1, wire.Offer).h.ID, Bytes: 100, Tag: directBase, Source: 16, Context: transport.ClaimWords + 1})
		}},
		{"Grant in parts of nothing", func(s *directStand) {
			s.isend(1, Standard, 100)
			s.deliver(1, wire.Header{Kind: wire.Grant, ID: s.last(1, wire.Offer).h.ID, Bytes: 100, Tag: directBase, Context: 1})
		}},
		{"Grant in more parts than a word counts", func(s *directStand) {
			s.isend(1, Standard, 100_000)
			s.deliver(1, wire.Header{Kind: wire.Grant, ID: s.last(1, wire.Offer).h.ID, Bytes: 100_000, Tag: directBase, Context: 1, Source: 1})
		}},
		{"Grant of memory that wraps around", func(s *directStand) {
			s.isend(1, Standard, 100)
			s.deliver(1, wire.Header{Kind: wire.Grant, ID: s.last(1, wire.Offer).h.ID, Bytes: 1 << 62, Tag: 1<<63 - 1, Context: 1, Source: 16})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newDirectStand(t)
			c.do(s)
			s.settle()
			if len(s.lost[1]) != 1 || !errors.Is(s.lost[1][0], ErrProtocol) {
				t.Errorf("lost %v, want rank 1 for ErrProtocol", s.lost)
			}
		})
	}
}

// A sender that comes to a claim word when it serves a later message takes
// nothing of it.
func TestLateSenderClaimsNothingOfALaterMessage(t *testing.T) {
	s := newDirectStand(t)
	s.out[0].Store(4 << 32) // the receiver is done with round 3 and has begun the next
	r, id := s.invited(100)
	s.settle()
	if w := s.out[0].Load(); w != 4<<32 {
		t.Errorf("the word is %#x, want %#x", w, uint64(4)<<32)
	}
	s.deliver(1, wire.Header{Kind: wire.Pulled, ID: id, Bytes: 100, Arg: 100})
	if _, done, err := s.Test(r); !done || err != nil {
		t.Errorf("the send: done %t, %v", done, err)
	}
}

// A copy that fails leaves the operation to whoever knows whether the peer died:
// until then it is pending, and after Fail it has failed.
func TestFailedSingleCopyEndsWithThePeer(t *testing.T) {
	s := newDirectStand(t)
	s.fail = errors.New("no such process")
	r := s.irecv(1, make([]byte, 100))
	s.offer(100)
	s.settle()
	if len(s.lost[1]) != 1 || !errors.Is(s.lost[1][0], s.fail) {
		t.Fatalf("lost: %v", s.lost)
	}
	if _, done, err := s.Peek(r); done {
		t.Fatalf("complete before anybody decided, with %v", err)
	}
	s.Fail(1, errGone)
	if _, done, err := s.Test(r); !done || !errors.Is(err, ErrFailed) {
		t.Errorf("after Fail: done %t, %v", done, err)
	}
	if p := s.peer(1); p.road.taken != 0 || p.road.pulls != 0 {
		t.Errorf("words %b taken, %d pulls", p.road.taken, p.road.pulls)
	}
}

// A peer that is given up while a part is copied from it ends the receive once
// that copy is over, well or not.
func TestPeerGivenUpDuringACopy(t *testing.T) {
	for _, fail := range []error{nil, errors.New("no such process")} {
		s := newDirectStand(t)
		s.fail = fail
		s.during = func() { s.Fail(1, errGone) }
		r := s.irecv(1, make([]byte, 100))
		s.offer(100)
		s.settle()
		if _, done, err := s.Test(r); !done || !errors.Is(err, ErrFailed) {
			t.Errorf("copy ends with %v: done %t, %v", fail, done, err)
		}
		if len(s.moves) != 0 || s.peer(1).road.pulls != 0 {
			t.Errorf("copy ends with %v: %d copies, %d pulls left", fail, len(s.moves), s.peer(1).road.pulls)
		}
	}
}

// A message whose sender alone can copy is granted and left to it; one that wants
// too much of that, or where nobody shares words, goes over the link.
func TestSenderAloneCopies(t *testing.T) {
	s := newDirectStand(t)
	buf := make([]byte, 1000)
	r := s.irecv(1, buf)
	s.deliver(1, wire.Header{Kind: wire.Offer, Source: 1, ID: 77, Bytes: 1000, Arg: pushes})
	s.settle()
	grant, told := s.last(1, wire.Grant).h, s.last(1, wire.Pulled).h
	if grant.ID != 77 || grant.Arg != r.op.id || grant.Tag != directBase || grant.Context != 1 || told.ID != 77 || told.Bytes != 0 || told.Arg != 1000 {
		t.Fatalf("granted %+v, pulled %+v", grant, told)
	}
	s.deliver(1, wire.Header{Kind: wire.Pushed, ID: r.op.id, Bytes: 1000})
	if st, done, err := s.Test(r); !done || err != nil || st.Bytes != 1000 {
		t.Errorf("the receive: %+v, done %t, %v", st, done, err)
	}

	s.peer(1).road.taken = 1<<transport.ClaimWords - 1
	r = s.irecv(1, buf)
	s.deliver(1, wire.Header{Kind: wire.Offer, Source: 1, ID: 78, Bytes: 1000, Arg: pushes})
	if grant := s.last(1, wire.Grant).h; grant.ID != 78 || grant.Tag != 0 || r.op.phase != arriving {
		t.Errorf("without a free word: granted %+v", grant)
	}
}

// A sender whose buffer has long runs offers to push, one with short runs to
// send.
func TestStridedBuffersAreOfferedByTheirGrain(t *testing.T) {
	for _, c := range []struct {
		run  int
		want uint64
	}{{8, 0}, {minGrain - 1, 0}, {minGrain, pushes}, {4096, pushes}} {
		s := newDirectStand(t)
		plan, err := layout.Strided(0, c.run, layout.Dim{Count: 20, Stride: 2 * c.run})
		if err != nil {
			t.Fatal(err)
		}
		buf, err := layout.WithPlan(make([]byte, 40*c.run), plan)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Isend(&Envelope{Context: s.world, Peer: 1, Buf: buf}); err != nil {
			t.Fatal(err)
		}
		if h := s.last(1, wire.Offer).h; h.Arg != c.want {
			t.Errorf("runs of %d bytes: offered with %d, want %d", c.run, h.Arg, c.want)
		}
	}
}

// Links do not doze while parts are left to be copied, which ring no bell; and
// while some are, whoever spins sees them.
func TestCopiesAreNotDozedOver(t *testing.T) {
	s := newDirectStand(t)
	p := &fakePoller{stand: s.stand, after: -1}
	s.pollers = []transport.Poller{p}
	s.irecv(1, make([]byte, 100))
	s.Deliver(1, &wire.Header{Kind: wire.Offer, Source: 1, ID: 77, Bytes: 100, Arg: directBase}, layout.Buffer{})
	s.mu.Lock()
	if s.doze() {
		t.Error("the links doze before the message is copied")
	}
	s.tend()
	dozing, left := s.dozing, len(s.moves)
	s.mu.Unlock()
	if !dozing || left != 0 || s.nmoves.Load() != 0 {
		t.Errorf("tended: dozing %t, %d copies left", dozing, left)
	}
}

// A message that was offered before the link could copy goes with its address if
// the link can when it takes the Offer.
func TestOfferLearnsItsAddressLate(t *testing.T) {
	s := newDirectStand(t)
	s.full, s.blind = true, true
	s.isend(1, Standard, 100)
	s.full, s.blind = false, false
	s.Writable(1)
	s.Idle()
	if h := s.last(1, wire.Offer).h; h.Arg != directBase {
		t.Errorf("offered with address %#x, want %#x", h.Arg, directBase)
	}
}

// What a receiver gives up, the peer can claim no part of any more.
func TestAbandonedCopyCannotBeClaimed(t *testing.T) {
	s := newDirectStand(t)
	s.irecv(1, make([]byte, 100))
	s.Deliver(1, &wire.Header{Kind: wire.Offer, Source: 1, ID: 77, Bytes: 100, Arg: directBase}, layout.Buffer{})
	round := s.in[0].Load() >> 32
	s.Fail(1, errGone)
	if got := s.in[0].Load() >> 32; got == round {
		t.Errorf("round %d can still be claimed", round)
	}
}
