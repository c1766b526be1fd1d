package engine

import (
	"github.com/muster-mpi/muster/internal/match"
	"github.com/muster-mpi/muster/internal/wire"
)

// message is an arrived envelope that no receive has taken yet.
type message struct {
	m      match.Message
	kind   wire.Kind // Eager or Offer
	flags  wire.Flags
	peer   int // world rank
	layout uint32
	bytes  int
	id     uint64 // sender's operation
	addr   uint64 // of an Offer: where the payload can be pulled from, or 0
	data   []byte // of an Eager
}

// takeMessage returns a record from the pool. Engine.mu is held.
func (e *Engine) takeMessage() *message {
	if n := len(e.messages); n > 0 {
		m := e.messages[n-1]
		e.messages = e.messages[:n-1]
		return m
	}
	m := new(message)
	m.m.Ref = m
	return m
}

// spareMessages bounds the pool, so that a burst is not kept for ever.
const spareMessages = 1024

// dropMessage gives m back. Engine.mu is held.
func (e *Engine) dropMessage(m *message) {
	e.stats.Unexpected--
	if m.kind == wire.Eager {
		e.stats.UnexpectedBytes -= int64(len(m.data))
		e.bytes.put(m.data)
		m.data = nil
	}
	if len(e.messages) < spareMessages {
		e.messages = append(e.messages, m)
	}
}
