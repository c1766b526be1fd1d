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
	Earlier    []said // calls before it
	GivenUp    string // why no collective will be made on the communicator any more
}

// said is a call that a rank has made before.
type said struct {
	Number uint64
	Print  uint64
	Text   string
}

// maxSaid is how many calls before one a note tells of.
const maxSaid = 8

// inquire writes to peers what r is, and waits for. r is the caller's.
func (r *run) inquire(peers []int) {
	s := r.state
	s.mu.Lock()
	n := r.note()
	s.mu.Unlock()
	s.writeAll(peers, n)
}

// note returns what there is to write of r. state.mu is held.
func (r *run) note() note {
	s := r.state
	n := note{
		From: s.whoami(), World: s.below.Engine.Self(), Number: r.number, Persistent: r.call.mode == persistent,
		Print: r.call.print, Text: at(r.call, r.site),
	}
	if !n.Persistent {
		for k := r.number - min(r.number, maxSaid); k < r.number; k++ {
			if k+historyLen < s.next {
				continue // a call in the background, begun long ago
			}
			p := s.history[k%historyLen]
			n.Earlier = append(n.Earlier, said{k, p.call.print, at(p.call, p.site)})
		}
	}
	return n
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

// write sends n to a rank of the world.
func (s *state) write(world int, n note) { s.desk.write(world, s.below.Context.ID(), n) }

// write sends n about the communicator id to a rank of the world. That it cannot be sent
// says that the peer is gone, which the wait will tell better.
func (d *desk) write(world int, id engine.ContextID, n note) {
	n.Context = id.Append(nil)
	b, err := json.Marshal(n)
	if err != nil {
		return
	}
	d.engine.Post(world, wire.Header{Kind: noteKind, Bytes: uint64(len(b))}, layout.Of(b))
}

// givenUp is the note that err has ended the communicator's collectives.
func (s *state) givenUp(err error) note {
	return note{From: s.whoami(), World: s.below.Engine.Self(), GivenUp: err.Error()}
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
			s.write(world, s.givenUp(err))
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

// read takes a note from another rank.
func (s *state) read(n *note) {
	if n.GivenUp != "" {
		s.giveUp(fmt.Errorf("%w by %s: %s", ErrGivenUp, n.From, n.GivenUp))
		return
	}
	if err := s.spoiled(); err != nil {
		// Who writes waits for this rank, maybe by the same call, or came to its first
		// call after others were told. The answer is one that is not answered: two that
		// differ would write to each other for ever.
		s.write(n.World, s.givenUp(err))
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
	case n.Number >= s.next && s.closed:
		s.mu.Unlock()
		s.write(n.World, s.givenUp(fmt.Errorf("%w by it before this call", rank.ErrFreed)))
		return
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
		// The first that differs is to blame.
		for _, e := range n.Earlier {
			if e.Number+historyLen < s.next || e.Number >= s.next {
				continue
			}
			if p := s.history[e.Number%historyLen]; p.call.print != e.Print {
				mine = p
				n.Number, n.Print, n.Text = e.Number, e.Print, e.Text
				break
			}
		}
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

// desk is where the notes for a rank's communicators come in.
type desk struct {
	engine *engine.Engine

	mu     sync.Mutex // guards what follows
	states map[engine.ContextID]*state
	ended  map[engine.ContextID]*state // of some communicators that are freed
	forgot bool                        // there were more
	left   bool                        // the rank leaves, and makes no more calls
}

// maxEnded bounds of how many freed communicators a desk can still tell others.
const maxEnded = 64

// desks has the desk of each rank of this process that has not left.
var desks sync.Map // *engine.Engine to *desk

func init() {
	// A rank may be written to before its first collective, and behind its last.
	below.Begin = func(e *engine.Engine) { deskOf(e) }
	below.Leave = func(e *engine.Engine) {
		if d, ok := desks.LoadAndDelete(e); ok {
			d := d.(*desk)
			d.mu.Lock()
			d.left = true
			d.mu.Unlock()
		}
	}
}

// deskOf returns the desk of e's rank, made at the first call.
func deskOf(e *engine.Engine) *desk {
	fresh := &desk{engine: e, states: make(map[engine.ContextID]*state), ended: make(map[engine.ContextID]*state)}
	d, made := desks.LoadOrStore(e, fresh)
	if !made {
		e.Handle(noteKind, fresh.deliver)
	}
	return d.(*desk)
}

// add has s read the notes for its communicator.
func (d *desk) add(s *state) {
	d.mu.Lock()
	d.states[s.below.Context.ID()] = s
	d.mu.Unlock()
}

// remove ends add: the communicator was freed. Who still waits for this rank, in a call
// that it has made otherwise or has not come to, is told.
func (d *desk) remove(s *state) {
	id := s.below.Context.ID()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.states[id] != s {
		return // its communicator has another by now, since freeing it has failed
	}
	delete(d.states, id)
	if len(d.ended) >= maxEnded {
		clear(d.ended)
		d.forgot = true
	}
	d.ended[id] = s
}

// departed is the note that this rank comes to no call any more.
func (d *desk) departed() note {
	return note{From: fmt.Sprintf("rank %d of the world", d.engine.Self()), World: d.engine.Self(), GivenUp: "it has left the job without this call"}
}

// deliver hands a note to its reader. A note that makes no sense is dropped: it was
// only to explain.
func (d *desk) deliver(_ int, _ *wire.Header, payload layout.Buffer) {
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
		if n.World < 0 || n.World >= d.engine.Size() {
			return
		}
		d.mu.Lock()
		s, past := d.states[id], d.ended[id]
		unknown := d.left && !d.forgot
		d.mu.Unlock()
		switch {
		case s != nil:
			s.read(n)
		case past != nil:
			past.read(n)
		case unknown && n.GivenUp == "":
			d.write(n.World, id, d.departed())
		}
	}()
}
