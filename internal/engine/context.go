package engine

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"

	"github.com/muster-mpi/muster/internal/match"
	"github.com/muster-mpi/muster/internal/wire"
)

// ContextID names a communicator's context for ever: the process that led the
// group when it was made, and that process's count. No two processes of a job
// share (Leader, Incarnation), so disjoint groups pick without asking each
// other, and a number is never used again.
type ContextID struct {
	Leader      uint32
	Incarnation uint32
	Counter     uint64
}

// ContextIDBytes is the size of an encoded ContextID.
const ContextIDBytes = 16

// Append encodes id.
func (id ContextID) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, id.Leader)
	b = binary.LittleEndian.AppendUint32(b, id.Incarnation)
	return binary.LittleEndian.AppendUint64(b, id.Counter)
}

// ParseContextID decodes what Append wrote.
func ParseContextID(b []byte) (ContextID, error) {
	if len(b) != ContextIDBytes {
		return ContextID{}, fmt.Errorf("%w: context id of %d bytes, want %d", ErrProtocol, len(b), ContextIDBytes)
	}
	return ContextID{
		Leader:      binary.LittleEndian.Uint32(b),
		Incarnation: binary.LittleEndian.Uint32(b[4:]),
		Counter:     binary.LittleEndian.Uint64(b[8:]),
	}, nil
}

// WorldID is the context of the world; every link knows it as number 0.
var WorldID = ContextID{}

// Context is one communicator on this rank: the ranks that it addresses and its
// matching spaces.
type Context struct {
	e      *Engine
	id     ContextID
	number uint32 // what this rank's frames call it
	group  Group  // that it addresses; nil until this rank has created it
	flat   bool   // group numbers its ranks as the world does
	size   int    // of group
	self   int

	// Guarded by Engine.mu.
	spaces   [wire.Spaces]space
	binds    int // links whose peer has a number for it
	pending  int // operations under way
	freed    bool
	holds    int           // see Hold
	unwanted bool          // to be freed once nobody holds it
	doubtful bool          // not made here, and perhaps past: see retired.go
	gone     chan struct{} // closed when freed, once somebody asks
	name     string

	freeing atomic.Bool // set under Engine.mu
}

// Group maps a context's ranks to world ranks. It is immutable.
type Group interface {
	Size() int
	World(rank int) int
}

// space is one matching space of a context.
type space struct {
	match   match.Matcher
	probers []*prober

	forgiven bool // what nobody receives here is no leftover; see Forgive
}

// NextID returns a ContextID for a group that this rank leads.
func (e *Engine) NextID() ContextID {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.counter++
	return ContextID{Leader: uint32(e.cfg.Self), Incarnation: e.cfg.Incarnation, Counter: e.counter}
}

// NewContext makes this rank a member of the context id. group is the ranks that it
// addresses, and self what it is to them: its rank in group, but for
// intercommunicators, whose group it is not in. Messages that quicker members have
// sent to it are there already.
func (e *Engine) NewContext(id ContextID, group Group, self int) (*Context, error) {
	c, aliens, err := e.newContext(id, group, self)
	for world, err := range aliens {
		e.violate(world, err)
	}
	e.Idle()
	return c, err
}

// newContext is NewContext; it also returns who sent to the context under a
// name that is not theirs.
func (e *Engine) newContext(id ContextID, group Group, self int) (*Context, map[int]error, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.over(); err != nil {
		return nil, nil, err
	}
	c := e.contexts[id]
	switch {
	case c == nil:
		c = &Context{e: e, id: id}
		e.contexts[id] = c
	case c.group != nil || c.freed:
		return nil, nil, fmt.Errorf("%w: context %v exists already, or is past", ErrProtocol, id)
	}
	if c.doubtful {
		c.doubtful = false
		e.doubts--
	}
	c.group, c.self = group, self
	c.size, c.flat = group.Size(), isFlat(group)
	switch n := len(e.spare); {
	case id == WorldID:
		e.world = c
	case n > 0:
		c.number = e.spare[n-1]
		e.spare = e.spare[:n-1]
	default:
		e.numbers++ // 0 is the world's
		c.number = e.numbers
	}
	return c, e.checkEarly(c), nil
}

// isFlat reports whether a group numbers its ranks as the world does.
func isFlat(g Group) bool {
	for r := range g.Size() {
		if g.World(r) != r {
			return false
		}
	}
	return true
}

// world returns the world rank of a rank of c's group.
func (c *Context) world(rank int) int {
	if c.flat {
		return rank
	}
	return c.group.World(rank)
}

// checkEarly drops what came for c before its group was known from ranks that
// are not who they said, and returns who they are. Engine.mu is held.
func (e *Engine) checkEarly(c *Context) map[int]error {
	aliens := make(map[int]error)
	for i := range c.spaces {
		s := &c.spaces[i]
		for m := range s.match.Messages {
			m := m.Ref.(*message)
			if err := c.speaker(m.peer, int(m.m.Source)); err != nil {
				aliens[m.peer] = err
				s.match.Retract(&m.m)
				e.refuseQueued(m)
			}
		}
	}
	return aliens
}

