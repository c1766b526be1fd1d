package collectives

import (
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/muster-mpi/muster/collectives/schedule"
)

// stream is where short calls go in which not every rank needs all others: a root
// that gives, one that takes, a scan. Nobody meets anybody. Each call has a slot, of
// several in turn, with a region for every rank; a rank writes its own, says at its
// head that it is there, and waits for those that it needs and no others. So a rank that
// only gives is done at once, and may be ahead of the slowest by as many calls as there
// are slots; and what is short travels in the cache line of the head.
//
// There are two. That of brief calls, of one number, has many slots, and the regions
// of a rank for calls that follow each other lie side by side: who runs ahead fills a line
// before others fetch it, and all take long turns where ranks share cores.
type stream struct {
	base     []byte
	slots    uint32           // a power of two, so that calls may wrap around
	slot     int              // bytes from slot to slot
	stride   int              // from a rank's to the next one's
	region   int              // bytes of a region, its head among them; 0: there are too many ranks
	done     []*atomic.Uint32 // by rank: calls that it will not look at any more
	telling  uint32           // done is told of every so many calls; as slots, and no more than those
	calls    uint32           // so far
	slowest  uint32           // how many calls all are known to have done with
	reaching reaching
}

const (
	briefSlots  = 64
	briefRegion = 16
	longSlots   = 8
	streamHead  = 8 // bytes of a region: the number of the call that it is of, and its fingerprint
)

// A rank can tell others about all calls by which it may be ahead of them.
const _ = uint(historyLen - maxSaid - briefSlots - longSlots)

// layStreams lays the streams of p ranks out in b: that of brief calls where it leaves
// most of b to the other.
func (m *memory) layStreams(b []byte, p int) {
	stride := briefSlots * briefRegion
	if used := p * (lineBytes + stride); used <= len(b)/4 {
		m.brief = stream{slots: briefSlots, slot: briefRegion, stride: stride, region: briefRegion, telling: briefSlots / 4}
		m.brief.lay(b[:used], p, m)
		b = b[used:]
	}
	m.long = stream{slots: longSlots, slot: (len(b) - p*lineBytes) / longSlots &^ (lineBytes - 1), telling: 1}
	m.long.stride = m.long.slot / p &^ (lineBytes - 1)
	m.long.region = m.long.stride
	m.long.lay(b, p, m)
}

// lay puts s in b, the counts of the ranks first.
func (s *stream) lay(b []byte, p int, m *memory) {
	s.base = b[p*lineBytes:]
	s.done = make([]*atomic.Uint32, p)
	for r := range s.done {
		s.done[r] = (*atomic.Uint32)(unsafe.Pointer(&b[r*lineBytes]))
	}
	s.reaching.m = m
}

// head returns the head of rank r's region in the slot at.
func (s *stream) head(at []byte, r int) *atomic.Uint64 {
	return (*atomic.Uint64)(unsafe.Pointer(&at[r*s.stride]))
}

// reaching is that a count comes to a call (engine.Awaited).
type reaching struct {
	m    *memory
	word *atomic.Uint32
	goal uint32
}

func (w *reaching) Ready() bool { return int32(w.word.Load()-w.goal) >= 0 }

func (w *reaching) Sleep(d time.Duration) { w.m.sleep(w.word, w.Ready, d) }

// reach waits until word, of the stream t, has come to goal.
func (x *sharing[T]) reach(t *stream, word *atomic.Uint32, goal uint32) error {
	w := &t.reaching
	w.word, w.goal = word, goal
	if w.Ready() {
		return nil
	}
	return x.r.waitFor(x.ctx, w)
}

// flows returns the stream that the call goes by, nil if none. All ranks say the same.
func (x *sharing[T]) flows() *stream {
	var zero T
	n := x.longest()
	switch x.call.Op {
	case schedule.Scatter, schedule.ReduceScatter:
		n = x.blocks() // a region has them all
	case schedule.Bcast, schedule.Reduce, schedule.Gather, schedule.Scan, schedule.ExScan:
	default:
		return nil
	}
	switch bytes := n*int(unsafe.Sizeof(zero)) + streamHead; {
	case bytes <= x.m.brief.region:
		return &x.m.brief
	case bytes <= x.m.long.region && bytes <= streamMost:
		return &x.m.long
	}
	return nil
}

// blocks is how many elements the blocks of all ranks have.
func (x *sharing[T]) blocks() (n int) {
	for r := range x.call.Size {
		n += x.call.BlockLen(r)
	}
	return n
}

