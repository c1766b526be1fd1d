package rank

import (
	"context"
	"fmt"
	"sync"

	"github.com/muster-mpi/muster/internal/engine"
	"github.com/muster-mpi/muster/internal/record"
)

// Persistent is a send or receive whose arguments are given once and which can
// be started many times (MPI 4.1 §3.9). It is inactive until Start and again
// after the Wait or Test that finds it complete. While it is active its buffer is
// the operation's, as that of Isend and Irecv; between rounds it is the caller's.
// What is in a send's buffer is read when it is started. It matches messages of
// plain calls. There is nothing to free.
type Persistent struct {
	start func() Request
	err   error

	mu  sync.Mutex
	cur Request
}

// SendInit makes a persistent Send (MPI_Send_init). It sends nothing and does not
// block. What is wrong with the arguments, Err and Start tell.
func SendInit[T any](c *Comm, dest int, tag Tag, buf []T) *Persistent {
	return c.sendInit(record.OpIsend, engine.Standard, dest, tag, slice(buf))
}

// SsendInit makes a persistent Ssend; as SendInit (MPI_Ssend_init).
func SsendInit[T any](c *Comm, dest int, tag Tag, buf []T) *Persistent {
	return c.sendInit(record.OpIssend, engine.Synchronous, dest, tag, slice(buf))
}

// RsendInit makes a persistent Rsend; as SendInit (MPI_Rsend_init).
func RsendInit[T any](c *Comm, dest int, tag Tag, buf []T) *Persistent {
	return c.sendInit(record.OpIrsend, engine.Ready, dest, tag, slice(buf))
}

// BsendInit makes a persistent Bsend; as SendInit (MPI_Bsend_init). Start takes
// the room in the attached buffer: ErrBuffer if there is none.
func BsendInit[T any](c *Comm, dest int, tag Tag, buf []T) *Persistent {
	p := slice(buf)
	return &Persistent{
		start: func() Request { return c.ibsend(dest, tag, &p) },
		err:   c.checkSend(record.OpIbsend, dest, tag, &p),
	}
}

// RecvInit makes a persistent Recv; as SendInit (MPI_Recv_init). It asks for
// nothing before Start.
func RecvInit[T any](c *Comm, source int, tag Tag, buf []T) *Persistent {
	p := slice(buf)
	return &Persistent{
		start: func() Request { return c.irecv(record.OpIrecv, source, tag, &p) },
		err:   c.checkRecv(record.OpIrecv, source, tag, &p),
	}
}

func (c *Comm) sendInit(op record.Op, mode engine.Mode, dest int, tag Tag, p payload) *Persistent {
	return &Persistent{
		start: func() Request { return c.isend(op, mode, dest, tag, &p) },
		err:   c.checkSend(op, dest, tag, &p),
	}
}

// Err returns what was wrong with the arguments, or nil; Start returns it too.
func (p *Persistent) Err() error { return p.err }

// Start starts the operation and returns at once (MPI_Start). The Request is this
// round's; waiting for it or for p is the same, so it can stand among others in
// WaitAll and its kin. Errors: what Err returns; ErrActive if the last round has
// not been waited for; what is wrong with the operation, and p is inactive then.
func (p *Persistent) Start() (Request, error) {
	if p == nil || p.start == nil && p.err == nil {
		return Request{}, fmt.Errorf("rank: Start: %w: the persistent request is nil or zero", ErrArgument)
	}
	if p.err != nil {
		return Request{}, p.err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cur.live() {
		return Request{}, p.cur.c.fail("Start", p.cur.peer(), p.cur.tag, ErrActive)
	}
	r := p.start()
	if err := r.early(); err != nil {
		return Request{}, err
	}
	p.cur = r
	return r, nil
}

// StartAll starts all of ps in the order given (MPI_Startall). It stops at the
// first that cannot be started; those before it are active and returned with the
// error. Errors: as Start.
func StartAll(ps ...*Persistent) ([]Request, error) {
	rs := make([]Request, 0, len(ps))
	for _, p := range ps {
		r, err := p.Start()
		if err != nil {
			return rs, err
		}
		rs = append(rs, r)
	}
	return rs, nil
}

// Wait is Request.Wait of the round under way: after it p is inactive. If p is
// inactive it returns the empty status at once.
func (p *Persistent) Wait(ctx context.Context) (Status, error) {
	r, active := p.current()
	if !active {
		return emptyStatus, nil
	}
	return r.Wait(ctx)
}

// Test is Request.Test of the round under way; true if p is inactive.
func (p *Persistent) Test() (Status, bool, error) {
	r, active := p.current()
	if !active {
		return emptyStatus, true, nil
	}
	return r.Test()
}

// Active reports whether p was started and not yet waited for.
func (p *Persistent) Active() bool {
	_, active := p.current()
	return active
}

func (p *Persistent) current() (Request, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cur, p.cur.live()
}
