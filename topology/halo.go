package topology

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"unsafe"

	"github.com/muster-mpi/muster/datatype"
	"github.com/muster-mpi/muster/rank"
)

// Layers says how the part of an array lies that a rank holds: its own elements, Inner[d]
// of them in dimension d, and around them Width ghost layers on every side, which are
// copies of what the neighbours hold. In memory it is row-major, of Inner[d]+2·Width
// elements in dimension d.
type Layers struct {
	Inner []int
	Width int
	// Corners has the ghosts filled that lie off the edge in several dimensions, which a
	// stencil with diagonal terms reads. The dimensions then follow one another, and less
	// of the exchange overlaps with computation. Without it they are not touched.
	Corners bool
}

// shape returns the extents in memory.
func (l *Layers) shape() []int {
	shape := make([]int, len(l.Inner))
	for d, n := range l.Inner {
		shape[d] = n + 2*l.Width
	}
	return shape
}

// elements returns how many elements shape has, or what is wrong with l on t.
func (l *Layers) elements(t *Cart) (int, error) {
	if len(l.Inner) != len(t.grid.dims) {
		return 0, wrong("Inner has %d dimensions, the grid %d", len(l.Inner), len(t.grid.dims))
	}
	if l.Width < 1 {
		return 0, wrong("Width is %d, want 1 or more", l.Width)
	}
	const limit = int(^uint(0)>>1) / 2
	n := 1
	for d, k := range l.Inner {
		switch {
		case k < l.Width:
			return 0, wrong("Inner[%d] is %d, want Width = %d or more: ghosts are filled from the nearest neighbour", d, k, l.Width)
		case k > limit || l.Width > limit/2 || n > limit/(k+2*l.Width):
			return 0, wrong("an array of %v and %d ghost layers has more elements than an int counts", slices.Clone(l.Inner), l.Width)
		}
		n *= k + 2*l.Width
	}
	return n, nil
}

// Halo fills the ghost layers of arrays from the neighbours in a grid: after an
// Exchange a rank's ghosts are what its neighbours hold there, across periodic edges
// too. Ghosts off an edge that is not periodic are not touched; they are where boundary
// values stand. Elements go from where they lie to where they belong without being
// packed, and an exchange allocates nothing.
//
// Its methods are for one goroutine at a time, and one exchange is under way at most.
type Halo[T any] struct {
	comm     *rank.Comm
	arrays   [][]T
	rounds   [][][]transfer[T] // by array, by round: what may be under way together
	at       int               // array of the exchange under way; -1: none
	round    int
	requests []rank.Request
	err      error // of the exchange under way
}

// transfer is one message of an exchange.
type transfer[T any] struct {
	peer int
	tag  rank.Tag
	send bool
	view datatype.View[T]
}

// NewHalo returns the Halo of arrays, each laid out as layers says on this rank; ranks
// beside each other in the grid must agree on Width, Corners and on all of Inner but in
// the dimension in which they are neighbours. A program that alternates between two
// arrays gives both.
//
// All ranks of cart.Comm() must call it, as a creation call on that: the Halo's messages
// have a communicator of their own, which Free frees. Errors: ErrArgument for layers that
// do not fit cart or an array; datatype.ErrType; those of Dup.
func NewHalo[T any](ctx context.Context, cart *Cart, layers Layers, arrays ...[]T) (*Halo[T], error) {
	c := cart.Comm()
	if c == nil {
		return nil, fail("NewHalo", nil, rank.ErrComm)
	}
	h := &Halo[T]{at: -1}
	err := h.bind(cart, &layers, arrays)
	if err = sound(ctx, c, err); err != nil {
		return nil, fail("NewHalo", c, err)
	}
	if h.comm, err = c.Dup(ctx); err != nil {
		return nil, err
	}
	h.comm.SetName(c.Name() + "'s halo")
	return h, nil
}

// bind finds out what is sent and received for each array.
func (h *Halo[T]) bind(cart *Cart, layers *Layers, arrays [][]T) error {
	n, err := layers.elements(cart)
	if err == nil {
		err = datatype.Check[T]()
	}
	if err != nil {
		return err
	}
	most := 0
	for i, a := range arrays {
		if len(a) != n {
			return wrong("array %d has %d elements, want %d: %v and %d ghost layers on every side", i, len(a), n, slices.Clone(layers.Inner), layers.Width)
		}
		rounds := transfers(cart, layers, a)
		for _, r := range rounds {
			most = max(most, len(r))
		}
		h.arrays, h.rounds = append(h.arrays, a), append(h.rounds, rounds)
	}
	h.requests = make([]rank.Request, 0, most)
	return nil
}

