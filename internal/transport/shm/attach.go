package shm

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"unsafe"

	"github.com/muster-mpi/muster/internal/segment"
)

// Attachment is what a link is made of. Attach closes its files, whatever it returns.
type Attachment struct {
	// Memory is the pair's segment: SegmentBytes made by segment.Create, given to both
	// ranks of the pair and nobody else, never used before.
	Memory *os.File
	// Bell is the peer's bell.
	Bell *os.File
	// PID is the number of the peer's process as this process may name it. 0: there are
	// no single copies.
	PID int
	// Push says that the peer is another process, which can copy while this one does:
	// Claims may be used.
	Push bool
}

// Attach puts up the link to peer. It may be called by any goroutine at any time, also
// beside Close, after which it refuses.
func (c *Conn) Attach(peer int, a Attachment) error {
	defer closeFiles(a)
	if peer < 0 || peer >= c.cfg.Size || peer == c.cfg.Self {
		return fmt.Errorf("shm: rank %d of %d cannot have a link to rank %d", c.cfg.Self, c.cfg.Size, peer)
	}
	if a.Memory == nil || a.Bell == nil {
		return fmt.Errorf("shm: the link to rank %d lacks memory or bell", peer)
	}
	if err := c.attach(peer, a); err != nil {
		return fmt.Errorf("shm: putting up the link to rank %d: %w", peer, err)
	}
	c.poke()
	return nil
}

func closeFiles(a Attachment) {
	for _, f := range []*os.File{a.Memory, a.Bell} {
		if f != nil {
			f.Close()
		}
	}
}

func (c *Conn) attach(peer int, a Attachment) error {
	c.register() // before the link says how its side is told of frames
	c.mu.Lock()
	defer c.mu.Unlock()
	p := &c.peers[peer]
	switch {
	case c.closed:
		return net.ErrClosed
	case p.lost != nil:
		return p.lost
	case p.link.Load() != nil:
		return errors.New("it is up already")
	case c.err != nil:
		return c.err
	}
	mem, err := segment.Map(a.Memory, SegmentBytes, true)
	if err != nil {
		return err
	}
	l, err := c.newLink(peer, mem, a)
	if err != nil {
		segment.Unmap(mem)
		return err
	}
	// Ready may be looking at the memory whenever Close is called, and taking a lock
	// there would cost more than all the rest of it. So the collector finds out when
	// nobody can look any more.
	runtime.AddCleanup(l, func(mem []byte) { segment.Unmap(mem) }, mem)

	l.publishState(c.dozing.Load())
	if p.refused {
		l.refuse(anyTail)
	}
	links := append((*c.attached.Load())[:len(*c.attached.Load()):len(*c.attached.Load())], l)
	c.attached.Store(&links)
	p.link.Store(l)
	return nil
}

func (c *Conn) newLink(peer int, mem []byte, a Attachment) (*link, error) {
	if err := touch(mem); err != nil {
		return nil, err
	}
	s, err := open(mem)
	if err != nil {
		return nil, err
	}
	bell, err := segment.OpenBell(a.Bell)
	if err != nil {
		return nil, err
	}
	us := 0
	if c.cfg.Self > peer {
		us = 1
	}
	l := &link{
		conn: c, peer: peer, bell: bell, push: a.Push, mem: s,
		mine: &s.sides[us], theirs: &s.sides[1-us],
		claimsIn: &s.claims[us], claimsOut: &s.claims[1-us],
		quiet: awake,
		out:   sender{ring: &s.rings[us]},
		in:    receiver{ring: &s.rings[1-us]},
	}
	if c.sys.barrier == nil {
		l.quiet = ^uint64(0) // a fence for every frame
	}
	c.offerProof(l, a.PID)
	return l, nil
}

// touch makes sure that every page of mem is there, and has it entered in this process's
// tables. Memory from segment.Create always is; memory from elsewhere may not be, and then
// the access would end the process much later.
func touch(mem []byte) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	at := 0
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("the segment has no memory at byte %d of %d: %v", at, len(mem), fault)
		}
	}()
	for ; at < len(mem); at += 4096 {
		atomic.AddUint64((*uint64)(unsafe.Pointer(&mem[at])), 0)
	}
	return nil
}

// Fail says that peer is known to be dead. What it had published is delivered; then it is
// Lost with this cause. It may be called by any goroutine at any time; the first of
// several causes counts.
func (c *Conn) Fail(peer int, cause error) {
	if peer < 0 || peer >= c.cfg.Size || peer == c.cfg.Self {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	p := &c.peers[peer]
	if c.closed || p.lost != nil {
		return
	}
	if l := p.link.Load(); l != nil {
		l.fail(cause, true)
		return
	}
	p.lost = cause
	c.early = append(c.early, loss{peer, cause})
	c.hasEarly.Store(true)
	c.busy.Add(1)
	c.poke()
}
