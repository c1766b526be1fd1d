package engine

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"

	"github.com/muster-mpi/muster/internal/layout"
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

// Context is one communicator on this rank: its group and its matching spaces.
type Context struct {
	e      *Engine
	id     ContextID
	number uint32 // what this rank's frames call it
	group  Group  // nil until this rank has created it
	self   int

	// Guarded by Engine.mu.
	spaces  [wire.Spaces]space
	binds   int // links whose peer has a number for it
	pending int // operations under way
	freed   bool
	gone    chan struct{} // closed when freed, once somebody asks
	name    string

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
}

// NextID returns a ContextID for a group that this rank leads.
func (e *Engine) NextID() ContextID {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.counter++
	return ContextID{Leader: uint32(e.cfg.Self), Incarnation: e.cfg.Incarnation, Counter: e.counter}
}

// NewContext makes this rank a member of the context id, as rank self of
// group. Messages that quicker members have sent to it are there already.
func (e *Engine) NewContext(id ContextID, group Group, self int) (*Context, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed != nil {
		return nil, e.closed
	}
	c := e.contexts[id]
	switch {
	case c == nil:
		c = &Context{e: e, id: id}
		e.contexts[id] = c
	case c.group != nil:
		return nil, fmt.Errorf("%w: context %v exists already", ErrProtocol, id)
	}
	c.group, c.self = group, self
	switch n := len(e.spare); {
	case id == WorldID:
		if len(e.numbers) == 0 {
			e.numbers = append(e.numbers, nil)
		}
		c.number = 0
	case n > 0:
		c.number = e.spare[n-1]
		e.spare = e.spare[:n-1]
	default:
		if len(e.numbers) == 0 {
			e.numbers = append(e.numbers, nil) // 0 is the world's
		}
		c.number = uint32(len(e.numbers))
		e.numbers = append(e.numbers, nil)
	}
	e.numbers[c.number] = c
	e.checkEarly(c)
	return c, nil
}

// checkEarly drops what came for c before its group was known from ranks that
// are not who they said. Engine.mu is held.
func (e *Engine) checkEarly(c *Context) {
	for i := range c.spaces {
		var aliens []*message
		for m := range c.spaces[i].match.Messages {
			if m := m.Ref.(*message); c.speaker(m.peer, int(m.m.Source)) != nil {
				aliens = append(aliens, m)
			}
		}
		for _, m := range aliens {
			c.spaces[i].match.Retract(&m.m)
			e.refuse(m, c)
		}
	}
}

// ID returns the context's name in the job.
func (c *Context) ID() ContextID { return c.id }

// Number returns what this rank's frames and records call the context.
func (c *Context) Number() uint32 { return c.number }

// Self returns this rank's number in the context's group.
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

// Free gives the context up. Operations under way finish first; new ones are
// refused with ErrFreed; messages nobody received are dropped and counted.
func (c *Context) Free() {
	e := c.e
	e.mu.Lock()
	if c.freeing.Load() {
		e.mu.Unlock()
		return
	}
	c.freeing.Store(true)
	if c.pending == 0 {
		e.release(c)
	}
	e.mu.Unlock()
	e.Idle()
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

// release ends a context whose operations have finished. Engine.mu is held.
func (e *Engine) release(c *Context) {
	c.freed = true
	if c.gone != nil {
		close(c.gone)
	}
	for i := range c.spaces {
		s := &c.spaces[i]
		for {
			m := s.match.Take(match.AnySource, match.AnyTag)
			if m == nil {
				break
			}
			e.refuse(m.Ref.(*message), c)
		}
	}
	e.wakeProbers(c)
	unbind := frame{h: wire.Header{Kind: wire.Unbind, Context: c.number}, number: c.number, free: true}
	for r := range c.group.Size() {
		if p := e.peers[c.group.World(r)].Load(); p != nil && p.boundTo(c.number) {
			e.reply(p, unbind)
		}
	}
	e.numbers[c.number] = nil
	if c.id != WorldID {
		e.spare = append(e.spare, c.number)
	}
	e.forget(c)
}

// forget drops the name of a freed context once no peer has a number for it:
// only then can no frame for it be under way. Engine.mu is held.
func (e *Engine) forget(c *Context) {
	if c.freed && c.binds == 0 {
		delete(e.contexts, c.id)
	}
}

// refuse drops a message that came for a freed context. A sender that waits is
// told. Engine.mu is held.
func (e *Engine) refuse(m *message, c *Context) {
	e.stats.Dropped++
	p := e.peer(m.peer)
	if m.kind == wire.Offer || m.flags&wire.FlagSync != 0 {
		e.reply(p, frame{h: wire.Header{Kind: wire.Withdrawn, ID: m.id, Arg: withdrawnFreed}})
	}
	e.owe(p, m)
	e.dropMessage(m)
}

// Arg of a Withdrawn frame.
const (
	withdrawnMatched = iota // too late: a receive has the message
	withdrawnGone           // the message is gone, as if never sent
	withdrawnFreed          // the receiver has freed the communicator
	withdrawnUnready        // a ready send came before its receive
)

// bind notes that peer p calls the context id number. Engine.mu is held.
func (e *Engine) bind(p *peer, number uint32, payload layout.Buffer) error {
	var b [ContextIDBytes]byte
	if n := payload.Len(); n != len(b) {
		return fmt.Errorf("%w: Bind of %d bytes", ErrProtocol, n)
	}
	payload.ReadAt(b[:], 0)
	id, err := ParseContextID(b[:])
	if err != nil {
		return err
	}
	if int(number) >= maxNumbers || p.context(number) != nil {
		return fmt.Errorf("%w: Bind of context number %d, which is taken or too large", ErrProtocol, number)
	}
	c := e.contexts[id]
	if c == nil {
		c = &Context{e: e, id: id}
		e.contexts[id] = c
	}
	for int(number) >= len(p.numbers) {
		p.numbers = append(p.numbers, nil)
	}
	p.numbers[number] = c
	c.binds++
	return nil
}

// maxNumbers bounds the contexts one peer may have alive on a link, and so the
// table that a hostile number could make us allocate.
const maxNumbers = 1 << 24

// unbind forgets what p calls number. Engine.mu is held.
func (e *Engine) unbind(p *peer, number uint32) error {
	c := p.context(number)
	if c == nil || number == 0 {
		return fmt.Errorf("%w: Unbind of context number %d, which is not bound", ErrProtocol, number)
	}
	p.numbers[number] = nil
	c.binds--
	e.forget(c)
	return nil
}

// lookup returns the context of a frame from p. Engine.mu is held.
func (e *Engine) lookup(p *peer, number uint32) *Context {
	if number == 0 {
		c := e.contexts[WorldID]
		if c == nil {
			// A quick peer writes before this rank has made its world.
			c = &Context{e: e, id: WorldID}
			e.contexts[WorldID] = c
		}
		return c
	}
	return p.context(number)
}
