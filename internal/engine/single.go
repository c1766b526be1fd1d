package engine

import (
	"fmt"
	"math/bits"
	"slices"
	"sync/atomic"

	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/transport"
	"github.com/muster-mpi/muster/internal/wire"
)

// A large message between two ranks of a host is copied once, from the sender's
// buffer to the receiver's, over a link that can (transport.Direct). The Offer
// says where the payload lies, so the receiver needs nobody to copy it. If the
// sender has time as well, the two share the work: the message counts as parts,
// of which the receiver claims the next from the front and the sender from the
// back, in one word of memory that they share, until the two meet.
//
//	Offer   sender's address; pushes, if its buffer has many runs and it has to copy
//	Grant   receiver's address, which word, its round; only if both may copy
//	Pulled  how much the receiver has copied and how much it wanted; ends the send
//	Pushed  how much the sender has copied; only if any
//
// Each end completes when what it copied and what the other says it copied make
// up the whole.

// A part is large enough that the system call to copy it does not show. Of a
// message alone there are two at least, so that the two ends finish together: 256 KiB
// one way in parts of a half, a quarter and an eighth take 13, 17 and 22 µs. Where
// several wait, an end that takes a whole one leaves the next to the other.
const (
	minPart = 32 << 10
	maxPart = 256 << 10
)

// partOf is how many bytes a part of a message of n bytes has; least is minPart
// but in tests.
func partOf(n, least int, alone bool) int {
	part := min(n, maxPart)
	if alone {
		part = min(max(n/2, least), maxPart)
	}
	for (n-1)/part >= maxParts {
		part *= 2
	}
	return part
}

// pushes is what an Offer has in place of an address when only the sender can
// copy: a system call takes many runs of the memory of its own process, and one of
// the other's.
const pushes = 1

// minGrain is the average run from which on a system call is worth its list of
// runs; shorter ones are packed into the link.
const minGrain = 256

// A claim word is round<<32 | parts claimed from the back<<16 | from the front.
// The round tells transfers that use the word one after the other apart: a sender
// that comes late finds another one and takes nothing.
const maxParts = 1<<16 - 1

// move is one end of a message that is copied once.
type move struct {
	link   transport.Direct
	addr   uint64 // of the peer's buffer
	part   int    // bytes of a part
	word   *atomic.Uint64
	round  uint32
	slot   int  // of a receive: 1 + number of word; 0: none
	next   int  // without a word: the first part not claimed
	turn   int  // bytes copied in this turn, about
	busy   int  // parts that goroutines of this rank copy now
	done   int  // bytes copied here
	other  int  // bytes copied by the peer, as it says; -1: it has not said
	over   bool // this end claims no more
	told   bool // and has told the peer what it copied
	broken bool // it waits for its end: a copy has failed, or it was abandoned
}

// road is what a rank knows of copying between its memory and a peer's.
type road struct {
	link   transport.Direct // nil: there is no such road
	known  bool             // link is valid
	taken  uint16           // claim words of messages to this rank in use
	rounds [transport.ClaimWords]uint32
	pulls  int // messages that are being pulled from the peer
}

// direct returns p's link if it can copy from memory to memory. Engine.mu is
// held.
func (e *Engine) direct(p *peer) transport.Direct {
	if !p.road.known && e.started.Load() {
		p.road.link, _ = e.route(p.rank).(transport.Direct)
		p.road.known = true
	}
	return p.road.link
}

// pull begins to copy the message of the Offer h, which op has matched, from its
// sender's memory; false if there is no road. Engine.mu is held.
func (e *Engine) pull(op *Op, p *peer, h *wire.Header, want int, err error) bool {
	if h.Arg == 0 || want == 0 || h.Arg+uint64(want) < h.Arg {
		return false
	}
	link := e.direct(p)
	if link == nil || op.env.Buf.Grain() < min(minGrain, want) {
		return false
	}
	op.want, op.remote, op.err = want, h.ID, err
	op.move = move{link: link, addr: h.Arg, part: partOf(want, e.part, len(e.moves) == 0)}
	e.share(op, p)
	if h.Arg == pushes && op.move.slot == 0 {
		op.move = move{}
		return false
	}
	op.phase = pulling
	p.road.pulls++
	if h.Arg == pushes {
		op.move.over = true
		e.concludeMove(op)
	} else {
		e.begin(op)
	}
	return true
}

// reach returns what the Offer of a message to p says of how to copy it. Engine.mu
// is held.
func (e *Engine) reach(p *peer, buf layout.Buffer) uint64 {
	link := e.direct(p)
	if link == nil || buf.Len() == 0 {
		return 0
	}
	if addr := link.Reach(p.rank, buf); addr != 0 || e.cfg.Crowded || buf.Grain() < minGrain {
		return addr
	}
	if _, out := link.Claims(p.rank); out == nil || link.Reach(p.rank, layout.Of(buf.Run(0))) == 0 {
		return 0
	}
	return pushes
}

