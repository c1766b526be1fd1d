package rank

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"slices"

	"github.com/muster-mpi/muster/internal/engine"
	"github.com/muster-mpi/muster/internal/record"
)

// Dup returns a communicator over the same ranks with a matching space of its
// own, c's error policy, and the attributes that their Copy hooks give it, as they
// are when Dup is called (MPI_Comm_dup, MPI 4.1 §7.4.2). All ranks of c, of an
// intercommunicator those of both groups, must call it, in the same order among
// creation calls on c, and it waits for them. Errors: ErrMismatch if they do not
// make the same call, that of a Copy hook, ErrComm, ErrFreed, ErrFailed,
// ErrCancelled if ctx ends first; after one that not all ranks have, as the last
// two, c must not be used for creation calls any more. Cost: 2⌈log₂ p⌉ steps; on an
// intercommunicator 3⌈log₂ p⌉ + 1.
func (c *Comm) Dup(ctx context.Context) (*Comm, error) {
	d, finish, err := c.dup()
	if err != nil {
		return nil, err
	}
	if err := finish(ctx); err != nil {
		return nil, err
	}
	return d, nil
}

// Idup starts a Dup and returns at once (MPI_Comm_idup). The communicator can
// be used when the Request is complete without an error; until then its use is
// ErrComm. Calls by different ranks pair up by their order on c, so several may
// be under way. Errors, of the Request: as Dup; the communicator is nil if the
// call could not be started.
func (c *Comm) Idup() (*Comm, Request) {
	d, finish, err := c.dup()
	if err != nil {
		return nil, refused(err)
	}
	r, done := NewRequest(c)
	go func() { done(emptyStatus, finish(context.Background())) }()
	return d, r
}

// dup returns an unfinished duplicate and the function that finishes it.
func (c *Comm) dup() (*Comm, func(context.Context) error, error) {
	if err := c.usable("Dup"); err != nil {
		return nil, nil, err
	}
	n, tag := c.creation()
	d := c.child(c.group, fmt.Sprintf("%s/dup%d", c.Name(), n))
	d.pending.Store(true)
	if c.remote != nil {
		d.face(c.remote)
	}
	hook := c.copyAttributes(d)
	return d, func(ctx context.Context) error {
		err := c.finishDup(ctx, d, tag, hook != nil)
		if hook != nil {
			err = hook // which is why the call failed
		}
		if err != nil {
			return c.fail("Dup", Null, AnyTag, fmt.Errorf("creation call %d: %w", n, d.discard(err)))
		}
		return nil
	}, nil
}

// finishDup agrees on the context of d, the duplicate of c, and gives it to d. If
// any rank has given up it fails on all: the others are waiting.
func (c *Comm) finishDup(ctx context.Context, d *Comm, tag Tag, givenUp bool) error {
	c.job.engine.BeginCreation()
	defer c.job.engine.EndCreation()
	mine := offer{op: record.OpDup, id: c.job.engine.NextID()}
	if givenUp {
		mine.color = 1
	}
	if c.remote != nil {
		return c.dupInter(ctx, d, tag, mine)
	}
	offers, err := c.exchange(ctx, all(c.Size()), c.self, tag, mine)
	if err == nil {
		err = checkHooks(offers)
	}
	if err != nil {
		return err
	}
	return d.open(offers[0].id)
}

// checkHooks fails if a rank has given up.
func checkHooks(offers []offer) error {
	for r, o := range offers {
		if o.color != 0 {
			return fmt.Errorf("%w: an attribute's Copy hook fails on rank %d", ErrMismatch, r)
		}
	}
	return nil
}

// Split parts c: ranks that give the same color become a communicator, ordered
// by key and then by their rank in c; a rank that gives Undefined gets nil
// (MPI_Comm_split). On an intercommunicator the ranks of both groups that give the
// same color face each other, and if all are of one group they get nil. Other
// colors must not be negative: ErrArgument; a key may be any number. Who must call
// it, blocking, errors and cost: as Dup.
func (c *Comm) Split(ctx context.Context, color, key int) (*Comm, error) {
	return c.split(ctx, record.OpSplit, color, key, "color")
}

// SplitKind is a way in which SplitType parts a communicator.
type SplitKind uint8

// SplitHost puts the ranks of a host together (MPI_COMM_TYPE_SHARED).
const SplitHost SplitKind = iota

