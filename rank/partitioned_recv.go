package rank

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/muster-mpi/muster/internal/engine"
	"github.com/muster-mpi/muster/internal/record"
	"github.com/muster-mpi/muster/internal/wire"
)

// PartitionedRecv is the receiving side of a partitioned message: parts can be
// used as they arrive.
type PartitionedRecv struct {
	c      *Comm
	source int
	tag    Tag
	want   payload
	parts  int
	err    error
	hello  []byte
	found  Request // of the sender's setup; complete once for all rounds

	mu     sync.Mutex
	setup  setup
	met    bool    // setup is here
	wrong  error   // why there will be none
	news   Request // complete when either is so; of the first Start
	active bool
	round  int
	reqs   []Request           // by the sender's partition; made once the setup is here
	tell   func(Status, error) // completes news
}

// PrecvInit makes a partitioned receive into buf, in partitions equal parts
// (MPI_Precv_init). len(buf) must be a multiple of partitions and as much as
// the sender sends: ErrMismatch from Wait. source is a rank, or Null: there are no
// wildcards. It does not block. Errors, here as Err: as PsendInit.
func PrecvInit[T any](c *Comm, partitions int, buf []T, source int, tag Tag) *PartitionedRecv {
	r := &PartitionedRecv{c: c, source: source, tag: tag, want: slice(buf), parts: partitions}
	const op = record.OpPrecv
	r.err = c.checkRecv(op, source, tag, &r.want)
	switch {
	case r.err != nil:
	case source == AnySource || tag == AnyTag:
		r.err = c.fail(op.String(), source, tag, fmt.Errorf("%w: partitioned receives have no wildcards", ErrArgument))
	default:
		r.err = c.checkPartitions(op, source, tag, partitions, len(buf))
	}
	if r.err != nil || source == Null {
		return r
	}
	r.hello = make([]byte, setupBytes)
	want := slice(r.hello)
	want.env.Layout = r.want.env.Layout
	r.found = c.in(wire.Partitioned).irecv(op, source, tag, &want)
	r.err = r.found.early()
	return r
}

