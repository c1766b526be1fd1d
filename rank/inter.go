package rank

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/muster-mpi/muster/internal/engine"
	"github.com/muster-mpi/muster/internal/record"
)

// An intercommunicator's context addresses the remote group: the engine neither
// knows nor cares that this rank is not in it. What the ranks of one side have to
// say to each other goes by a context of its own, that of Local.

// IsInter reports whether c is an intercommunicator, whose messages go to another
// group than its own (MPI_Comm_test_inter).
func (c *Comm) IsInter() bool { return c.remote != nil }

// RemoteSize returns the number of ranks that calls on an intercommunicator
// address, and 0 for any other (MPI_Comm_remote_size).
func (c *Comm) RemoteSize() int {
	if c.remote == nil {
		return 0
	}
	return c.remote.Size()
}

// RemoteGroup returns the ranks that calls on an intercommunicator address, in
// their order, and nil for any other (MPI_Comm_remote_group).
func (c *Comm) RemoteGroup() *Group { return c.remote }

// Local returns the communicator of the ranks on this side of an
// intercommunicator, by which they talk among themselves, and c itself if it is
// none. It is freed with c, not by itself: ErrComm.
func (c *Comm) Local() *Comm {
	switch {
	case c.side == nil:
		return c
	case c.twinOf != nil:
		return c.side.Twin()
	}
	return c.side
}

// peers returns the ranks that calls on c name.
func (c *Comm) peers() *Group {
	if c.remote != nil {
		return c.remote
	}
	return c.group
}

// CreateInter makes an intercommunicator of two disjoint groups of ranks
// (MPI_Intercomm_create, MPI 4.1 §7.6.2). All ranks of both call it, each with the
// communicator of its own group and with the rank that leads there, the same on
// all. Only the two leaders look at the rest: bridge is a communicator on which
// each names the other as remoteLeader, and tag, at most MaxTag/4, tells
// concurrent calls on it apart; it has nothing to do with the tags of messages.
// The error policy is local's. It waits for all ranks of both groups.
//
// Errors: ErrComm, also if local is an intercommunicator; ErrFreed; ErrRank for a
// leader that does not exist; ErrTag; ErrGroup if the groups overlap; ErrMismatch
// if ranks of local do not make the same call; ErrFailed; ErrCancelled if ctx ends
// first. What is wrong with a leader's arguments all ranks of its group are told,
// but those of the other group wait. After ErrFailed and ErrCancelled local must
// not be used for creation calls any more, nor tag on bridge. Cost: 3⌈log₂ p⌉ + 1
// steps.
func CreateInter(ctx context.Context, local *Comm, localLeader int, bridge *Comm, remoteLeader int, tag Tag) (*Comm, error) {
	const op = record.OpCreateInter
	if err := local.usable(op.String()); err != nil {
		return nil, err
	}
	fail := func(err error) (*Comm, error) { return nil, local.fail(op.String(), Null, AnyTag, err) }
	switch {
	case local.remote != nil:
		return fail(fmt.Errorf("%w: %s is an intercommunicator, where the ranks of one side are asked for", ErrComm, local.Name()))
	case localLeader < 0 || localLeader >= local.Size():
		return fail(fmt.Errorf("%w: local leader %d, legal are 0 to %d", ErrRank, localLeader, local.Size()-1))
	}
	n, at := local.creation()
	local.job.engine.BeginCreation()
	defer local.job.engine.EndCreation()
	offers, err := local.exchange(ctx, all(local.Size()), local.self, at, offer{op: op, id: local.job.engine.NextID(), key: int64(localLeader)})
	if err != nil {
		return fail(err)
	}
	for r, o := range offers {
		if o.key != int64(localLeader) {
			return fail(fmt.Errorf("%w: rank %d names %d as the local leader, rank %d names %d", ErrMismatch, local.self, localLeader, r, o.key))
		}
	}
	id := offers[localLeader].id
	var theirs []byte
	if local.self == localLeader {
		theirs, err = meet(ctx, local, bridge, remoteLeader, tag, introduction(id, local.group))
	}
	theirs, err = local.spread(ctx, op, localLeader, at, theirs, err)
	if err != nil {
		return fail(err)
	}
	remoteID, remote, err := local.group.introduced(theirs)
	if err != nil {
		return fail(err)
	}
	d := local.child(local.group, fmt.Sprintf("%s/inter%d", local.Name(), n))
	d.face(remote)
	if err := d.openInter(id, remoteID); err != nil {
		return fail(err)
	}
	return d, nil
}