// SplitType is Split by where ranks run, each part ordered by key
// (MPI_Comm_split_type). Errors: as Dup; ErrArgument for another kind.
func (c *Comm) SplitType(ctx context.Context, kind SplitKind, key int) (*Comm, error) {
	if err := c.usable("SplitType"); err != nil {
		return nil, err
	}
	if kind != SplitHost {
		return nil, c.fail("SplitType", Null, AnyTag, fmt.Errorf("%w: kind %d, the one there is is SplitHost", ErrArgument, kind))
	}
	return c.split(ctx, record.OpSplit, c.job.hostOf(c.group.World(c.self)).number, key, "host")
}

func (c *Comm) split(ctx context.Context, op record.Op, color, key int, by string) (*Comm, error) {
	if err := c.usable(op.String()); err != nil {
		return nil, err
	}
	n, tag := c.creation()
	c.job.engine.BeginCreation()
	defer c.job.engine.EndCreation()
	mine := offer{op: op, id: c.job.engine.NextID(), color: int64(color), key: int64(key)}
	name := fmt.Sprintf("%s/%s%d", c.Name(), by, color)
	var d *Comm
	var err error
	if c.remote != nil {
		d, err = c.splitInter(ctx, tag, mine, name)
	} else {
		d, err = c.splitIntra(ctx, tag, mine, name)
	}
	if err != nil {
		return nil, c.fail(op.String(), Null, AnyTag, fmt.Errorf("creation call %d: %w", n, err))
	}
	return d, nil
}

// splitIntra is split of a communicator that is no intercommunicator.
func (c *Comm) splitIntra(ctx context.Context, tag Tag, mine offer, name string) (*Comm, error) {
	offers, err := c.exchange(ctx, all(c.Size()), c.self, tag, mine)
	if err != nil {
		return nil, err
	}
	if err := checkColors(offers); err != nil {
		return nil, err
	}
	if mine.color == int64(Undefined) {
		return nil, nil
	}
	ranks := ofColor(offers, mine.color)
	group, err := c.group.Include(ranks...)
	if err != nil {
		return nil, err
	}
	d := c.child(group, name)
	if err := d.open(offers[ranks[0]].id); err != nil {
		return nil, err
	}
	return d, nil
}

// checkColors fails on all ranks if one gives no color. All take part all the same:
// the others are waiting, and must fail too.
func checkColors(offers []offer) error {
	for r, o := range offers {
		if o.color < 0 && o.color != int64(Undefined) {
			return fmt.Errorf("%w: rank %d gives color %d, legal are 0 and above and Undefined", ErrArgument, r, o.color)
		}
	}
	return nil
}

// ofColor returns the ranks that give color, by key and then by rank.
func ofColor(offers []offer, color int64) []int {
	var ranks []int
	for r, o := range offers {
		if o.color == color {
			ranks = append(ranks, r)
		}
	}
	slices.SortStableFunc(ranks, func(a, b int) int { return cmp.Compare(offers[a].key, offers[b].key) })
	return ranks
}

// Create makes a communicator of group, whose ranks must be in c; the others
// get nil (MPI_Comm_create). All ranks of c must call it; groups given by
// different ranks must be equal or disjoint, and a rank that is in nobody's
// group gives any group it is not in, or nil. On an intercommunicator group is of
// ranks on this side, and all that are in it give it; if either side gives none all
// get nil. Errors: ErrGroup; blocking, cost and other errors as Dup.
func (c *Comm) Create(ctx context.Context, group *Group) (*Comm, error) {
	if err := c.usable("Create"); err != nil {
		return nil, err
	}
	if group == nil {
		group = c.group.derive([]int32{})
	}
	n, tag := c.creation()
	c.job.engine.BeginCreation()
	defer c.job.engine.EndCreation()
	name := fmt.Sprintf("%s/create%d", c.Name(), n)
	if c.remote == nil {
		return c.create(ctx, record.OpCreate, group, all(c.Size()), c.self, tag, name)
	}
	d, err := c.createInter(ctx, tag, group, name)
	if err != nil {
		return nil, c.fail("Create", Null, AnyTag, err)
	}
	return d, nil
}

