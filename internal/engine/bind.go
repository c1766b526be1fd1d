package engine

import (
	"fmt"

	"github.com/muster-mpi/muster/internal/layout"
)

// Binding gives contexts small numbers on a link: Bind says which context a
// number of the sender stands for from now on, Unbind ends that. 0 is the
// world's and never bound.

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
	if number == 0 || id == WorldID || number >= maxNumbers || p.numbers.at(number) != nil {
		return fmt.Errorf("%w: Bind of context number %d, which is taken or not to be had", ErrProtocol, number)
	}
	c := e.contexts[id]
	if c == nil {
		c = e.unknown(id)
		e.contexts[id] = c
	}
	p.numbers.set(number, c)
	c.binds++
	return nil
}

// unbind forgets what p calls number. Engine.mu is held.
func (e *Engine) unbind(p *peer, number uint32) error {
	c := p.numbers.at(number)
	if c == nil {
		return fmt.Errorf("%w: Unbind of context number %d, which is not bound", ErrProtocol, number)
	}
	p.numbers.set(number, nil)
	c.binds--
	e.forget(c)
	return nil
}

// lookup returns the context of a frame from p. Engine.mu is held.
func (e *Engine) lookup(p *peer, number uint32) *Context {
	if number != 0 {
		return p.numbers.at(number)
	}
	if e.world == nil {
		// A quick peer writes before this rank has made its world.
		e.world = &Context{e: e, id: WorldID}
		e.contexts[WorldID] = e.world
	}
	return e.world
}

// boundTo reports whether the peer has been told what we call number.
func (p *peer) boundTo(number uint32) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.boundNow(number)
}

// boundNow is boundTo for who holds p.mu, or Engine.mu while p is unowned: nobody
// changes it then.
func (p *peer) boundNow(number uint32) bool {
	return int(number) < len(p.bound) && p.bound[number]
}

func (p *peer) setBound(number uint32, v bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for int(number) >= len(p.bound) {
		p.bound = append(p.bound, false)
	}
	p.bound[number] = v
}

// numbering maps the numbers a peer uses to contexts. It has two levels, so
// that a Bind of a large number does not make this rank allocate a large table.
type numbering struct{ pages []*[numberPage]*Context }

const (
	numberPage = 256
	maxNumbers = 1 << 24 // contexts one peer may have alive
)

func (t *numbering) at(number uint32) *Context {
	if i := int(number / numberPage); i < len(t.pages) && t.pages[i] != nil {
		return t.pages[i][number%numberPage]
	}
	return nil
}

func (t *numbering) set(number uint32, c *Context) {
	i := int(number / numberPage)
	if i >= len(t.pages) {
		pages := make([]*[numberPage]*Context, max(i+1, 2*len(t.pages)))
		copy(pages, t.pages)
		t.pages = pages
	}
	if t.pages[i] == nil {
		t.pages[i] = new([numberPage]*Context)
	}
	t.pages[i][number%numberPage] = c
}