// Err returns what was wrong with the arguments, or nil.
func (r *PartitionedRecv) Err() error {
	if r == nil || r.c == nil {
		return fmt.Errorf("rank: %w: the partitioned operation is nil or zero", ErrArgument)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// Start begins a round: buf belongs to the receive until Wait returns, apart
// from partitions found Arrived (MPI_Start). Errors: ErrActive if the last round
// has not been waited for.
func (r *PartitionedRecv) Start() error {
	if err := r.Err(); err != nil {
		return err
	}
	first, err := r.begin()
	if first {
		// Without r.mu: whatever else is found complete runs too.
		if _, done, err := r.found.Continue(func(_ Status, err error) { r.greet(err) }); done {
			r.greet(err)
		}
	}
	return err
}

// begin begins a round, and reports whether the sender's setup is yet to be seen
// to.
func (r *PartitionedRecv) begin() (first bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.active {
		return false, r.c.fail("Start", r.source, r.tag, ErrActive)
	}
	r.active = true
	r.round++
	r.reqs = nil
	switch {
	case r.source == Null:
		return false, nil
	case r.met:
		return false, r.post()
	}
	r.news, r.tell = NewRequest(r.c)
	return true, nil
}

// greet takes the sender's setup, or the error of its receive, and posts the
// receives of the round: whenever it comes, since the sender may wait for them
// while this rank waits for something else.
func (r *PartitionedRecv) greet(err error) {
	r.mu.Lock()
	if err == nil {
		err = r.hear()
	}
	if err == nil {
		r.met = true
		err = r.post()
	}
	r.wrong = err
	tell := r.tell
	r.mu.Unlock()
	tell(emptyStatus, nil)
}

// hear reads the setup. r.mu is held.
func (r *PartitionedRecv) hear() error {
	r.setup = setup{
		channel: binary.LittleEndian.Uint64(r.hello),
		parts:   binary.LittleEndian.Uint64(r.hello[8:]),
		bytes:   binary.LittleEndian.Uint64(r.hello[16:]),
	}
	if n := r.want.env.Buf.Len(); r.setup.bytes != uint64(n) || r.setup.parts < 1 || r.setup.parts >= maxPartitions || r.setup.bytes%r.setup.parts != 0 {
		return fmt.Errorf("%w: the sender sends %d bytes in %d partitions, the receiver has room for %d", ErrMismatch, r.setup.bytes, r.setup.parts, n)
	}
	return nil
}

// meet reports whether the round's receives are posted. An error ends the round,
// and all later ones. r.mu is held.
func (r *PartitionedRecv) meet() (bool, error) {
	if r.wrong == nil {
		return r.met || r.source == Null, nil
	}
	r.active = false
	r.err = r.wrong
	if _, told := r.wrong.(*Error); !told {
		r.err = r.c.fail(record.OpPrecv.String(), r.source, r.tag, r.wrong)
	}
	return false, r.err
}

// meetAfter is meet once look has returned, which is called without r.mu, and not
// if the receives are posted already.
func (r *PartitionedRecv) meetAfter(look func(news Request) error) (bool, error) {
	if met, err := r.meet(); met || err != nil {
		return met, err
	}
	news := r.news
	r.mu.Unlock()
	err := look(news)
	r.mu.Lock()
	if err != nil {
		return false, err
	}
	return r.meet()
}

// post posts a receive for each of the sender's partitions. r.mu is held.
func (r *PartitionedRecv) post() error {
	n := int(r.setup.parts)
	size := r.want.env.Buf.Len() / n
	twin := r.c.in(wire.Partition)
	r.reqs = make([]Request, n)
	for i := range r.reqs {
		part := r.want
		part.env.Buf = r.want.env.Buf.Slice(i*size, (i+1)*size)
		r.reqs[i] = twin.irecv(record.OpPrecv, r.source, partTag(r.setup.channel, r.round, i), &part)
		if err := r.reqs[i].early(); err != nil {
			return err
		}
	}
	return nil
}

// Arrived reports whether partition i of the receiver's cut is there, so that
// it may be read (MPI_Parrived). Outside a round it is true. It does not block,
// unless a Wait is under way. Errors: ErrArgument for one that does not exist,
// ErrMismatch, and those of the message.
func (r *PartitionedRecv) Arrived(i int) (bool, error) {
	if err := r.Err(); err != nil {
		return false, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if i < 0 || i >= r.parts {
		return false, r.c.fail("Arrived", r.source, r.tag, fmt.Errorf("%w: partition %d, legal are 0 to %d", ErrArgument, i, r.parts-1))
	}
	if !r.active || r.source == Null {
		return true, nil
	}
	met, err := r.meetAfter(func(news Request) error { _, _, _ = news.Peek(); return nil }) // a look at the links
	if !met || err != nil {
		return false, err
	}
	size, cut := r.want.env.Buf.Len()/r.parts, r.want.env.Buf.Len()/len(r.reqs)
	if size == 0 {
		return true, nil
	}
	for k := i * size / cut; k*cut < (i+1)*size; k++ {
		if _, done, err := r.reqs[k].Peek(); errors.Is(err, ErrRequest) {
			continue // a Wait that its context ended has seen it complete
		} else if !done || err != nil {
			return false, err
		}
	}
	return true, nil
}

// Wait ends the round: it returns when all of buf is there (MPI_Wait). An
// inactive receive is complete, with the empty status. If ctx ends first the
// error is its cause and the round goes on. Errors: ErrMismatch, ErrType, and as
// Recv.
func (r *PartitionedRecv) Wait(ctx context.Context) (Status, error) {
	if err := r.Err(); err != nil {
		return emptyStatus, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.active {
		return emptyStatus, nil
	}
	if r.source == Null {
		r.active = false
		return nullStatus, nil
	}
	_, err := r.meetAfter(func(news Request) error { _, err := news.Wait(ctx); return err })
	var pending *Error
	switch {
	case errors.As(err, &pending) && errors.Is(err, ErrPending):
		return Status{}, r.c.newError(record.OpPrecv.String(), r.source, r.tag, pending.Err)
	case err != nil:
		return Status{}, err
	}
	for _, q := range r.reqs {
		if !q.live() {
			continue
		}
		if _, err := q.Wait(ctx); err != nil {
			if !q.live() {
				r.active = false
			}
			return Status{}, err
		}
	}
	r.active = false
	status := statusOf(engine.Status{Source: r.source, Tag: int64(r.tag), Bytes: r.want.env.Buf.Len()}, r.want.env.Unit)
	return status, nil
}

// Free gives r up (MPI_Request_free). A setup that never came is not waited for
// any more; calls after it are ErrRequest. Errors: ErrActive in a round.
func (r *PartitionedRecv) Free() error {
	if err := r.Err(); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.active {
		return r.c.fail("Free", r.source, r.tag, ErrActive)
	}
	if r.found.live() {
		if err := r.found.Cancel(); err != nil {
			return err
		}
		if err := r.found.Free(); err != nil {
			return err
		}
	}
	r.err = ErrRequest
	return nil
}