// begin puts op among those that have parts to be copied. Engine.mu is held.
func (e *Engine) begin(op *Op) {
	e.moves = append(e.moves, op)
	e.nmoves.Add(1)
	if e.dozing {
		// A call that does not wait, such as Irecv of a message offered before, copies
		// one part and returns. No bell rings for the rest: the tick sees to it.
		e.rouse()
	}
}

// share invites the sender to copy as well, if that can pay and a word is free by
// which to share the work. Engine.mu is held.
func (e *Engine) share(op *Op, p *peer) {
	if e.cfg.Crowded || op.want <= e.part {
		return
	}
	in, _ := op.move.link.Claims(p.rank)
	addr := op.move.link.Reach(p.rank, op.env.Buf)
	slot := bits.TrailingZeros16(^p.road.taken)
	if in == nil || addr == 0 || slot >= transport.ClaimWords {
		return
	}
	p.road.taken |= 1 << slot
	p.road.rounds[slot]++
	v := &op.move
	v.word, v.slot, v.round, v.other = &in[slot], slot+1, p.road.rounds[slot], -1
	v.word.Store(uint64(v.round) << 32)
	e.reply(p, frame{h: wire.Header{
		Kind: wire.Grant, ID: op.remote, Arg: op.id, Bytes: uint64(op.want),
		Tag: int64(addr), Context: uint32(v.slot), Layout: v.round, Source: uint32(v.part),
	}})
}

// push begins to copy parts of a message whose receiver pulls and has invited
// this rank to help. Engine.mu is held.
func (e *Engine) push(op *Op, p *peer, h *wire.Header) error {
	link := e.direct(p)
	if link == nil || h.Context < 1 || h.Context > transport.ClaimWords || uint64(h.Tag)+h.Bytes < h.Bytes ||
		h.Source < 1 || (h.Bytes-1)/uint64(h.Source) >= maxParts {
		return fmt.Errorf("%w: Grant to push to address %#x by word %d in parts of %d bytes", ErrProtocol, h.Tag, h.Context, h.Source)
	}
	_, out := link.Claims(p.rank)
	if out == nil || e.cfg.Crowded {
		return nil // the receiver does it all
	}
	op.phase, op.remote, op.want = pushing, h.Arg, int(h.Bytes)
	op.move = move{
		link: link, addr: uint64(h.Tag), part: int(h.Source),
		word: &out[h.Context-1], round: h.Layout, other: -1,
	}
	e.begin(op)
	return nil
}

// claim takes the next part of op's message for this end; false if none is left.
// Engine.mu is held.
func (op *Op) claim() (off, end int, ok bool) {
	v, i := &op.move, 0
	part := v.part
	parts := (op.want + part - 1) / part
	if v.word == nil {
		if i = v.next; i == parts {
			return 0, 0, false
		}
		v.next++
	} else {
		for {
			w := v.word.Load()
			front, back := int(w&0xffff), int(w>>16&0xffff)
			if uint32(w>>32) != v.round || front+back >= parts {
				return 0, 0, false
			}
			step := uint64(1)
			if i = front; op.phase == pushing {
				i, step = parts-1-back, 1<<16
			}
			if v.word.CompareAndSwap(w, w+step) {
				break
			}
		}
	}
	return i * part, min((i+1)*part, op.want), true
}

// move copies one part of a message and reports whether there was one. Engine.mu
// is not held.
func (e *Engine) move() bool {
	e.mu.Lock()
	if len(e.moves) == 0 {
		e.mu.Unlock()
		return false
	}
	op := e.next()
	off, end, ok := op.claim()
	if !ok {
		e.claimed(op)
		e.mu.Unlock()
		return true
	}
	v := &op.move
	v.busy++
	link, peer, addr := v.link, op.peer, v.addr+uint64(off)
	buf := op.env.Buf.Slice(off, end)
	pulls := op.phase == pulling
	e.mu.Unlock()
	var err error
	if pulls {
		err = link.Pull(peer, buf, addr)
	} else {
		err = link.Push(peer, addr, buf)
	}
	e.mu.Lock()
	v.busy--
	if err != nil {
		// Mostly the peer has died. Whoever decides that ends op by Fail, or has
		// done so meanwhile and left it to us.
		v.over, v.broken = true, true
		e.leaveMoves(op)
		e.news(op.peer, fmt.Errorf("copying %d bytes: %w", end-off, err), false)
	} else {
		v.done += end - off
	}
	if v.over {
		e.concludeMove(op)
	}
	e.mu.Unlock()
	return true
}

// turnBytes is how much of a message is copied before another one has its turn.
const turnBytes = 2 << 20

// next returns the message to copy a part of: the oldest, so that each is complete
// as soon as can be, but a large one lets the others in now and then. Engine.mu is
// held.
func (e *Engine) next() *Op {
	op := e.moves[0]
	if op.move.turn += op.move.part; op.move.turn > turnBytes && len(e.moves) > 1 {
		op.move.turn = 0
		copy(e.moves, e.moves[1:])
		e.moves[len(e.moves)-1] = op
		op = e.moves[0]
	}
	return op
}

