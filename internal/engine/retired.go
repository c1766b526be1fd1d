package engine

// A peer may tell of a context that this rank has freed and forgotten: it is slower,
// and its messages are to be refused. Or of one that this rank has yet to make: it
// is quicker, and they are to be kept. Which it is the counter in the id tells, if
// it is known which counters are past. Those of one maker come nearly in order, but
// with gaps, since a maker also counts for groups that this rank is not in; so to
// remember them all would grow without end. What is remembered is bounded, and
// whatever is older is taken to be past.
//
// That is certain unless this rank is making a context just now: no peer can know
// the id of a context before all its members have called, since each learns it from
// an exchange among them. So only between BeginCreation and EndCreation a doubt is
// possible. What comes then for a context that may be past is kept until
// EndCreation, and refused if the context was not made.

// maker is a process that picks ContextIDs, once for communicators and once for the
// sides of intercommunicators, which share its counters.
type maker struct {
	leader, incarnation uint32
	sides               bool
}

const sideBit = 1 << 63

// Side returns the id of a context that belongs to one side of an
// intercommunicator, where that side brought id. No counter comes so far by itself.
func (id ContextID) Side() ContextID {
	id.Counter |= sideBit
	return id
}

// maker returns who picked id, and which of its contexts it is.
func (id ContextID) maker() (maker, uint64) {
	return maker{id.Leader, id.Incarnation, id.Counter&sideBit != 0}, id.Counter &^ sideBit
}

// history is which of a maker's contexts were freed here.
type history struct {
	recent spans  // at most maxRecent
	floor  uint64 // lower ones, unless alive, are taken to be past
}

const maxRecent = 64

// add notes that the context counter was freed.
func (h *history) add(counter uint64) {
	if counter < h.floor {
		return
	}
	h.recent.add(counter, counter+1)
	if n := len(h.recent) - maxRecent; n > 0 {
		h.floor = h.recent[n-1].to
		h.recent = append(h.recent[:0], h.recent[n:]...)
	}
}

// has reports whether the context counter, which is not alive, is past, and whether
// that is certain.
func (h *history) has(counter uint64) (past, certain bool) {
	if h == nil {
		return false, false
	}
	certain = h.recent.has(counter)
	return certain || counter < h.floor, certain
}

// retire notes that the context id was freed. Engine.mu is held.
func (e *Engine) retire(id ContextID) {
	by, counter := id.maker()
	h := e.retired[by]
	if h == nil {
		h = new(history)
		e.retired[by] = h
	}
	h.add(counter)
}

// unknown makes the context of a Bind for an id that this rank does not know.
// Engine.mu is held.
func (e *Engine) unknown(id ContextID) *Context {
	c := &Context{e: e, id: id}
	by, counter := id.maker()
	switch past, certain := e.retired[by].has(counter); {
	case past && (certain || e.creations == 0):
		c.dismiss()
	case past:
		c.doubtful = true
		e.doubts++
	}
	return c
}

// dismiss makes c, which this rank has not made, one that is past.
func (c *Context) dismiss() {
	c.freed, c.doubtful = true, false
	c.freeing.Store(true)
}

// BeginCreation says that this rank is about to take part in an exchange that may
// end with NewContext; EndCreation must follow.
func (e *Engine) BeginCreation() {
	e.mu.Lock()
	e.creations++
	e.mu.Unlock()
}

// EndCreation says that NewContext was called, or will not be.
func (e *Engine) EndCreation() {
	e.mu.Lock()
	e.creations--
	resolved := e.creations == 0 && e.doubts > 0
	if resolved {
		e.resolveDoubts()
	}
	e.mu.Unlock()
	if resolved {
		e.Idle()
	}
}

// resolveDoubts dismisses the contexts that were in doubt. Engine.mu is held.
func (e *Engine) resolveDoubts() {
	e.doubts = 0
	for _, c := range e.contexts {
		if c.doubtful {
			c.dismiss()
			e.refuseAll(c)
			e.forget(c)
		}
	}
}
