package rank

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/muster-mpi/muster/internal/engine"
	"github.com/muster-mpi/muster/internal/record"
	"github.com/muster-mpi/muster/internal/wire"
)

// Making a communicator takes one exchange among its future members or its
// parent's: everyone learns what everyone brings. It is a binomial gather and
// broadcast of this package's own: collectives stand above this package and
// need a communicator to run on.

// offer is what one rank brings to a creation call.
type offer struct {
	op    record.Op        // which call; all must make the same
	id    engine.ContextID // of the new communicator, should this rank lead it
	color int64
	key   int64
	group uint64 // fingerprint of the group argument
}

const offerBytes = 1 + engine.ContextIDBytes + 8 + 8 + 8

func (o *offer) append(b []byte) []byte {
	b = append(b, byte(o.op))
	b = o.id.Append(b)
	b = binary.LittleEndian.AppendUint64(b, uint64(o.color))
	b = binary.LittleEndian.AppendUint64(b, uint64(o.key))
	return binary.LittleEndian.AppendUint64(b, o.group)
}

func (o *offer) parse(b []byte) error {
	id, err := engine.ParseContextID(b[1 : 1+engine.ContextIDBytes])
	rest := b[1+engine.ContextIDBytes:]
	*o = offer{
		op: record.Op(b[0]), id: id,
		color: int64(binary.LittleEndian.Uint64(rest)),
		key:   int64(binary.LittleEndian.Uint64(rest[8:])),
		group: binary.LittleEndian.Uint64(rest[16:]),
	}
	return err
}

// exchange returns the offers of members, ranks of c, in their order. Each
// member calls it with its own place in the list. tag pairs the calls up.
// Steps: 2⌈log₂ p⌉.
func (c *Comm) exchange(ctx context.Context, members []int, me int, tag Tag, mine offer) ([]offer, error) {
	lib := c.in(wire.Library)
	lib.SetErrorPolicy(ReturnErrors) // it is the caller who fails
	p := len(members)
	// table holds the offers of members me, me+1, …, as the tree below brings
	// them: the subtree of me is a run of members.
	table := mine.append(nil)
	mask := 1
	for ; mask < p && me&mask == 0; mask <<= 1 {
		if me+mask < p {
			part, err := lib.take(ctx, mine.op, members[me+mask], tag, p == c.Size())
			if err != nil {
				return nil, err
			}
			table = append(table, part...)
		}
	}
	if me != 0 {
		parent := members[me&^mask]
		out := slice(table)
		if err := lib.send(ctx, mine.op, engine.Standard, parent, tag, &out); err != nil {
			return nil, err
		}
		var err error
		if table, err = lib.take(ctx, mine.op, parent, tag, p == c.Size()); err != nil {
			return nil, err
		}
	}
	for mask >>= 1; mask > 0; mask >>= 1 {
		if me+mask < p {
			out := slice(table)
			if err := lib.send(ctx, mine.op, engine.Standard, members[me+mask], tag, &out); err != nil {
				return nil, err
			}
		}
	}
	if len(table) != p*offerBytes {
		return nil, fmt.Errorf("%w: %d bytes from %d ranks, want %d: they do not agree who takes part", ErrMismatch, len(table), p, p*offerBytes)
	}
	return c.parseOffers(table, mine.op, func(i int) string { return fmt.Sprintf("rank %d", members[i]) })
}

// parseOffers returns the offers in table. All must be of op; who names the rank of
// one.
func (c *Comm) parseOffers(table []byte, op record.Op, who func(i int) string) ([]offer, error) {
	offers := make([]offer, len(table)/offerBytes)
	for i := range offers {
		if err := offers[i].parse(table[i*offerBytes:][:offerBytes]); err != nil {
			return nil, err
		}
		if offers[i].op != op {
			return nil, fmt.Errorf("%w: rank %d calls %v, %s calls %v", ErrMismatch, c.self, op, who(i), offers[i].op)
		}
	}
	return offers, nil
}

// take receives a message of any length from source.
// With all it fails as soon as any rank of c has: who gave an exchange up for
// that reason sends nothing more.
func (c *Comm) take(ctx context.Context, op record.Op, source int, tag Tag, all bool) ([]byte, error) {
	env := c.envelope(op, engine.Standard, source, tag, new(payload))
	env.All = all
	m, s, err := c.job.engine.Probe(ctx, env, true)
	if err != nil {
		return nil, c.fail(op.String(), source, AnyTag, err)
	}
	b := make([]byte, s.Bytes)
	in := slice(b)
	_, err = (&Message{c, m, statusOf(s, 1)}).recv(ctx, op, &in)
	return b, err
}
