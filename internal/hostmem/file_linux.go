package hostmem

import (
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/muster-mpi/muster/internal/segment"
)

// file is the memory file of a host, mapped whole: what nobody has touched costs
// no memory.
type file struct {
	f     *os.File
	bytes []byte
}

// Create makes the memory file of a host. Only the page of states is reserved.
func Create(name string) (*os.File, error) {
	return segment.CreateSparse(name, FileBytes, os.Getpagesize())
}

// Map returns the memory in f, which Create made; it keeps a descriptor of its own,
// and like it the memory stays for as long as the process.
func Map(f *os.File) (*Memory, error) {
	b, err := segment.Map(f, FileBytes, true)
	if err != nil {
		return nil, err
	}
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		segment.Unmap(b)
		return nil, fmt.Errorf("hostmem: %w", err)
	}
	return &Memory{file: &file{os.NewFile(uintptr(fd), f.Name()), b}}, nil
}

// busy is the state of a slot that somebody is making ready or clearing.
const busy = -1

// state returns how many have yet to release a slot; 0: it is free. Any process may
// change it, so nothing here believes that it makes sense.
func (m *Memory) state(number int) *atomic.Int64 {
	return (*atomic.Int64)(unsafe.Pointer(&m.file.bytes[8*number]))
}

func (m *Memory) bytesOf(number int) []byte {
	off := (number + 1) * SlotBytes
	return m.file.bytes[off : off+SlotBytes : off+SlotBytes]
}

// claimFile is Claim. Who changes a state from 0 to busy has the slot.
func (m *Memory) claimFile(holders int) (*Slot, error) {
	for number := range Slots {
		state := m.state(number)
		if state.Load() != 0 || !state.CompareAndSwap(0, busy) {
			continue
		}
		if err := segment.Reserve(m.file.f, (number+1)*SlotBytes, FirstBytes); err != nil {
			state.Store(0)
			return nil, fmt.Errorf("%w: %w", ErrFull, err)
		}
		state.Store(int64(holders))
		return &Slot{Number: number, Bytes: m.bytesOf(number), m: m}, nil
	}
	return nil, fmt.Errorf("%w: all %d slots are taken", ErrFull, Slots)
}

func (m *Memory) growFile(s *Slot) error {
	if err := segment.Reserve(m.file.f, (s.Number+1)*SlotBytes, SlotBytes); err != nil {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return nil
}

func (m *Memory) openFile(number int) (*Slot, error) {
	if number < 0 || number >= Slots || m.state(number).Load() <= 0 {
		return nil, fmt.Errorf("hostmem: slot %d is not in use", number)
	}
	return &Slot{Number: number, Bytes: m.bytesOf(number), m: m}, nil
}

// releaseFile frees the slot's pages behind its last holder, which also makes them
// zero for the next.
func (m *Memory) releaseFile(s *Slot) {
	state := m.state(s.Number)
	for {
		n := state.Load()
		switch {
		case n <= 0:
			return // another rank has overwritten the state: nothing to rely on
		case n > 1:
			if state.CompareAndSwap(n, n-1) {
				return
			}
		case state.CompareAndSwap(1, busy):
			// Where the pages cannot be given back the slot is of no more use.
			if segment.Discard(m.file.f, (s.Number+1)*SlotBytes, SlotBytes) == nil {
				state.Store(0)
			}
			return
		}
	}
}
