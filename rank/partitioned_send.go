package rank

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/muster-mpi/muster/internal/engine"
	"github.com/muster-mpi/muster/internal/record"
	"github.com/muster-mpi/muster/internal/wire"
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
	b = binary.LittleEndian.AppendUint64(b, uint64(s.want.env.Buf.Len()))
	hello := slice(b)
	hello.env.Layout = s.want.env.Layout
	r := c.in(wire.Partitioned).isend(op, engine.Standard, dest, tag, &hello)
	if s.err = r.early(); s.err == nil {
		s.err = r.Free()
	}
	return s
}

func (c *Comm) checkPartitions(op record.Op, peer int, tag Tag, parts, n int) error {
	if parts < 1 || parts >= maxPartitions || n%parts != 0 {
		return c.fail(op.String(), peer, tag, fmt.Errorf("%w: %d elements in %d partitions; the count must be from 1 to %d and divide them", ErrArgument, n, parts, maxPartitions-1))
	}
	return nil
}

// Err returns what was wrong with the arguments, or nil.
func (s *PartitionedSend) Err() error {
	if s == nil || s.c == nil {
		return fmt.Errorf("rank: %w: the partitioned operation is nil or zero", ErrArgument)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Start begins a round: partitions may be handed over from now on (MPI_Start).
// Errors: ErrActive if the last round has not been waited for.
func (s *PartitionedSend) Start() error {
	if err := s.Err(); err != nil {
		return err
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
	if err := s.Err(); err != nil {
		return err
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
	size := part.env.Buf.Len() / s.parts
	part.env.Buf = part.env.Buf.Slice(i*size, (i+1)*size)
	r := s.c.in(wire.Partition).isend(record.OpPsend, engine.Standard, s.dest, partTag(s.channel, s.round, i), &part)
	if err := r.early(); err != nil {
		return err
	}
	s.reqs = append(s.reqs, r)
	return nil
}

// Wait ends the round: it returns when all partitions may be written again
// (MPI_Wait). All must have been handed over: ErrPending. An inactive send is
// complete. If ctx ends first the error is its cause and the round goes on.
func (s *PartitionedSend) Wait(ctx context.Context) (Status, error) {
	if err := s.Err(); err != nil {
		return emptyStatus, err
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
	if err := s.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.active {
		return s.c.fail("Free", s.dest, s.tag, ErrActive)
	}
	s.err = ErrRequest
	return nil
}
