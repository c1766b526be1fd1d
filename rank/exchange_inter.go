package rank

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/muster-mpi/muster/internal/engine"
	"github.com/muster-mpi/muster/internal/record"
	"github.com/muster-mpi/muster/internal/wire"
)

// exchangeBoth is exchange among all ranks of both sides of an intercommunicator:
// each side gathers, the ranks 0 swap, and each side spreads. A side whose ranks
// disagree says so to the other by a table that is empty. Steps: 3⌈log₂ p⌉ + 1.
func (c *Comm) exchangeBoth(ctx context.Context, tag Tag, mine offer) (ours, theirs []offer, err error) {
	at := sideTag(tag)
	ours, err = c.side.exchange(ctx, all(c.Size()), c.self, at, mine)
	if errors.Is(err, ErrMismatch) && c.self == 0 {
		_, _ = c.swap(ctx, mine.op, 0, tag, nil) // err is what is told
	}
	if err != nil {
		return nil, nil, err
	}
	var table []byte
	if c.self == 0 {
		for i := range ours {
			table = ours[i].append(table)
		}
		table, err = c.swap(ctx, mine.op, 0, tag, table)
	}
	if table, err = c.side.spread(ctx, mine.op, 0, at, table, err); err != nil {
		return nil, nil, err
	}
	if len(table) != c.remote.Size()*offerBytes {
		return nil, nil, fmt.Errorf("%w: the other group's ranks do not make the same call", ErrMismatch)
	}
	theirs, err = c.parseOffers(table, mine.op, func(i int) string { return fmt.Sprintf("rank %d of the other group", i) })
	return ours, theirs, err
}

// swap sends mine to a rank of c that does the same and returns what that sent.
func (c *Comm) swap(ctx context.Context, op record.Op, peer int, tag Tag, mine []byte) ([]byte, error) {
	lib := c.in(wire.Library)
	lib.SetErrorPolicy(ReturnErrors)
	out := slice(mine)
	r := lib.isend(op, engine.Standard, peer, tag, &out)
	if err := r.early(); err != nil {
		return nil, err
	}
	theirs, err := lib.take(ctx, op, peer, tag, false)
	if err != nil {
		_ = r.Free()
		return nil, err
	}
	_, err = r.Conclude(ctx)
	return theirs, err
}

// spread gives all ranks of c what root has, or its error. Steps: ⌈log₂ p⌉.
func (c *Comm) spread(ctx context.Context, op record.Op, root int, tag Tag, b []byte, err error) ([]byte, error) {
	lib := c.in(wire.Library)
	lib.SetErrorPolicy(ReturnErrors)
	p := c.Size()
	me, mask := (c.self-root+p)%p, 1 // me counts from root
	for mask < p && me&mask == 0 {
		mask <<= 1
	}
	var word []byte
	if me == 0 {
		word = outcome(b, err)
	} else if word, err = lib.take(ctx, op, (me&^mask+root)%p, tag, false); err != nil {
		return nil, err
	}
	for mask >>= 1; mask > 0; mask >>= 1 {
		if me+mask < p {
			out := slice(word)
			if err := lib.send(ctx, op, engine.Standard, (me+mask+root)%p, tag, &out); err != nil {
				return nil, err
			}
		}
	}
	if me == 0 {
		return b, err
	}
	return result(word, root)
}

// spreadable are the classes of errors that a rank can have alone in the middle of
// a creation call, numbered from 1 in an outcome; 0 is none.
var spreadable = []error{ErrComm, ErrFreed, ErrRank, ErrTag, ErrGroup, ErrMismatch, ErrFailed, ErrCancelled, ErrAborted, ErrLeft}

// outcome encodes a result and error as one message.
func outcome(b []byte, err error) []byte {
	if err == nil {
		return append([]byte{0}, b...)
	}
	class := slices.IndexFunc(spreadable, func(class error) bool { return errors.Is(err, class) })
	if class < 0 {
		class = slices.Index(spreadable, ErrMismatch)
	}
	return append([]byte{byte(class + 1)}, err.Error()...)
}

// result decodes an outcome that a rank has spread.
func result(word []byte, from int) ([]byte, error) {
	switch {
	case len(word) == 0 || int(word[0]) > len(spreadable):
		return nil, fmt.Errorf("%w: an outcome of %d bytes", ErrMismatch, len(word))
	case word[0] == 0:
		return word[1:], nil
	}
	return nil, fmt.Errorf("%w, as rank %d found: %s", spreadable[word[0]-1], from, word[1:])
}
