package rank

import (
	"context"
	"fmt"

	"github.com/muster-mpi/muster/internal/engine"
	"github.com/muster-mpi/muster/internal/record"
)

// Creation calls on an intercommunicator work side by side: each side makes of its
// ranks what it would alone, and what both sides have made faces each other.

// part is the ranks of one side that go into a new intercommunicator.
type part struct {
	group *Group
	id    engine.ContextID // that the first of them brings
}

// pick returns the part of ranks of g, which is nil if there are none.
func pick(g *Group, offers []offer, ranks []int) (*part, error) {
	if len(ranks) == 0 {
		return nil, nil
	}
	group, err := g.Include(ranks...)
	return &part{group, offers[ranks[0]].id}, err
}

// joinParts makes the intercommunicator of ours, which this rank is in, and
// theirs; nil if one of them is.
func (c *Comm) joinParts(ours, theirs *part, name string) (*Comm, error) {
	if ours == nil || theirs == nil {
		return nil, nil
	}
	d := c.child(ours.group, name)
	d.face(theirs.group)
	if err := d.openInter(ours.id, theirs.id); err != nil {
		return nil, err
	}
	return d, nil
}

// dupInter finishes d, the duplicate of c.
func (c *Comm) dupInter(ctx context.Context, d *Comm, tag Tag, mine offer) error {
	ours, theirs, err := c.exchangeBoth(ctx, tag, mine)
	if err == nil {
		err = checkHooks(ours)
	}
	if err == nil {
		err = checkHooks(theirs)
	}
	if err != nil {
		return err
	}
	return d.openInter(ours[0].id, theirs[0].id)
}

// splitInter is Split of an intercommunicator.
func (c *Comm) splitInter(ctx context.Context, tag Tag, mine offer, name string) (*Comm, error) {
	ours, theirs, err := c.exchangeBoth(ctx, tag, mine)
	if err != nil {
		return nil, err
	}
	for _, offers := range [][]offer{ours, theirs} {
		if err := checkColors(offers); err != nil {
			return nil, err
		}
	}
	if mine.color == int64(Undefined) {
		return nil, nil
	}
	us, err := pick(c.group, ours, ofColor(ours, mine.color))
	if err != nil {
		return nil, err
	}
	them, err := pick(c.remote, theirs, ofColor(theirs, mine.color))
	if err != nil {
		return nil, err
	}
	return c.joinParts(us, them, name)
}

// createInter is Create of an intercommunicator.
func (c *Comm) createInter(ctx context.Context, tag Tag, group *Group, name string) (*Comm, error) {
	mine := offer{
		op: record.OpCreate, id: c.job.engine.NextID(), group: group.fingerprint(),
		color: int64(group.Size()), key: int64(group.Rank()),
	}
	ours, theirs, err := c.exchangeBoth(ctx, tag, mine)
	if err != nil {
		return nil, err
	}
	us, err := members(c.group, ours)
	if err != nil {
		return nil, err
	}
	them, err := members(c.remote, theirs)
	if err != nil {
		return nil, fmt.Errorf("the other group: %w", err)
	}
	if group.Rank() == Undefined {
		return nil, nil
	}
	return c.joinParts(us, them, name)
}

// members returns the part of g whose ranks are in the group that they offer.
func members(g *Group, offers []offer) (*part, error) {
	ranks, first := []int(nil), -1
	for r, o := range offers {
		if o.key < 0 {
			continue // in nobody's group
		}
		if first < 0 {
			first = r
			ranks = make([]int, len(offers))
			for i := range ranks {
				ranks[i] = Undefined
			}
		}
		if o.group != offers[first].group || o.color != offers[first].color || o.key >= int64(len(ranks)) {
			return nil, fmt.Errorf("%w: ranks %d and %d give groups that differ", ErrMismatch, first, r)
		}
		ranks[o.key] = r
	}
	if first < 0 {
		return nil, nil
	}
	n := offers[first].color
	if n > int64(len(ranks)) {
		return nil, fmt.Errorf("%w: that of rank %d has %d ranks, where there are %d", ErrGroup, first, n, len(ranks))
	}
	for i, r := range ranks[:n] {
		if r == Undefined {
			return nil, fmt.Errorf("%w: no rank is rank %d in that of rank %d", ErrGroup, i, first)
		}
	}
	return pick(g, offers, ranks[:n])
}