// meet has the leader of local tell the remote leader mine, and returns what that
// one tells.
func meet(ctx context.Context, local, bridge *Comm, remoteLeader int, tag Tag, mine []byte) ([]byte, error) {
	const op = record.OpCreateInter
	if err := bridge.usable(op.String()); err != nil {
		return nil, err
	}
	switch {
	case remoteLeader < 0 || remoteLeader >= bridge.peers().Size():
		return nil, fmt.Errorf("%w: remote leader %d, legal are 0 to %d of %s", ErrRank, remoteLeader, bridge.peers().Size()-1, bridge.Name())
	case tag < 0 || tag > MaxTag/4:
		return nil, fmt.Errorf("%w: %d, legal are 0 to MaxTag/4", ErrTag, tag)
	case local.group.find(bridge.peers().World(remoteLeader)) != Undefined:
		return nil, fmt.Errorf("%w: remote leader %d of %s is in the local group", ErrGroup, remoteLeader, bridge.Name())
	}
	theirs, err := bridge.swap(ctx, op, remoteLeader, bridgeTag(tag), mine)
	if err == nil {
		_, _, err = local.group.introduced(theirs)
	}
	return theirs, err
}

// introduction is what the leaders tell each other: an id and the ranks that are
// led.
func introduction(id engine.ContextID, g *Group) []byte {
	b := id.Append(nil)
	for r := range g.n {
		b = binary.LittleEndian.AppendUint32(b, uint32(g.World(r)))
	}
	return b
}

// introduced reads an introduction of a group that faces g.
func (g *Group) introduced(b []byte) (engine.ContextID, *Group, error) {
	if len(b) < engine.ContextIDBytes+4 || len(b)%4 != 0 {
		return engine.ContextID{}, nil, fmt.Errorf("%w: the remote leader tells %d bytes", ErrMismatch, len(b))
	}
	id, err := engine.ParseContextID(b[:engine.ContextIDBytes])
	if err != nil {
		return id, nil, err
	}
	in := g.index()
	var world []int32
	for b = b[engine.ContextIDBytes:]; len(b) > 0; b = b[4:] {
		w := int32(binary.LittleEndian.Uint32(b))
		if r, ok := in[int(w)]; ok {
			return id, nil, fmt.Errorf("%w: rank %d of the world is in both groups, here as rank %d and there as %d", ErrGroup, w, r, len(world))
		}
		world = append(world, w)
	}
	return id, g.derive(world), nil
}

// face makes c, which has no context yet, an intercommunicator.
func (c *Comm) face(remote *Group) {
	c.remote = remote
	c.side = c.child(c.group, c.name+"'s side")
	c.side.owned = true
	c.side.pending.Store(true)
}

// openInter gives an intercommunicator its contexts. ours and theirs are ids that
// each side brings.
func (c *Comm) openInter(ours, theirs engine.ContextID) error {
	if err := c.side.open(ours.Side()); err != nil {
		return err
	}
	if c.low() {
		return c.open(ours)
	}
	return c.open(theirs)
}

// low reports whether c's side is the one that decides where one must. Both sides
// find the same, since no rank is in both.
func (c *Comm) low() bool { return c.group.World(0) < c.remote.World(0) }

// Merge makes a communicator of the two groups of an intercommunicator
// (MPI_Intercomm_merge, MPI 4.1 §7.6.2): the ranks that give false for high come
// first, each group in its order. If both groups give the same, the one whose rank
// 0 is the lower in the world comes first. Who must call it, blocking, errors and
// cost: as Dup, both groups; ErrComm if c is no intercommunicator; ErrMismatch if
// ranks of a group disagree about high.
func (c *Comm) Merge(ctx context.Context, high bool) (*Comm, error) {
	const op = record.OpMerge
	if err := c.usable(op.String()); err != nil {
		return nil, err
	}
	if c.remote == nil {
		return nil, c.fail(op.String(), Null, AnyTag, fmt.Errorf("%w: %s is no intercommunicator", ErrComm, c.Name()))
	}
	n, tag := c.creation()
	c.job.engine.BeginCreation()
	defer c.job.engine.EndCreation()
	fail := func(err error) (*Comm, error) {
		return nil, c.fail(op.String(), Null, AnyTag, fmt.Errorf("creation call %d: %w", n, err))
	}
	mine := offer{op: op, id: c.job.engine.NextID()}
	if high {
		mine.color = 1
	}
	ours, theirs, err := c.exchangeBoth(ctx, tag, mine)
	if err != nil {
		return fail(err)
	}
	for _, side := range [][]offer{ours, theirs} {
		for r, o := range side {
			if o.color != side[0].color {
				return fail(fmt.Errorf("%w: ranks 0 and %d of one group give %v and %v for high", ErrMismatch, r, side[0].color == 1, o.color == 1))
			}
		}
	}
	first, second, id := c.group, c.remote, ours[0].id
	if theirs[0].color < ours[0].color || theirs[0].color == ours[0].color && !c.low() {
		first, second, id = c.remote, c.group, theirs[0].id
	}
	d := c.child(first.Union(second), fmt.Sprintf("%s/merge%d", c.Name(), n))
	if err := d.open(id); err != nil {
		return fail(err)
	}
	return d, nil
}
