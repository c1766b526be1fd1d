// Package hostmem gives the ranks of a host memory that all of them share, in
// slots of one size: one for each communicator that carries out its collectives
// there.
//
// Ranks of different processes share a memory file that their agent made; it is
// large and empty, and a slot's pages are reserved when the slot is claimed, so
// that a host without memory is an error then and never a fault later. Ranks that
// are goroutines share the heap.
package hostmem

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// SlotBytes is the size of a slot.
	SlotBytes = 4 << 20
	// FirstBytes is how much of a slot may be used before Grow.
	FirstBytes = 256 << 10
	// Slots is how many there are.
	Slots = 255
	// FileBytes is the size of the memory file: a page of slot states, as large as a
	// slot so that slots are aligned, and the slots.
	FileBytes = (Slots + 1) * SlotBytes
)

// ErrFull says that every slot is taken, or that the host has no memory for one.
var ErrFull = errors.New("no shared memory left for another communicator's collectives")

// Memory is the slots of a host, as one rank sees them. Its methods may be called
// by any goroutine.
type Memory struct {
	file *file // nil: of goroutines

	mu    sync.Mutex
	slots map[int]*Slot // of goroutines: those that are taken
	last  int
}

// New returns the memory of the ranks of one process, which share the Memory.
func New() *Memory { return &Memory{slots: make(map[int]*Slot)} }

// OneProcess reports whether m is of goroutines.
func (m *Memory) OneProcess() bool { return m.file == nil }

// Slot is a slot in use.
type Slot struct {
	Number int
	Bytes  []byte // zero when the slot was claimed
	// Parking is where goroutine ranks sleep; nil between processes, which have the
	// kernel's futex.
	Parking *Parking

	m       *Memory
	holders atomic.Int32 // of goroutines
}

// Claim takes a slot for a number of holders, each of which will release it once.
// One rank claims; it tells the others the number, and they Open it. Errors:
// ErrFull.
func (m *Memory) Claim(holders int) (*Slot, error) {
	if m.file != nil {
		return m.claimFile(holders)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last++
	s := &Slot{Number: m.last, Bytes: make([]byte, SlotBytes), Parking: new(Parking), m: m}
	s.holders.Store(int32(holders))
	m.slots[s.Number] = s
	return s, nil
}

// Open returns a slot that another rank has claimed for this one too.
func (m *Memory) Open(number int) (*Slot, error) {
	if m.file != nil {
		return m.openFile(number)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.slots[number]; s != nil {
		return s, nil
	}
	return nil, errors.New("hostmem: no such slot")
}

// Grow makes all bytes of a slot usable, by any holder, and not only the first.
// Errors: ErrFull.
func (s *Slot) Grow() error {
	if s.m.file != nil {
		return s.m.growFile(s)
	}
	return nil
}

// Release gives a slot back for one holder. Its bytes must not be touched any
// more. Who is last frees it.
func (s *Slot) Release() {
	m := s.m
	if m.file != nil {
		m.releaseFile(s)
		return
	}
	if s.holders.Add(-1) == 0 {
		m.mu.Lock()
		delete(m.slots, s.Number)
		m.mu.Unlock()
	}
}

// Parking is where goroutines of one process wait for each other.
type Parking struct {
	mu       sync.Mutex
	sleepers []*Sleeper
	asleep   atomic.Int32 // len(sleepers)
}

// Sleeper is what a goroutine needs to sleep. One sleep at a time.
type Sleeper struct {
	ch    chan struct{}
	timer *time.Timer
}

// Sleep returns once awake is true, or after d, or for no reason. It looks whenever
// somebody calls Wake.
func (p *Parking) Sleep(s *Sleeper, awake func() bool, d time.Duration) {
	if s.ch == nil {
		s.ch, s.timer = make(chan struct{}, 1), time.NewTimer(d)
	} else {
		s.timer.Reset(d)
	}
	p.mu.Lock()
	p.sleepers = append(p.sleepers, s)
	p.asleep.Add(1)
	p.mu.Unlock()
	// Whoever changes what is awaited now sees a sleeper.
	if !awake() {
		select {
		case <-s.ch:
			s.timer.Stop()
			return
		case <-s.timer.C:
		}
	}
	s.timer.Stop()
	p.mu.Lock()
	if i := slices.Index(p.sleepers, s); i >= 0 {
		p.sleepers = slices.Delete(p.sleepers, i, i+1)
		p.asleep.Add(-1)
	}
	p.mu.Unlock()
	select {
	case <-s.ch: // woken meanwhile
	default:
	}
}

// Wake has all sleepers look again. It costs one load where nobody sleeps.
func (p *Parking) Wake() {
	if p.asleep.Load() == 0 {
		return
	}
	p.mu.Lock()
	for _, s := range p.sleepers {
		s.ch <- struct{}{}
	}
	p.sleepers = p.sleepers[:0]
	p.asleep.Store(0)
	p.mu.Unlock()
}