// ID returns the context's name in the job.
func (c *Context) ID() ContextID { return c.id }

// Number returns what this rank's frames and records call the context.
func (c *Context) Number() uint32 { return c.number }

// Self returns what this rank is to the ranks of the context's group.
func (c *Context) Self() int { return c.self }

// SetName names the context in records and reports.
func (c *Context) SetName(name string) {
	c.e.mu.Lock()
	c.name = name
	c.e.mu.Unlock()
	c.e.records.NameComm(c.number, name)
}

// Name returns what SetName set.
func (c *Context) Name() string {
	c.e.mu.Lock()
	defer c.e.mu.Unlock()
	return c.name
}

// Forgive says that a call has failed, and said so, whose messages in a space nobody
// will receive: they are no leftovers.
func (c *Context) Forgive(s wire.Space) {
	c.e.mu.Lock()
	defer c.e.mu.Unlock()
	c.spaces[s].forgiven = true
}

// Free gives the context up. Operations under way finish first; new ones are
// refused with ErrFreed. Messages that no receive has asked for until now are
// dropped and counted; senders that wait for one get ErrFreed.
func (c *Context) Free() {
	e := c.e
	e.mu.Lock()
	if c.unwanted = true; c.freeing.Load() || c.holds > 0 {
		e.mu.Unlock()
		return
	}
	c.freeing.Store(true)
	e.refuseAll(c)
	e.wakeProbers(c)
	e.releaseIdle(c)
	e.mu.Unlock()
	e.Idle()
}

// Hold puts off what Free does until Unhold, for a call that is under way and consists
// of several operations, some of which have yet to begin.
func (c *Context) Hold() {
	c.e.mu.Lock()
	c.holds++
	c.e.mu.Unlock()
}

// Unhold ends a Hold.
func (c *Context) Unhold() {
	c.e.mu.Lock()
	c.holds--
	due := c.holds == 0 && c.unwanted
	c.e.mu.Unlock()
	if due {
		c.Free()
	}
}

// Released returns a channel that is closed once the context is freed and its
// operations have finished.
func (c *Context) Released() <-chan struct{} {
	c.e.mu.Lock()
	defer c.e.mu.Unlock()
	if c.gone == nil {
		c.gone = make(chan struct{})
		if c.freed {
			close(c.gone)
		}
	}
	return c.gone
}

// releaseIdle releases a context that is given up and has no operation under
// way. Engine.mu is held.
func (e *Engine) releaseIdle(c *Context) {
	if c.freeing.Load() && c.pending == 0 && !c.freed {
		e.release(c)
	}
}

// release ends a context whose operations have finished. Engine.mu is held.
func (e *Engine) release(c *Context) {
	c.freed = true
	if c.gone != nil {
		close(c.gone)
	}
	unbind := frame{h: wire.Header{Kind: wire.Unbind, Context: c.number}}
	for r := range c.group.Size() {
		// A peer that somebody owns is perhaps being told the number just now
		// (sendNow); who owns it next and finds this frame knows.
		if p := e.peers[c.group.World(r)].Load(); p != nil && (p.state.Load() != unowned || p.boundTo(c.number)) {
			e.reply(p, unbind)
		}
	}
	if c.id != WorldID {
		e.spare = append(e.spare, c.number)
	}
	e.forget(c)
}

// forget drops a freed context once no peer has a number for it. What is left
// is the note that it is retired, for a peer that has yet to bind it. Engine.mu
// is held.
func (e *Engine) forget(c *Context) {
	if c.freed && c.binds == 0 && c.id != WorldID {
		delete(e.contexts, c.id)
		e.retire(c.id)
	}
}

// refuse turns a message from p away that came for a freed context. A sender that
// waits is told. Engine.mu is held.
func (e *Engine) refuse(p *peer, h *wire.Header) {
	e.stats.Dropped++
	if h.Kind == wire.Offer || h.Flags&wire.FlagSync != 0 {
		e.reply(p, frame{h: wire.Header{Kind: wire.Withdrawn, ID: h.ID, Arg: withdrawnFreed}})
	}
	e.owe(p, h)
}

// refuseAll refuses what nothing has asked for. Engine.mu is held.
func (e *Engine) refuseAll(c *Context) {
	for i := range c.spaces {
		s := &c.spaces[i]
		for m := range s.match.Messages {
			s.match.Retract(m)
			e.refuseQueued(m.Ref.(*message))
		}
	}
}

// refuseQueued is refuse for one that was queued. Engine.mu is held.
func (e *Engine) refuseQueued(m *message) {
	e.refuse(e.peer(m.peer), &m.head)
	e.dropMessage(m)
}

// Arg of a Withdrawn frame.
const (
	withdrawnMatched = iota // too late: a receive has the message
	withdrawnGone           // the message is gone, as if never sent
	withdrawnFreed          // the receiver has freed the communicator
	withdrawnUnready        // a ready send came before its receive
)
