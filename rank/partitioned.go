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

// Partitioned communication (MPI 4.1 §4): a message whose parts are handed over
// as they get ready, by any goroutine in any order. The two sides meet once, in
// the order of their Init calls, in a matching space of their own: the sender
// tells its channel and how it cuts the message. From then on each round of
// each partition is a message of its own in another space, tagged with channel,
// round and partition, so that credits, rendezvous and order are the engine's.

// setup is what the sender tells at Init.
type setup struct {
	channel uint64
	parts   uint64
	bytes   uint64
}

const setupBytes = 24

// partTag is the tag of partition i in a round of a channel. Rounds follow each
// other in order on a link, so the two lowest bits of their count tell them
// apart.
func partTag(channel uint64, round, i int) Tag {
	return Tag(channel<<34 | uint64(i)<<2 | uint64(round&3))
}

const (
	maxPartitions = 1 << 31
	maxChannels   = 1 << 28
)

// PartitionedSend is the sending side of a partitioned message (MPI 4.1 §4.2): one
// that is handed over part by part, by any goroutine in any order, in any number
// of rounds.
type PartitionedSend struct {
	c       *Comm
	dest    int
	tag     Tag
	want    payload
	parts   int
	channel uint64
	err     error

	mu     sync.Mutex
	active bool
	round  int
	ready  []bool
	left   int
	reqs   []Request
}

// PsendInit makes a partitioned send of buf in partitions equal parts
// (MPI_Psend_init). len(buf) must be a multiple of partitions. The receiver may
// cut the same bytes otherwise. PsendInit and PrecvInit with the same tag match in
// the order of the calls, apart from all other messages. It does not block.
// Errors, here as Err: ErrArgument, ErrRank, ErrTag, ErrElement, ErrComm,
// ErrFreed, ErrFailed.
func PsendInit[T any](c *Comm, partitions int, buf []T, dest int, tag Tag) *PartitionedSend {
	s := &PartitionedSend{c: c, dest: dest, tag: tag, want: slice(buf), parts: partitions}
	const op = record.OpPsend
	if s.err = c.checkSend(op, dest, tag, &s.want); s.err == nil {
		s.err = c.checkPartitions(op, dest, tag, partitions, len(buf))
	}
	if s.err != nil || dest == Null {
		return s
	}
	s.channel = c.job.channels.Add(1)
	if s.channel >= maxChannels {
		s.err = c.fail(op.String(), dest, tag, fmt.Errorf("%w: more than %d partitioned sends", ErrArgument, maxChannels))
		return s
	}
	b := binary.LittleEndian.AppendUint64(nil, s.channel)
	b = binary.LittleEndian.AppendUint64(b, uint64(partitions))
	b = binary.LittleEndian.AppendUint64(b, uint64(s.want.buf.Len()))
	hello := slice(b)
	hello.layout = s.want.layout
	r := c.in(wire.Partitioned).isend(op, engine.Standard, dest, tag, hello)
	if s.err = r.early; s.err == nil {
		s.err = r.Free()
	}
	return s
}

// in returns c seen in another of its matching spaces.
func (c *Comm) in(s wire.Space) *Comm {
	t := &Comm{job: c.job, ctx: c.ctx, space: s, group: c.group, self: c.self, name: c.Name()}
	t.policy.Store(c.policy.Load())
	return t
}

func (c *Comm) checkPartitions(op record.Op, peer int, tag Tag, parts, n int) error {
	if parts < 1 || parts >= maxPartitions || n%parts != 0 {
		return c.fail(op.String(), peer, tag, fmt.Errorf("%w: %d elements in %d partitions; the count must be from 1 to %d and divide them", ErrArgument, n, parts, maxPartitions-1))
	}
	return nil
}

// Err returns what was wrong with the arguments, or nil.
func (s *PartitionedSend) Err() error { return s.err }

