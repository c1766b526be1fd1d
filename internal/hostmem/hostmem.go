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
	"sync"
	"sync/atomic"
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
