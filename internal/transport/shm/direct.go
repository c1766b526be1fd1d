package shm

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/transport"
)

// vmPieceBytes is how much one system call copies. The call keeps its thread's place in
// the Go scheduler, so it must not be long: this takes some 25 µs.
const vmPieceBytes = 256 << 10

// newSecret returns a word on the heap that no other process can guess. It is odd: 0
// means that there is none.
func newSecret() *uint64 {
	var b [8]byte
	rand.Read(b[:])
	s := binary.LittleEndian.Uint64(b[:]) | 1
	return &s
}

// offerProof lets the peer prove that it can read this process's memory, and has Poll
// prove the same of the peer's once the peer has offered it. The caller holds conn.mu.
func (c *Conn) offerProof(l *link, pid int) {
	if pid > 0 {
		// From here on the number cannot come to mean another process unnoticed.
		l.proc, _ = c.sys.watch(pid)
	}
	if l.proc == nil {
		l.verdict.Store(beyond)
		l.mine.verdict.Store(beyond)
		return
	}
	l.mine.address.Store(uint64(uintptr(unsafe.Pointer(c.secret))))
	l.mine.secret.Store(*c.secret)
	c.busy.Add(1)
	if l.provable() {
		l.prove()
	}
}

// provable reports whether the proof is due and can be made.
func (l *link) provable() bool {
	return l.verdict.Load() == unproven && l.failure.Load() == nil &&
		(l.theirs.secret.Load() != 0 || l.theirs.verdict.Load() == beyond)
}

// prove reads the peer's secret from its memory. If it is the one that the peer wrote
// into the segment, process number, permission and addresses are right.
func (l *link) prove() {
	verdict := uint64(beyond)
	secret := l.theirs.secret.Load()
	if b := make([]byte, 8); secret != 0 && l.copy(l.conn.sys.readv, layout.Of(b), l.theirs.address.Load()) == nil && binary.NativeEndian.Uint64(b) == secret {
		verdict = reachable
	}
	l.settleProof(verdict)
}

func (l *link) settleProof(verdict uint64) {
	if l.verdict.CompareAndSwap(unproven, verdict) {
		l.mine.verdict.Store(verdict)
		l.conn.busy.Add(-1)
	}
}

// Reach implements transport.Direct. The peer has proved that it can read this process's
// memory, or the address is 0.
func (c *Conn) Reach(peer int, b layout.Buffer) uint64 {
	l := c.peers[peer].link.Load()
	if l == nil || l.theirs.verdict.Load() != reachable || l.verdict.Load() != reachable {
		return 0
	}
	run, ok := b.Contiguous()
	if !ok || len(run) == 0 {
		return 0
	}
	return address(run)
}

// address returns where b lies. The collector does not move what is on the heap, and who
// offers b keeps it alive.
func address(b []byte) uint64 { return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) }

// Claims implements transport.Direct. The words stay valid until Close.
func (c *Conn) Claims(peer int) (in, out *[transport.ClaimWords]atomic.Uint64) {
	l := c.peers[peer].link.Load()
	if l == nil || !l.push || l.proc == nil {
		return nil, nil
	}
	return l.claimsIn, l.claimsOut
}

var errNoRoad = errors.New("there are no single copies on this link")

// Pull implements transport.Direct.
func (c *Conn) Pull(peer int, dst layout.Buffer, addr uint64) error {
	l, err := c.road(peer)
	if err == nil {
		err = l.copy(c.sys.readv, dst, addr)
	}
	if err != nil {
		return fmt.Errorf("shm: copying %d bytes from %#x in rank %d: %w", dst.Len(), addr, peer, err)
	}
	return nil
}

// Push implements transport.Direct.
func (c *Conn) Push(peer int, addr uint64, src layout.Buffer) error {
	l, err := c.road(peer)
	if err == nil {
		// To read what was never meant is found out afterwards, to write it is too late
		// then.
		err = l.proc.alive()
	}
	if err == nil {
		err = l.copy(c.sys.writev, src, addr)
	}
	if err != nil {
		return fmt.Errorf("shm: copying %d bytes to %#x in rank %d: %w", src.Len(), addr, peer, err)
	}
	return nil
}

func (c *Conn) road(peer int) (*link, error) {
	l := c.peers[peer].link.Load()
	if l == nil || l.proc == nil {
		return nil, errNoRoad
	}
	return l, nil
}

// vmCopy is one call of the kernel's: runs of this process's memory to or from one of the
// process's. It returns how many bytes were copied.
type vmCopy func(pid int, local [][]byte, remote uint64) (int, error)

// copy calls do until all of b is copied, and then makes sure that the number named the
// peer all the while.
func (l *link) copy(do vmCopy, b layout.Buffer, addr uint64) error {
	list := runLists.Get().(*[maxRuns][]byte)
	defer runLists.Put(list)
	for done := 0; done < b.Len(); {
		n, runs := 0, 0
		for runs < len(list) && n < vmPieceBytes && done+n < b.Len() {
			run := b.Run(done + n)
			run = run[:min(len(run), vmPieceBytes-n)]
			list[runs] = run
			runs++
			n += len(run)
		}
		got, err := do(l.proc.pid, list[:runs], addr+uint64(done))
		clear(list[:runs])
		switch {
		case err != nil:
			return fmt.Errorf("process %d, %d bytes in: %w", l.proc.pid, done, err)
		case got <= 0 || got > n:
			return fmt.Errorf("process %d, %d bytes in: %d bytes copied", l.proc.pid, done, got)
		}
		done += got
	}
	return l.proc.alive()
}

// maxRuns is how many runs of memory one call takes. The kernel would take 1024.
const maxRuns = 256

// runLists spare each copy a list of runs.
var runLists = sync.Pool{New: func() any { return new([maxRuns][]byte) }}
