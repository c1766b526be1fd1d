package collectives

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/muster-mpi/muster/collectives/schedule"
	"github.com/muster-mpi/muster/collectives/tune"
	"github.com/muster-mpi/muster/internal/below"
	"github.com/muster-mpi/muster/internal/engine"
	"github.com/muster-mpi/muster/internal/wire"
	"github.com/muster-mpi/muster/rank"
)

// state is what this package keeps on a communicator.
type state struct {
	comm  *rank.Comm
	twin  *rank.Comm // for messages
	near  *rank.Comm // on an intercommunicator, for messages among this group; else nil
	below *below.Comm
	desk  *desk

	// busy is one more than the operation of the blocking call under way, 0 if there
	// is none. Who sets it owns main and memory until it is 0 again. With closing no
	// other can begin.
	busy atomic.Uint32
	main *run
	memory

	poison atomic.Pointer[error] // why no collective can be made any more

	mu        sync.Mutex    // guards what follows, and the site of every run
	next      uint64        // number of the next call
	rolling   uint64        // fingerprint of all calls so far
	inits     uint64        // of the next persistent one
	running   map[*run]bool // but for main
	freed     bool          // the communicator is: no call can begin
	held      bool          // its contexts are, for the calls under way when it was freed
	closed    bool          // the state has ended
	watched   bool          // calls in the background are looked at
	idle      []*run        // pool, of nonblocking calls
	history   [historyLen]past
	early     map[uint64]*note // from ranks that are ahead, by number of the call
	schedules map[key]*compiled

	sharings [schedule.Operations][classes]tune.Sharing // of whom busy lets; nil: not looked up yet

	choosing sync.Mutex // guards chooser
	chooser  *tune.Chooser
}

// past is a call that was begun.
type past struct {
	call *described
	site string // where the program made it, once that is known
}

// historyLen is how many past calls a rank can still tell others about.
const historyLen = 80

var states = rank.NewKey(rank.KeyHooks[*state]{
	Delete: func(_ *rank.Comm, s *state) error {
		s.close()
		return nil
	},
})

// closing in busy says that the communicator was freed.
const closing = 1 << 31

// making is held while a state is made, so that a communicator gets one only.
var making sync.Mutex

// stateOf returns c's state, made at the first call.
func stateOf(c *rank.Comm) (*state, error) {
	if s, ok := states.Get(c); ok {
		return s, nil
	}
	making.Lock()
	defer making.Unlock()
	if s, ok := states.Get(c); ok {
		return s, nil
	}
	s := &state{comm: c, running: make(map[*run]bool), schedules: make(map[key]*compiled)}
	if s.below = c.Below(); s.below == nil {
		return nil, rank.ErrFreed
	}
	s.twin = c.Twin()
	if c.IsInter() {
		s.near = c.Local().Twin()
	}
	s.main = newRun(s)
	s.desk = deskOf(s.below.Engine)
	// From here on others find s.
	s.desk.add(s)
	if err := states.Set(c, s); err != nil {
		s.desk.remove(s)
		return nil, reason(err)
	}
	return s, nil
}

// route returns the communicator for messages to what schedules call peer, and its
// rank there.
func (s *state) route(peer int) (*rank.Comm, int) {
	switch {
	case s.near == nil:
		return s.twin, peer
	case peer < s.near.Size():
		return s.near, peer
	}
	return s.twin, peer - s.near.Size()
}

// world returns the world rank of what schedules call peer.
func (s *state) world(peer int) int {
	c, r := s.route(peer)
	if c.IsInter() {
		return c.RemoteGroup().World(r)
	}
	return c.Group().World(r)
}

// others lists everybody else, by the names of schedules.
func (s *state) others() []int {
	var list []int
	for peer := range s.comm.Size() + s.comm.RemoteSize() {
		if peer != s.comm.Rank() {
			list = append(list, peer)
		}
	}
	return list
}

// close begins the end of the state: its communicator is being freed, or if it is the
// world, left. Calls under way are carried out to their end, but those on the world
// are given up.
func (s *state) close() {
	s.mu.Lock()
	s.freed = true
	if busy := s.busy.Or(closing); busy != 0 || len(s.running) > 0 {
		s.held = true
		for _, c := range s.contexts() {
			c.Hold()
		}
	}
	held := s.held
	s.mu.Unlock()
	if held && s.below.Context.ID() == engine.WorldID {
		s.giveUp(rank.ErrLeft)
	}
	s.finishClosing()
}