// Start begins a round: partitions may be handed over from now on (MPI_Start).
// Errors: ErrActive if the last round has not been waited for.
func (s *PartitionedSend) Start() error {
	if s.err != nil {
		return s.err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.active {
		return s.c.fail("Start", s.dest, s.tag, ErrActive)
	}
	s.active = true
	s.round++
	s.ready = make([]bool, s.parts)
	s.left = s.parts
	s.reqs = s.reqs[:0]
	return nil
}

// Ready hands partitions over: they may be read by the send and must not be
// written until Wait returns (MPI_Pready, MPI_Pready_list). It does not block,
// and several goroutines may call it. Each partition is handed over once in a
// round. Errors: ErrInactive outside a round; ErrArgument for one that does not
// exist or was handed over before, and those after it are not handed over; as
// Isend.
func (s *PartitionedSend) Ready(partitions ...int) error {
	if s.err != nil {
		return s.err
	}
	for _, i := range partitions {
		if err := s.handOver(i); err != nil {
			return err
		}
	}
	return nil
}

// ReadyRange is Ready of the partitions first to last, which is one of them
// (MPI_Pready_range).
func (s *PartitionedSend) ReadyRange(first, last int) error {
	for i := first; i <= last; i++ {
		if err := s.Ready(i); err != nil {
			return err
		}
	}
	return nil
}

func (s *PartitionedSend) handOver(i int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	switch {
	case !s.active:
		err = ErrInactive
	case i < 0 || i >= s.parts:
		err = fmt.Errorf("%w: partition %d, legal are 0 to %d", ErrArgument, i, s.parts-1)
	case s.ready[i]:
		err = fmt.Errorf("%w: partition %d was handed over already", ErrArgument, i)
	}
	if err != nil {
		return s.c.fail("Ready", s.dest, s.tag, err)
	}
	s.ready[i] = true
	s.left--
	if s.dest == Null {
		return nil
	}
	part := s.want
	size := part.buf.Len() / s.parts
	part.buf = part.buf.Slice(i*size, (i+1)*size)
	r := s.c.in(wire.Partition).isend(record.OpPsend, engine.Standard, s.dest, partTag(s.channel, s.round, i), part)
	if r.early != nil {
		return r.early
	}
	s.reqs = append(s.reqs, r)
	return nil
}

// Wait ends the round: it returns when all partitions may be written again
// (MPI_Wait). All must have been handed over: ErrPending. An inactive send is
// complete. If ctx ends first the error is its cause and the round goes on.
func (s *PartitionedSend) Wait(ctx context.Context) (Status, error) {
	if s.err != nil {
		return emptyStatus, s.err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.active {
		return emptyStatus, nil
	}
	if s.left > 0 {
		return Status{}, s.c.fail("Wait", s.dest, s.tag, fmt.Errorf("%w: %d of %d partitions were not handed over", ErrPending, s.left, s.parts))
	}
	for i, r := range s.reqs {
		if !r.live() {
			continue
		}
		if _, err := r.Wait(ctx); err != nil && r.live() {
			s.reqs = s.reqs[i:]
			return Status{}, err
		} else if err != nil {
			s.active = false
			return Status{}, err
		}
	}
	s.active = false
	return emptyStatus, nil
}

// Free gives s up (MPI_Request_free); calls after it are ErrRequest. Errors:
// ErrActive in a round.
func (s *PartitionedSend) Free() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.active {
		return s.c.fail("Free", s.dest, s.tag, ErrActive)
	}
	s.err = ErrRequest
	return nil
}

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
	met    bool
	active bool
	round  int
	reqs   []Request // by the sender's partition; made once the setup is here
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
	want.layout = r.want.layout
	r.found = c.in(wire.Partitioned).irecv(op, source, tag, want)
	r.err = r.found.early
	return r
}

// Err returns what was wrong with the arguments, or nil.
func (r *PartitionedRecv) Err() error { return r.err }

// Start begins a round: buf belongs to the receive until Wait returns, apart
// from partitions found Arrived (MPI_Start). Errors: ErrActive if the last round
// has not been waited for.
func (r *PartitionedRecv) Start() error {
	if r.err != nil {
		return r.err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.active {
		return r.c.fail("Start", r.source, r.tag, ErrActive)
	}
	r.active = true
	r.round++
	r.reqs = nil
	if r.source == Null {
		return nil
	}
	if r.met {
		return r.post()
	}
	return nil
}

// meet takes the sender's setup, which wait says how to wait for, and posts the
// round's receives. r.mu is held.
func (r *PartitionedRecv) meet(wait func(Request) (bool, error)) (bool, error) {
	if r.source == Null || r.reqs != nil {
		return true, nil
	}
	if !r.met {
		if done, err := wait(r.found); !done || err != nil {
			return false, err
		}
		r.setup = setup{
			channel: binary.LittleEndian.Uint64(r.hello),
			parts:   binary.LittleEndian.Uint64(r.hello[8:]),
			bytes:   binary.LittleEndian.Uint64(r.hello[16:]),
		}
		if n := r.want.buf.Len(); r.setup.bytes != uint64(n) || r.setup.parts < 1 || r.setup.parts >= maxPartitions || r.setup.bytes%r.setup.parts != 0 {
			r.active = false
			r.err = r.c.fail(record.OpPrecv.String(), r.source, r.tag, fmt.Errorf("%w: the sender sends %d bytes in %d partitions, the receiver has room for %d", ErrMismatch, r.setup.bytes, r.setup.parts, n))
			return false, r.err
		}
		r.met = true
	}
	return true, r.post()
}

// post posts a receive for each of the sender's partitions. r.mu is held.
func (r *PartitionedRecv) post() error {
	n := int(r.setup.parts)
	size := r.want.buf.Len() / n
	twin := r.c.in(wire.Partition)
	r.reqs = make([]Request, n)
	for i := range r.reqs {
		part := r.want
		part.buf = r.want.buf.Slice(i*size, (i+1)*size)
		r.reqs[i] = twin.irecv(record.OpPrecv, r.source, partTag(r.setup.channel, r.round, i), part)
		if err := r.reqs[i].early; err != nil {
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
	if r.err != nil {
		return false, r.err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if i < 0 || i >= r.parts {
		return false, r.c.fail("Arrived", r.source, r.tag, fmt.Errorf("%w: partition %d, legal are 0 to %d", ErrArgument, i, r.parts-1))
	}
	if !r.active || r.source == Null {
		return true, nil
	}
	if met, err := r.meet(func(q Request) (bool, error) { _, done, err := q.Test(); return done, err }); !met || err != nil {
		return false, err
	}
	size, cut := r.want.buf.Len()/r.parts, r.want.buf.Len()/len(r.reqs)
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
	if r.err != nil {
		return emptyStatus, r.err
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
	if _, err := r.meet(func(q Request) (bool, error) { _, err := q.Wait(ctx); return err == nil, err }); err != nil {
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
	status := r.want.status(engine.Status{Source: r.source, Tag: int64(r.tag), Bytes: r.want.buf.Len()})
	return status, nil
}

// Free gives r up (MPI_Request_free). A setup that never came is not waited for
// any more; calls after it are ErrRequest. Errors: ErrActive in a round.
func (r *PartitionedRecv) Free() error {
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
