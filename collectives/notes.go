package collectives

import (
	"encoding/json"
	"fmt"
	"sync"

	"github.com/muster-mpi/muster/internal/below"
	"github.com/muster-mpi/muster/internal/engine"
	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/wire"
	"github.com/muster-mpi/muster/rank"
)

// A collective whose ranks make different calls would wait for ever: the messages
// of one call match none of the other. A rank that has waited for long writes a note
// to those it waits for: which call of the communicator this is, and what it is
// here. Who gets one and has made another call in that place fails, and answers, so
// that the writer fails too; who has not come so far keeps it until then. Notes
// travel as frames of their own, so it does not matter what the reader is doing.

// noteKind is the kind of frames that carry notes.
const noteKind = wire.FirstUser

// note is what one rank tells another of a call.
type note struct {
	Context    []byte // id of the communicator's context
	From       string // who writes
	World      int    // its rank in the world
	Number     uint64 // of the call
	Persistent bool
	Print      uint64 // fingerprint
	Text       string // the call
	GivenUp    string // why no collective will be made on the communicator any more
}

// inquire writes to peers what r is, and waits for. r is the caller's.
func (r *run) inquire(peers []int) { r.state.writeAll(peers, r.note()) }

// note returns what there is to write of r. Who calls it owns r, or holds state.mu.
func (r *run) note() note {
	return note{
		From: r.state.whoami(), World: r.state.below.Engine.Self(), Number: r.number, Persistent: r.call.mode == persistent,
		Print: r.call.print, Text: at(r.call, r.site),
	}
}

// writeAll is write to each of peers.
func (s *state) writeAll(peers []int, n note) {
	for _, peer := range peers {
		s.write(s.world(peer), n)
	}
}

// whoami names this rank for a reader on either side.
func (s *state) whoami() string {
	if s.near != nil {
		return fmt.Sprintf("rank %d of the group of world rank %d", s.comm.Rank(), s.comm.Group().World(0))
	}
	return fmt.Sprintf("rank %d", s.comm.Rank())
}

// write sends n to a rank of the world. That it cannot be sent says that the peer is
// gone, which the wait will tell better.
func (s *state) write(world int, n note) {
	n.Context = s.below.Context.ID().Append(nil)
	b, err := json.Marshal(n)
	if err != nil {
		return
	}
	s.below.Engine.Post(world, wire.Header{Kind: noteKind, Bytes: uint64(len(b))}, layout.Of(b))
}

// giveUpAll is giveUp on every rank.
func (s *state) giveUpAll(err error) {
	if s.spoiled() != nil {
		return
	}
	s.giveUp(err)
	s.tellGivenUp(err, -1)
}

// tellGivenUp tells all others, but one who knows, that err ends the communicator's
// collectives.
func (s *state) tellGivenUp(err error, knows int) {
	for _, peer := range s.others() {
		if world := s.world(peer); world != knows {
			s.write(world, note{From: s.whoami(), GivenUp: err.Error()})
		}
	}
}

// differs returns the error of making the call mine where n is another's, if it
// is one.
func (n *note) differs(mine *described, site, me string) error {
	if n.Print == mine.print {
		return nil
	}
	return fmt.Errorf("%w: %s calls %s, %s calls %s", rank.ErrMismatch, me, at(mine, site), n.From, n.Text)
}

// at tells a call with where it was made, if that is known.
func at(d *described, site string) string {
	if site == "" {
		return d.String()
	}
	return d.String() + " at " + site
}

// read takes a note from another rank. It is called on a goroutine of its own.
func (s *state) read(n *note) {
	if n.GivenUp != "" {
		s.giveUp(fmt.Errorf("%w by %s: %s", ErrGivenUp, n.From, n.GivenUp))
		return
	}
	if err := s.spoiled(); err != nil {
		// Who writes waits for this rank, maybe by the same call. That is answered with
		// what is not answered: two that differ would write to each other for ever.
		s.write(n.World, note{From: s.whoami(), GivenUp: err.Error()})
		return
	}
	s.mu.Lock()
	var mine past
	switch {
	case n.Persistent:
		found := false
		for r := range s.running {
			if r.call.mode == persistent && r.number == n.Number {
				mine, found = past{r.call, r.site}, true
			}
		}
		if !found {
			s.mu.Unlock()
			return
		}
	case n.Number >= s.next:
		if s.early == nil {
			s.early = make(map[uint64]*note)
		}
		if len(s.early) < historyLen {
			s.early[n.Number] = n
		}
		s.mu.Unlock()
		return
	case n.Number+historyLen < s.next:
		s.mu.Unlock()
		return
	default:
		mine = s.history[n.Number%historyLen]
	}
	s.mu.Unlock()
	if err := n.differs(mine.call, mine.site, s.whoami()); err != nil {
		s.write(n.World, note{From: s.whoami(), World: s.below.Engine.Self(), Number: n.Number, Persistent: n.Persistent, Print: mine.call.print, Text: at(mine.call, mine.site)})
		if s.spoiled() == nil {
			s.giveUp(err)
			s.tellGivenUp(err, n.World)
		}
	}
}

// setSite notes where the program made the call, and that it waits.
func (r *run) setSite(site string) {
	s := r.state
	if r.call.mode == blocking {
		e := s.below.Engine
		r.record.Block(e.Records(), e.Clock().Now().UnixNano(), site)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r.site = site
	if r.call.mode != persistent {
		s.history[r.number%historyLen].site = site
	}
}

// readers are the states of an engine's communicators, by context.
type readers struct {
	mu     sync.Mutex // guards what follows
	states map[engine.ContextID]*state
}

var (
	readersMu sync.Mutex // guards what follows; taken before a readers.mu
	readersOf = make(map[*engine.Engine]*readers)
)

// A rank may be written to before its first collective. Until then notes are dropped;
// who waits for it writes again.
func init() {
	below.Begin = func(e *engine.Engine) { e.Handle(noteKind, func(int, *wire.Header, layout.Buffer) {}) }
}

// listen has s read the notes for its communicator.
func (s *state) listen() {
	readersMu.Lock()
	defer readersMu.Unlock()
	e := s.below.Engine
	d := readersOf[e]
	if d == nil {
		d = &readers{states: make(map[engine.ContextID]*state)}
		readersOf[e] = d
		e.Handle(noteKind, d.deliver)
	}
	d.mu.Lock()
	d.states[s.below.Context.ID()] = s
	d.mu.Unlock()
}

// mute ends listen. An engine without communicators is let go of; should one come again,
// listen begins anew.
func (s *state) mute() {
	readersMu.Lock()
	defer readersMu.Unlock()
	d := readersOf[s.below.Engine]
	d.mu.Lock()
	delete(d.states, s.below.Context.ID())
	left := len(d.states)
	d.mu.Unlock()
	if left == 0 {
		delete(readersOf, s.below.Engine)
	}
}

// deliver hands a note to its reader. A note that makes no sense is dropped: it was
// only to explain.
func (d *readers) deliver(_ int, _ *wire.Header, payload layout.Buffer) {
	b := make([]byte, payload.Len())
	payload.ReadAt(b, 0)
	// The caller must not be kept, and the answer is a frame.
	go func() {
		n := new(note)
		if json.Unmarshal(b, n) != nil {
			return
		}
		id, err := engine.ParseContextID(n.Context)
		if err != nil {
			return
		}
		d.mu.Lock()
		s := d.states[id]
		d.mu.Unlock()
		if s != nil && n.World >= 0 && n.World < s.below.Engine.Size() {
			s.read(n)
		}
	}()
}