// finishClosing ends the state if its communicator was freed and no call is under way
// any more.
func (s *state) finishClosing() {
	s.mu.Lock()
	last := s.freed && !s.closed && len(s.running) == 0 && s.busy.Load() == closing
	if last {
		s.closed = true
	}
	s.mu.Unlock()
	if !last {
		return
	}
	s.desk.remove(s)
	s.main.patience.unfollow()
	s.memory.release()
	if s.held {
		for _, c := range s.contexts() {
			c.Unhold()
		}
	}
}

// contexts lists what the messages of calls go by.
func (s *state) contexts() []*engine.Context {
	list := []*engine.Context{s.below.Context}
	if s.near != nil {
		if b := s.near.Below(); b != nil { // else it was freed with the intercommunicator
			list = append(list, b.Context)
		}
	}
	return list
}

// giveUp makes every collective under way and to come fail with err, unless
// another error was first.
func (s *state) giveUp(err error) {
	if !s.poison.CompareAndSwap(nil, &err) {
		return
	}
	s.mu.Lock()
	var stops []func(error)
	for r := range s.running {
		if r.stop != nil {
			stops = append(stops, r.stop)
		}
	}
	s.mu.Unlock()
	s.main.patience.end()
	for _, c := range s.contexts() {
		c.Forgive(wire.Collective)
	}
	for _, stop := range stops {
		stop(err)
	}
}

// spoiled returns why no collective can be made, if so.
func (s *state) spoiled() error {
	if p := s.poison.Load(); p != nil {
		return *p
	}
	return nil
}

// refuses returns why no call can begin that nobody waits for.
func (s *state) refuses() error {
	if err := s.refused(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.freed {
		return rank.ErrFreed
	}
	return nil
}

// refused is spoiled for a call that is about to begin.
func (s *state) refused() error {
	err := s.spoiled()
	if err == nil || errors.Is(err, ErrGivenUp) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrGivenUp, err)
}

// key tells schedules apart.
type key struct {
	op            schedule.Operation
	root          int
	count         int
	inPlace       bool
	class         class
	using         string
	segment, elem int
	edges         edges // of neighbourhood calls
}

// class is which brackets a reduction permits.
type class uint8

const (
	canonicalOnly class = iota // inexact elements: the same bits always
	orderedOnly                // the operation does not commute
	anyBrackets
	classes
)

// maxSchedules bounds how many schedules a communicator keeps; a program that
// makes more different calls builds some again.
const maxSchedules = 256

// kept returns the schedule that keep was given for k; nil if there is none any more.
func (s *state) kept(k key) *compiled {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.schedules[k]
}

// keep keeps the schedule of calls with the key k for those to come.
func (s *state) keep(k key, c *compiled) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.schedules) >= maxSchedules {
		clear(s.schedules)
	}
	s.schedules[k] = c
}

// number takes the number of a call that begins, and notes what it is. The error is
// that of a note from a rank that has made another call in its place.
func (s *state) number(r *run) error {
	s.mu.Lock()
	r.site = ""
	r.number = s.next
	s.next++
	// With those before it: a call that went by unnoticed, because what it sent nobody
	// waited for, is noticed in the next.
	s.rolling = (s.rolling ^ r.call.print) * 1099511628211
	r.print = s.rolling ^ s.rolling>>32
	err := s.noteCall(r)
	s.mu.Unlock()
	return err
}

// numberInit is number for a persistent operation being made; its rounds have the
// number too.
func (s *state) numberInit() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inits++
	return s.inits - 1
}

// noteCall is number for a call that has its number. state.mu is held.
func (s *state) noteCall(r *run) error {
	s.history[r.number%historyLen] = past{call: r.call}
	if r != s.main {
		s.running[r] = true
	}
	if n := s.early[r.number]; n != nil {
		delete(s.early, r.number)
		return n.differs(r.call, "", s.whoami())
	}
	return nil
}

// done ends what number began.
func (s *state) done(r *run) {
	if r == s.main {
		return
	}
	s.mu.Lock()
	delete(s.running, r)
	r.stop = nil
	freed := s.freed
	s.mu.Unlock()
	if freed {
		s.finishClosing()
	}
}

// take returns a run of the pool.
func (s *state) take() *run {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.idle); n > 0 {
		r := s.idle[n-1]
		s.idle = s.idle[:n-1]
		return r
	}
	return newRun(s)
}

// give returns r to the pool; nobody knows it any more.
func (s *state) give(r *run) {
	s.mu.Lock()
	s.idle = append(s.idle, r)
	s.mu.Unlock()
}
