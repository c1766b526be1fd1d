package collectives

import (
	"context"
	"errors"
	"fmt"
	"math/bits"

	"github.com/muster-mpi/muster/collectives/schedule"
	"github.com/muster-mpi/muster/rank"
)

// ReduceObject returns at the root v₀ ⊕ v₁ ⊕ …, where a ⊕ b is merge(a, b), and
// elsewhere the zero T. The order is that of the ranks and the brackets are those of
// Reduce, whatever the root, so merge need not commute, and a merge with rounding
// gives the same in every run. It may change and return one of its arguments; with
// one that is a rank's own, the value that this rank gave is changed.
// What is merged may grow.
//
// Cost: ⌈log₂ p⌉ messages one after the other, of what has been merged so far, and a
// Bcast of 1 KiB by which all ranks learn whether it came to an end.
func ReduceObject[T any](ctx context.Context, c *rank.Comm, root int, v T, merge func(a, b T) T, opts ...Option) (T, error) {
	o, m, err := newMerging(ctx, c, "ReduceObject", root, v, merge, opts)
	var zero T
	if err != nil {
		return zero, err
	}
	if err := m.carryOut(opts); err != nil {
		return zero, err
	}
	if _, err := o.tell(root, nil, m.failure, o.more); err != nil || c.Rank() != root {
		return zero, err
	}
	return m.v, nil
}

// AllReduceObject returns v₀ ⊕ v₁ ⊕ … on every rank; as ReduceObject. All have it
// from the same encoding, also where a codec leaves something out.
//
// Cost: that of ReduceObject, and the Bcast is of the result.
func AllReduceObject[T any](ctx context.Context, c *rank.Comm, v T, merge func(a, b T) T, opts ...Option) (T, error) {
	o, m, err := newMerging(ctx, c, "AllReduceObject", 0, v, merge, opts)
	var zero T
	if err != nil {
		return zero, err
	}
	if err := m.carryOut(opts); err != nil {
		return zero, err
	}
	var b []byte
	if c.Rank() == 0 && m.failure == nil {
		b, m.failure = o.encode(m.v)
	}
	if b, err = o.tell(0, b, m.failure, o.more); err != nil {
		return zero, err
	}
	return o.decode(b, 0)
}

// merging is a reduction of objects in which this rank takes part.
type merging[T any] struct {
	*objects[T]
	root  int
	merge func(a, b T) T

	v       T     // merged so far
	failure error // why there is no v
}

// newMerging begins a reduction. It has one algorithm, in which messages have lengths that
// the receiver learns, so options that choose another are refused.
func newMerging[T any](ctx context.Context, c *rank.Comm, name string, root int, v T, merge func(a, b T) T, opts []Option) (*objects[T], *merging[T], error) {
	o, err := newObjects[T](ctx, c, name, root, opts)
	if err != nil {
		return nil, nil, err
	}
	var set settings
	set.settle(opts)
	switch {
	case merge == nil:
		err = fmt.Errorf("%w: merge is nil", rank.ErrArgument)
	case set.using != "" || set.segment != 0:
		err = fmt.Errorf("%w: %s has one algorithm, which is not chosen by options", rank.ErrArgument, name)
	}
	return o, &merging[T]{objects: o, root: root, merge: merge, v: v}, o.fail(err)
}

// carryOut merges the values of all ranks towards the root.
func (m *merging[T]) carryOut(opts []Option) error {
	var p plan[byte]
	p.begin(m.c, m.name, schedule.Reduce, opts)
	p.rooted(m.root)
	p.call.Count = -1 // each has its own
	p.op.Name = m.codec.Name
	size := p.call.Size
	places := 1 << (bits.Len(uint(size)) - 1)
	pairs := size - places
	p.byHand = func(r *run) error { return m.node(r, 0, places, pairs) }
	return p.do(m.ctx)
}

// firstOf returns the lowest rank of a place, if the first pairs places are pairs of
// neighbours.
func firstOf(place, pairs int) int { return place + min(place, pairs) }

// node merges the values of the ranks of count places, to which this one belongs, in
// the canonical brackets (algo.Canonical).
func (m *merging[T]) node(r *run, place, count, pairs int) error {
	me := m.c.Rank()
	lo, end := firstOf(place, pairs), firstOf(place+count, pairs)
	if count == 1 {
		if end-lo == 2 {
			return m.meet(r, lo, lo+1, end)
		}
		return nil
	}
	middle := place + count/2
	half := firstOf(middle, pairs)
	var err error
	if me < half {
		err = m.node(r, place, count/2, pairs)
	} else {
		err = m.node(r, middle, count/2, pairs)
	}
	if err != nil {
		return err
	}
	return m.meet(r, lo, half, end)
}

// meet brings together what the ranks from lo to half−1 have and what those from half
// to end−1 have. One of them holds it: the root if it is among them, or else the
// first.
func (m *merging[T]) meet(r *run, lo, half, end int) error {
	lower, upper := lo, half
	rootIsUpper := m.root >= half && m.root < end
	if m.root >= lo && m.root < half {
		lower = m.root
	} else if rootIsUpper {
		upper = m.root
	}
	me := m.c.Rank()
	switch {
	case me != lower && me != upper:
		return nil
	case me == lower && rootIsUpper:
		return m.send(r, upper)
	case me == upper && !rootIsUpper:
		return m.send(r, lower)
	}
	other := lower + upper - me
	v, failure, err := m.receive(r, other)
	switch {
	case err != nil:
		return err
	case m.failure != nil && (failure == nil || me == lower):
	case failure != nil:
		m.failure = failure
	case me == lower:
		m.v = m.merge(m.v, v)
	default:
		m.v = m.merge(v, m.v)
	}
	return nil
}

// send gives dest what this rank has merged, which it then has no more.
func (m *merging[T]) send(r *run, dest int) error {
	var b []byte
	if m.failure == nil {
		b, m.failure = m.encode(m.v)
	}
	head, body := headOf(b, m.failure)
	if err := r.await(rank.Isend(r.state.twin, dest, r.tag, head), dest); err != nil {
		return &peerError{dest, err}
	}
	if len(body) <= headRoom {
		return nil
	}
	if err := r.await(rank.Isend(r.state.twin, dest, r.tag+1, body[headRoom:]), dest); err != nil {
		return &peerError{dest, err}
	}
	return nil
}

// receive returns what source has merged, or why there is nothing.
func (m *merging[T]) receive(r *run, source int) (v T, failure, err error) {
	head := make([]byte, headSize)
	if err := r.await(rank.Irecv(r.state.twin, source, r.tag, head), source); err != nil {
		return v, nil, &peerError{source, err}
	}
	n, failed := lengthIn(head)
	b := make([]byte, n)
	copy(b, head[8:])
	if n > headRoom {
		if err := r.await(rank.Irecv(r.state.twin, source, r.tag+1, b[headRoom:]), source); err != nil {
			return v, nil, &peerError{source, err}
		}
	}
	if failed {
		return v, errors.New(string(b)), nil
	}
	if err := m.codec.Unmarshal(b, &v); err != nil {
		failure = fmt.Errorf("rank %d: %d bytes from rank %d as %T by %s: %w", m.c.Rank(), n, source, v, m.codec.Name, err)
	}
	return v, failure, nil
}