// streamMost is up to which length of a region calls go by a stream: longer ones gain nothing
// from running ahead, and would fill caches with slots.
const streamMost = 4<<10 + streamHead

// flow carries the call out by the stream t.
func (x *sharing[T]) flow(t *stream) error {
	call := t.calls
	t.calls++
	if err := x.makeRoom(t, call); err != nil {
		return err
	}
	at := t.base[int(call&(t.slots-1))*t.slot:]
	x.base, x.stride, x.lead = at, t.stride, streamHead
	me, p, print := x.call.Rank, x.call.Size, x.print&printMask
	own := t.head(at, me)
	x.give()
	own.Store(uint64(call+1)<<32 | print)
	x.m.wake(upper(own))
	for from := range p {
		if from == me || !x.needs(from) {
			continue
		}
		head := t.head(at, from)
		if err := x.reach(t, upper(head), call+1); err != nil {
			return err
		}
		if head.Load()&printMask != print {
			return errUnequal
		}
	}
	x.take()
	// Who waits for room waits for the slowest, who has told of all its calls but the last
	// few, fewer than there are slots; so it does not wait for the one who waits.
	if (call+1)&(t.telling-1) == 0 {
		t.done[me].Store(call + 1)
		x.m.wake(t.done[me])
	}
	return nil
}

// makeRoom returns once no rank looks at the slot of a call any more, which another
// call has had before.
func (x *sharing[T]) makeRoom(t *stream, call uint32) error {
	if call-t.slowest < t.slots {
		return nil
	}
	lowest := call
	for r, done := range t.done {
		if r == x.call.Rank {
			continue
		}
		if err := x.reach(t, done, call+1-t.slots); err != nil {
			return err
		}
		if n := done.Load(); int32(n-lowest) < 0 {
			lowest = n
		}
	}
	t.slowest = lowest
	return nil
}

// needs reports whether this rank looks at what another has written.
func (x *sharing[T]) needs(from int) bool {
	switch x.call.Op {
	case schedule.Bcast, schedule.Scatter:
		return from == x.call.Root
	case schedule.Reduce, schedule.Gather:
		return x.isRoot()
	case schedule.ReduceScatter:
		return x.call.BlockLen(x.call.Rank) > 0
	}
	return from < x.call.Rank // a scan
}

// give writes what others need of this rank to its region.
func (x *sharing[T]) give() {
	me := x.call.Rank
	switch x.call.Op {
	case schedule.Bcast:
		if x.isRoot() {
			buf := x.at(x.call.Output())
			copy(x.part(me, 0, len(buf)), buf)
		}
	case schedule.Scatter:
		if x.isRoot() {
			x.giveBlocks()
		}
	case schedule.ReduceScatter:
		x.giveBlocks()
	default:
		in := x.at(x.call.Input())
		copy(x.part(me, 0, len(in)), in)
	}
}

// giveBlocks writes the blocks of all ranks, one behind the other.
func (x *sharing[T]) giveBlocks() {
	off := 0
	for to := range x.call.Size {
		n := x.call.BlockLen(to)
		copy(x.part(x.call.Rank, off, n), x.at(x.call.Block(to)))
		off += n
	}
}

// before is how many elements the blocks of lower ranks have.
func (x *sharing[T]) before() (n int) {
	for r := range x.call.Rank {
		n += x.call.BlockLen(r)
	}
	return n
}

// take reads what this rank needs of others.
func (x *sharing[T]) take() {
	me, out := x.call.Rank, x.at(x.call.Output())
	switch x.call.Op {
	case schedule.Bcast:
		if !x.isRoot() {
			copy(out, x.part(x.call.Root, 0, len(out)))
		}
	case schedule.Scatter:
		if !x.isRoot() || !x.call.InPlace {
			copy(out, x.part(x.call.Root, x.before(), len(out)))
		}
	case schedule.Gather:
		if x.isRoot() {
			for from := range x.call.Size {
				if from != me || !x.call.InPlace {
					to := x.at(x.call.Block(from))
					copy(to, x.part(from, 0, len(to)))
				}
			}
		}
	case schedule.Reduce:
		if x.isRoot() {
			x.combine(out, 0)
		}
	case schedule.ReduceScatter:
		x.combine(out, x.before())
	case schedule.Scan:
		x.prefix(out, me+1)
	case schedule.ExScan:
		if me > 0 {
			x.prefix(out, me)
		}
	}
}
