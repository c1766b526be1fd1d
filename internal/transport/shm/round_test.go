package shm

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/wire"
)

// A frame is there once it was published and not before, whatever lay in its place:
// payloads here are made of what control words look like, in every round of the ring.
func TestOldPayloadIsNeverTakenForAFrame(t *testing.T) {
	const seed = 7
	rnd := rand.New(rand.NewPCG(seed, 1))
	r := new(ring)
	s := sender{ring: r}
	pos, cleared := uint64(0), 0
	for n := 0; pos>>ringShift < 3*32; n++ {
		payload := make([]byte, rnd.IntN(3)*rnd.IntN(2000))
		round := s.pos + uint64(rnd.IntN(2))*ringBytes // this one, or the next that comes by here
		for i := 0; i+8 <= len(payload); i += 8 {
			binary.LittleEndian.PutUint64(payload[i:], mark(round)|rnd.Uint64()&lengthMask)
		}
		size := frameBytes(len(payload))
		if left := ringBytes - s.pos&ringMask; left < size {
			s.pos += left // as a pad would
			s.clear()
			pos = s.pos
		}
		before := *r.word(s.pos + size)
		if r.holds(pos) {
			t.Fatalf("seed %d, frame %d: it is there before it was published", seed, n)
		}
		s.put(kindWhole, &wire.Header{Kind: wire.Eager, ID: uint64(n)}, layout.Of(payload), 0)
		if before != 0 && *r.word(s.pos) == 0 {
			cleared++
		}
		if !r.holds(pos) {
			t.Fatalf("seed %d, frame %d: it is not there", seed, n)
		}
		at := pos & ringMask
		if got := r[at+frontBytes : at+frontBytes+uint64(len(payload))]; !bytes.Equal(got, payload) {
			t.Fatalf("seed %d, frame %d: payload differs", seed, n)
		}
		pos += size
		s.tail = pos
	}
	if cleared < 100 {
		t.Errorf("%d places were cleared: the test shows nothing", cleared)
	}
}
