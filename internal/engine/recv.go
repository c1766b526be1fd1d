package engine

import (
	"context"
	"fmt"

	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/match"
	"github.com/muster-mpi/muster/internal/wire"
)

// TruncatedError is ErrTruncated with its sizes in bytes.
type TruncatedError struct{ Sent, Room int }

func (t *TruncatedError) Error() string {
	return fmt.Sprintf("%v: %d bytes sent, room for %d", ErrTruncated, t.Sent, t.Room)
}

func (t *TruncatedError) Is(target error) bool { return target == ErrTruncated }

// TypeError is ErrType with the layouts of the elements sent and wanted, and
// whether each was an encoded object.
type TypeError struct {
	Sent, Want             uint32
	SentObject, WantObject bool
	Bytes                  int
}

func (t *TypeError) Error() string {
	return fmt.Sprintf("%v: layout %#x sent, %#x wanted", ErrType, t.Sent, t.Want)
}

func (t *TypeError) Is(target error) bool { return target == ErrType }

// Recv receives into env.Buf. If ctx ends before a message has matched, the
// error is ErrCancelled with ctx's cause; a message that has matched is
// received. When Recv returns nothing touches the buffer any more.
func (e *Engine) Recv(ctx context.Context, env *Envelope) (Status, error) {
	e.mu.Lock()
	op, err := e.post(env)
	if err != nil {
		e.mu.Unlock()
		return Status{}, err
	}
	if op.phase != complete && len(e.pollers) > 0 {
		e.watch(op)
	}
	if op.phase == complete {
		return e.collect(op)
	}
	ref := op.ref()
	e.mu.Unlock()
	e.Idle()
	return e.conclude(ctx, ref, false)
}

// Irecv starts a receive and returns at once. env.Buf belongs to the operation
// until it completes.
func (e *Engine) Irecv(env *Envelope) (Ref, error) {
	e.mu.Lock()
	op, err := e.post(env)
	if err != nil {
		e.mu.Unlock()
		return Ref{}, err
	}
	ref := op.ref()
	e.mu.Unlock()
	e.Idle()
	return ref, nil
}

// post starts a receive. Engine.mu is held.
func (e *Engine) post(env *Envelope) (*Op, error) {
	if err := e.usable(env.Context); err != nil {
		return nil, err
	}
	op := e.newRecv(env)
	op.recv.Source, op.recv.Tag = int32(env.Peer), env.Tag
	op.phase = posted
	if m := env.Context.spaces[env.Space].match.Post(&op.recv); m != nil {
		e.takeQueued(op, m.Ref.(*message))
	} else if e.failures.Load() > 0 {
		if err := e.unreachable(env); err != nil {
			env.Context.spaces[env.Space].match.Withdraw(&op.recv)
			e.finish(op, err)
		}
	}
	return op, nil
}

// newRecv makes the operation of a receive. Engine.mu is held.
func (e *Engine) newRecv(env *Envelope) *Op {
	op := e.newOp()
	op.take(env)
	op.peer, op.status = -1, Status{}
	env.Context.pending++
	op.slot = e.records.BeginLocked(env.What, env.Context.number, int32(env.Peer), env.shownTag(), int64(env.Buf.Len()))
	return op
}

// unreachable returns why nothing can match env, a receive or probe that found
// no message: its source has failed, or with AnySource a rank that might have
// been it. Engine.mu is held.
func (e *Engine) unreachable(env *Envelope) error {
	if e.failures.Load() == 0 {
		return nil
	}
	g := env.Context.group
	first, last := env.Peer, env.Peer
	if env.Peer == int(match.AnySource) || env.All {
		first, last = 0, g.Size()-1
	}
	for r := first; r <= last; r++ {
		if p := e.peers[g.World(r)].Load(); p != nil {
			if dead := p.dead.Load(); dead != nil {
				return *dead
			}
		}
	}
	return nil
}

// takeQueued gives a message that was queued to the receive that matches it.
// Engine.mu is held.
func (e *Engine) takeQueued(op *Op, m *message) {
	e.take(op, e.peer(m.peer), &m.head, layout.Of(m.data))
	e.dropMessage(m)
}

// take gives a message from p to the receive that matches it. payload is that of
// an eager one. Engine.mu is held.
func (e *Engine) take(op *Op, p *peer, h *wire.Header, payload layout.Buffer) {
	op.peer = p.rank
	want, err := op.admit(h)
	if h.Kind == wire.Eager {
		to, one := op.env.Buf.Plain()
		if from, plain := payload.Plain(); one && plain {
			copy(to[:want], from)
		} else {
			layout.Copy(op.env.Buf, 0, payload.Slice(0, want), 0)
		}
		e.owe(p, h)
		if h.Flags&wire.FlagSync != 0 {
			e.reply(p, frame{h: wire.Header{Kind: wire.Ack, ID: h.ID}})
		}
		e.finish(op, err)
		return
	}
	if dead := p.dead.Load(); dead != nil {
		e.finish(op, *dead)
		return
	}
	e.grant(op, p, h, want, err)
}

// admit fills op's status from the envelope of a message and returns how many
// bytes of it op takes, and with what error it will complete. Engine.mu is held.
func (op *Op) admit(h *wire.Header) (want int, err error) {
	env := &op.env
	n := int(h.Bytes)
	op.status = statusOf(h)
	if op.status.Object != env.Object && (n > 0 || env.Object) || n > 0 && (h.Layout != env.Layout && h.Layout != 0 && env.Layout != 0) {
		op.status.Bytes = 0
		return 0, &TypeError{h.Layout, env.Layout, op.status.Object, env.Object, n}
	}
	if room := env.Buf.Len(); n > room {
		op.status.Bytes = room
		return room, &TruncatedError{n, room}
	}
	return n, nil
}

// owe notes that the credit of an eager message is ours to give back, and does
// so once it is worth a frame. Engine.mu is held.
func (e *Engine) owe(p *peer, h *wire.Header) {
	if h.Kind == wire.Eager {
		p.owed += eagerCost(int(h.Bytes))
		if p.owed >= e.window/4 {
			e.reply(p, frame{h: wire.Header{Kind: wire.Credit, Bytes: uint64(p.owed)}})
			p.spent -= p.owed
			p.owed = 0
		}
	}
}

// cancelRecv withdraws a receive that nothing has matched. Engine.mu is held.
func (e *Engine) cancelRecv(op *Op) {
	if op.phase == posted && op.env.Context.spaces[op.env.Space].match.Withdraw(&op.recv) {
		op.status = EmptyStatus
		op.status.Cancelled = true
		e.finish(op, ErrCancelled)
	}
}
