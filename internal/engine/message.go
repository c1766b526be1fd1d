package engine

import (
	"github.com/muster-mpi/muster/internal/match"
	"github.com/muster-mpi/muster/internal/wire"
)

// message is an arrived envelope that no receive has taken yet.
type message struct {
	m    match.Message
	head wire.Header // of an Eager or Offer
	peer int         // world rank
	data []byte      // of an Eager
}

// takeMessage returns a record from the pool. Engine.mu is held.
func (e *Engine) takeMessage() *message {
	e.stats.Unexpected++
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
	if m.head.Kind == wire.Eager {
		e.stats.UnexpectedBytes -= int64(len(m.data))
		e.bytes.put(m.data)
		m.data = nil
	}
	if len(e.messages) < spareMessages {
		e.messages = append(e.messages, m)
	}
}