// claimed notes that no part of op's message is left for this end. Engine.mu is
// held.
func (e *Engine) claimed(op *Op) {
	op.move.over = true
	e.leaveMoves(op)
	e.concludeMove(op)
}

// leaveMoves takes op from those that have parts left. Engine.mu is held.
func (e *Engine) leaveMoves(op *Op) {
	if i := slices.Index(e.moves, op); i >= 0 {
		e.moves = slices.Delete(e.moves, i, i+1)
		e.nmoves.Add(-1)
	}
}

// concludeMove tells the peer what this end has copied, once it has copied all
// that it claimed, and completes op if the peer has as well. Engine.mu is held.
func (e *Engine) concludeMove(op *Op) {
	v := &op.move
	if v.busy > 0 {
		return
	}
	p := e.peer(op.peer)
	if err := e.gone(p); err != nil {
		e.endMove(op, err)
		return
	}
	if v.broken {
		return
	}
	if !v.told {
		v.told = true
		if op.phase == pulling {
			e.reply(p, frame{h: wire.Header{Kind: wire.Pulled, ID: op.remote, Bytes: uint64(v.done), Arg: uint64(op.want)}})
		} else if v.done > 0 {
			e.reply(p, frame{h: wire.Header{Kind: wire.Pushed, ID: op.remote, Bytes: uint64(v.done)}})
		}
	}
	switch sum := v.done + max(v.other, 0); {
	case op.phase == pushing && v.other < 0:
		// Pulled comes in any case, Pushed only if any.
	case sum == op.want:
		e.endMove(op, op.err)
	case v.other >= 0:
		e.news(p.rank, fmt.Errorf("%w: %d bytes copied here and %d by the peer, want %d together", ErrProtocol, v.done, v.other, op.want), false)
	}
}

// endMove completes op. Engine.mu is held.
func (e *Engine) endMove(op *Op, err error) {
	if op.phase == pulling {
		p := e.peer(op.peer)
		if op.move.slot > 0 {
			p.road.taken &^= 1 << (op.move.slot - 1)
			e.shareNext(p)
		}
		if p.road.pulls--; p.road.pulls == 0 && p.byeDue {
			p.byeDue = false
			e.sayBye(p, lastBye)
		}
	}
	e.finish(op, err)
}

// shareNext invites p to the first message that could not be shared before for
// want of a word, and that nobody has begun. Engine.mu is held.
func (e *Engine) shareNext(p *peer) {
	if e.gone(p) != nil {
		return
	}
	for _, op := range e.moves {
		if v := &op.move; op.phase == pulling && op.peer == p.rank && v.word == nil && v.next == 0 {
			e.share(op, p)
			return
		}
	}
}

// abandonMove ends op for want of its peer, or of the job, as soon as no
// goroutine of this rank copies. The peer can claim nothing any more; what it has
// claimed it may still be copying, if it lives. Engine.mu is held.
func (e *Engine) abandonMove(op *Op, err error) {
	v := &op.move
	if v.slot > 0 {
		// Never the word of a later message: its slot is ours until endMove.
		v.word.Store(uint64(v.round+1) << 32)
	}
	v.over, v.broken, op.err = true, true, err
	e.leaveMoves(op)
	if v.busy == 0 {
		e.endMove(op, err)
	}
}

// pulled handles the receiver's word on a message that was offered. Engine.mu is
// held.
func (e *Engine) pulled(p *peer, h *wire.Header) error {
	op := e.op(h.ID)
	switch {
	case op == nil || !op.send || op.peer != p.rank || h.Bytes > h.Arg || h.Arg > uint64(op.env.Buf.Len()):
	case op.phase == offered && !op.eager && h.Bytes == h.Arg:
		e.finish(op, nil)
		return nil
	case op.phase == pushing && op.move.other < 0 && h.Arg == uint64(op.want):
		op.move.other = int(h.Bytes)
		if op.move.over {
			e.concludeMove(op)
		}
		return nil
	}
	return fmt.Errorf("%w: Pulled %d bytes of %d for operation %#x, which offers no such", ErrProtocol, h.Bytes, h.Arg, h.ID)
}

// pushed handles the sender's word on a message that is pulled. Engine.mu is
// held.
func (e *Engine) pushed(p *peer, h *wire.Header) error {
	op := e.op(h.ID)
	if op == nil || op.phase != pulling || op.peer != p.rank || op.move.other >= 0 || op.move.slot == 0 || h.Bytes > uint64(op.want) {
		return fmt.Errorf("%w: Pushed %d bytes for operation %#x, which expects no such", ErrProtocol, h.Bytes, h.ID)
	}
	op.move.other = int(h.Bytes)
	if op.move.over {
		e.concludeMove(op)
	}
	return nil
}