// CreateGroup makes a communicator of group, whose ranks must be in c and are
// the only ones to call it (MPI_Comm_create_group). tag tells concurrent calls
// apart; it has nothing to do with the tags of messages and is at most
// MaxTag/4. After an error the tag must not be used for the group again: what was
// sent under it may still arrive. Errors: ErrGroup if the caller is not in
// group, ErrTag, ErrComm on an intercommunicator; blocking, cost and other errors
// as Dup.
func (c *Comm) CreateGroup(ctx context.Context, group *Group, tag Tag) (*Comm, error) {
	const op = record.OpCreateGroup
	if err := c.usable(op.String()); err != nil {
		return nil, err
	}
	switch {
	case c.remote != nil:
		return nil, c.fail(op.String(), Null, tag, fmt.Errorf("%w: %s is an intercommunicator", ErrComm, c.Name()))
	case tag < 0 || tag > MaxTag/4:
		return nil, c.fail(op.String(), Null, tag, fmt.Errorf("%w: %d, legal are 0 to MaxTag/4", ErrTag, tag))
	case group == nil || group.Rank() == Undefined:
		return nil, c.fail(op.String(), Null, tag, fmt.Errorf("%w: the calling rank is not in it", ErrGroup))
	}
	ranks, err := group.Translate(c.group, all(group.Size())...)
	if err != nil || slices.Contains(ranks, Undefined) {
		return nil, c.fail(op.String(), Null, tag, fmt.Errorf("%w: it has ranks that %s has not", ErrGroup, c.Name()))
	}
	c.job.engine.BeginCreation()
	defer c.job.engine.EndCreation()
	return c.create(ctx, op, group, ranks, group.Rank(), groupTag(tag), fmt.Sprintf("%s/group%d", c.Name(), tag))
}

// create makes a communicator of group among members, ranks of c.
func (c *Comm) create(ctx context.Context, op record.Op, group *Group, members []int, me int, tag Tag, name string) (*Comm, error) {
	fail := func(err error) (*Comm, error) { return nil, c.fail(op.String(), Null, AnyTag, err) }
	mine := offer{op: op, id: c.job.engine.NextID(), group: group.fingerprint()}
	offers, err := c.exchange(ctx, members, me, tag, mine)
	if err != nil {
		return fail(err)
	}
	if group.Rank() == Undefined {
		return nil, nil
	}
	place := make(map[int]int, len(members)) // of a rank of c among members
	for i, r := range members {
		place[r] = i
	}
	ranks, err := group.Translate(c.group, all(group.Size())...)
	if err != nil {
		return fail(err)
	}
	for _, r := range ranks {
		i, ok := place[r]
		switch {
		case !ok:
			return fail(fmt.Errorf("%w: it has ranks that %s has not", ErrGroup, c.Name()))
		case offers[i].group != mine.group:
			return fail(fmt.Errorf("%w: rank %d gives another group than rank %d, which is in both", ErrMismatch, r, c.self))
		}
	}
	d := c.child(group, name)
	if err := d.open(offers[place[ranks[0]]].id); err != nil {
		return fail(err)
	}
	return d, nil
}

// fingerprint tells groups with other ranks or another order apart.
func (g *Group) fingerprint() uint64 {
	h := fnv.New64a()
	var b [4]byte
	for r := range g.n {
		binary.LittleEndian.PutUint32(b[:], uint32(g.World(r)))
		h.Write(b[:])
	}
	return h.Sum64()
}

// child returns a communicator of group without a context.
func (c *Comm) child(group *Group, name string) *Comm {
	d := &Comm{job: c.job, group: group, self: group.Rank(), name: name}
	d.policy.Store(c.policy.Load())
	return d
}

// open gives d its context.
func (d *Comm) open(id engine.ContextID) error {
	ctx, err := d.job.engine.NewContext(id, d.peers(), d.self)
	if err != nil {
		return err
	}
	d.mu.Lock()
	d.ctx = ctx
	ctx.SetName(d.name)
	d.mu.Unlock()
	d.pending.Store(false)
	return nil
}

// all returns 0, 1, …, n−1.
func all(n int) []int {
	ranks := make([]int, n)
	for i := range ranks {
		ranks[i] = i
	}
	return ranks
}

// creation begins a creation call on c: its number there, and the tag of its
// exchange. Twins count for themselves, as their calls may come in another order
// than those on the communicator.
func (c *Comm) creation() (n int64, tag Tag) {
	if c.twinOf != nil {
		n = c.twinOf.twinned.Add(1)
		return n, Tag(n)<<3 | 2
	}
	n = c.creations.Add(1)
	return n, Tag(n) << 3
}

// Tags of the other exchanges of a context. Those of a side share it with whoever
// uses Local. CreateGroup and CreateInter have the program's tags.
func sideTag(creation Tag) Tag { return creation | 4 }
func groupTag(tag Tag) Tag     { return tag<<2 | 1 }
func bridgeTag(tag Tag) Tag    { return tag<<2 | 3 }