// transfers lists the messages of an exchange of a by rounds. With corners there is one
// for each dimension, and what it carries includes the ghosts that earlier ones have
// filled, so that a corner comes by way of the neighbours between.
func transfers[T any](cart *Cart, l *Layers, a []T) [][]transfer[T] {
	shape, w := l.shape(), l.Width
	var rounds [][]transfer[T]
	for d := range shape {
		start, size := make([]int, len(shape)), slices.Clone(l.Inner)
		for e := range shape {
			start[e] = w
			if l.Corners && e < d { // filled by now, where there are neighbours
				if cart.in[2*e].Rank != rank.Null {
					start[e], size[e] = 0, size[e]+w
				}
				if cart.in[2*e+1].Rank != rank.Null {
					size[e] += w
				}
			}
		}
		size[d] = w
		slab := func(from int) datatype.View[T] {
			start[d] = from
			return datatype.Subarray(a, shape, start, size)
		}
		ghosts := [2]int{0, w + l.Inner[d]}
		edges := [2]int{w, l.Inner[d]}
		var receives, sends []transfer[T]
		for s := range 2 {
			in, out := cart.in[2*d+s], cart.out[2*d+s]
			if in.Rank != rank.Null {
				receives = append(receives, transfer[T]{in.Rank, rank.Tag(in.Pair), false, slab(ghosts[s])})
				sends = append(sends, transfer[T]{out.Rank, rank.Tag(out.Pair), true, slab(edges[s])})
			}
		}
		if l.Corners || d == 0 {
			rounds = append(rounds, nil)
		}
		last := &rounds[len(rounds)-1]
		*last = slices.Concat(*last, receives, sends)
	}
	return rounds
}

// Exchange returns when the ghosts of array, one of those given to NewHalo, are what the
// neighbours held there when they called it. All ranks call it, in the same order among
// exchanges of h; a rank waits for its neighbours only. If ctx ends first the exchange
// is given up, with ErrCancelled, and h must not be used any more. Errors: ErrArgument for
// another array; ErrActive; ErrMismatch if a neighbour's part has another size; those of
// Send and Recv.
func (h *Halo[T]) Exchange(ctx context.Context, array []T) error {
	if err := h.Start(array); err != nil {
		return err
	}
	err := h.Wait(ctx)
	if h.at >= 0 {
		h.giveUp()
		return fail("Exchange", h.comm, fmt.Errorf("%w: %w", rank.ErrCancelled, context.Cause(ctx)))
	}
	return err
}

// Start starts an Exchange and returns at once. Until Wait has returned, no element of
// array within Width of its own edge may be written, and no ghost read: the inner part
// can be computed with meanwhile. Errors: as Exchange.
func (h *Halo[T]) Start(array []T) error {
	if h.at >= 0 {
		return fail("Start", h.comm, rank.ErrActive)
	}
	i := slices.IndexFunc(h.arrays, func(a []T) bool {
		return len(a) == len(array) && unsafe.SliceData(a) == unsafe.SliceData(array)
	})
	if i < 0 {
		return fail("Start", h.comm, wrong("the array is none of those given to NewHalo"))
	}
	h.at, h.round, h.err = i, 0, nil
	h.begin()
	return nil
}

// begin starts the messages of the round.
func (h *Halo[T]) begin() {
	h.requests = h.requests[:0]
	if h.round == len(h.rounds[h.at]) {
		return // a grid without dimensions
	}
	for _, t := range h.rounds[h.at][h.round] {
		if t.send {
			h.requests = append(h.requests, rank.IsendView(h.comm, t.peer, t.tag, t.view))
		} else {
			h.requests = append(h.requests, rank.IrecvView(h.comm, t.peer, t.tag, t.view))
		}
	}
}

// Wait returns when the exchange under way is done; at once if there is none. With
// Corners it also starts the messages of the dimensions after the first. If ctx ends
// first the error is ErrPending with its cause, and the exchange goes on: wait again.
// Errors: as Exchange.
func (h *Halo[T]) Wait(ctx context.Context) error {
	for h.at >= 0 {
		for i := range h.requests {
			s, err := h.requests[i].Wait(ctx)
			if errors.Is(err, rank.ErrPending) {
				return err
			}
			h.requests[i] = rank.Request{}
			if h.err == nil {
				h.err = h.judge(i, s, err)
			}
		}
		h.round++
		if h.err != nil || h.round >= len(h.rounds[h.at]) {
			h.at = -1
			return h.err
		}
		h.begin()
	}
	return nil
}

// judge returns what is wrong with the i-th message of the round, which has ended with s
// and err.
func (h *Halo[T]) judge(i int, s rank.Status, err error) error {
	t := &h.rounds[h.at][h.round][i]
	switch {
	case errors.Is(err, rank.ErrTruncated):
		return h.unequal(t, "more than", t.view.Len())
	case err != nil || t.send || s == (rank.Status{Source: rank.AnySource, Tag: rank.AnyTag}):
		return err // the last: it had ended before an earlier Wait was given up
	case s.Len != t.view.Len():
		return h.unequal(t, "", s.Len)
	}
	return nil
}

// unequal is the error of a message of n elements, or of more than n, where t has others.
func (h *Halo[T]) unequal(t *transfer[T], more string, n int) error {
	if more != "" {
		more += " "
	}
	err := fmt.Errorf("%w: rank %d sends %s%d ghosts, want %d; its Inner or Width differ", rank.ErrMismatch, t.peer, more, n, t.view.Len())
	return fail("Exchange", h.comm, err)
}

// over is a context that has ended: Conclude with it takes back what can be.
var over = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// giveUp takes back what is under way, so that nothing touches the array any more.
func (h *Halo[T]) giveUp() {
	for i := range h.requests {
		if !h.requests[i].IsNull() {
			h.requests[i].Conclude(over)
			h.requests[i] = rank.Request{}
		}
	}
	h.at = -1
}

// Free frees what h has of its own; no exchange is under way. All ranks must call it.
func (h *Halo[T]) Free() error {
	if h.at >= 0 {
		return fail("Free", h.comm, rank.ErrActive)
	}
	return h.comm.Free()
}
