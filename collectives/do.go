package collectives

import (
	"context"
	"fmt"
	"unsafe"

	"github.com/muster-mpi/muster/collectives/schedule"
	"github.com/muster-mpi/muster/internal/record"
	"github.com/muster-mpi/muster/rank"
)

// do carries the call out and returns when this rank's part is done.
func (p *plan[T]) do(ctx context.Context) error {
	if p.err != nil {
		return p.fail(blocking, p.err)
	}
	s, err := stateOf(p.c)
	if err != nil {
		return p.fail(blocking, err)
	}
	mark := uint32(p.call.Op) + 1
	if !s.busy.CompareAndSwap(0, mark) {
		return p.fail(blocking, s.whyBusy())
	}
	if ctx == nil {
		ctx = context.Background()
	}
	b := boxOf[T](s.main)
	b.plan = *p
	records := s.below.Engine.Records()
	s.main.record = records.Begin(record.OpCollective+record.Op(p.call.Op), s.below.Context.Number(), record.NoPeer, record.NoTag, p.bytes())
	if p.pack != nil {
		p.pack()
	}
	if err = b.plan.carryOut(ctx, s, s.main, blocking); err == nil && p.unpack != nil {
		p.unpack()
	}
	s.main.record.End(records)
	b.plan.forget()
	if !s.busy.CompareAndSwap(mark, 0) { // the communicator was freed meanwhile
		s.busy.Store(closing)
		s.finishClosing()
	}
	return p.fail(blocking, err)
}

// forget drops the program's memory and functions, which a plan that is over must not
// keep alive. To clear all of it takes three times as long.
func (p *plan[T]) forget() {
	p.mem, p.op, p.result = [schedule.Buffers][]T{}, Op[T]{}, nil
	p.pack, p.unpack, p.byHand = nil, nil, nil
}

// bytes is the size of the call as a record has it: of its vector or block.
func (p *plan[T]) bytes() int64 {
	var zero T
	if p.call.Op == schedule.Barrier {
		return -1
	}
	return int64(p.call.Count) * int64(unsafe.Sizeof(zero))
}

// box is where a blocking call's plan lies while it is carried out: what is passed to
// the program's functions would else be made anew each time.
type box[T any] struct {
	plan    plan[T]
	sharing sharing[T]
}

// boxOf returns r's box for T; another than the last if T has changed.
func boxOf[T any](r *run) *box[T] {
	b, ok := r.box.(*box[T])
	if !ok {
		b = new(box[T])
		r.box = b
	}
	return b
}

// carryOut is do on r.
func (p *plan[T]) carryOut(ctx context.Context, s *state, r *run, m mode) error {
	if err := s.refused(); err != nil {
		return err
	}
	if err := context.Cause(ctx); err != nil {
		return fmt.Errorf("%w: %w", rank.ErrCancelled, err) // nothing was begun
	}
	if m == blocking && p.byHand == nil && p.call.Size > 1 {
		if done, err := p.share(ctx, s, r); done {
			return s.failed(ctx, err)
		}
	}
	var c *compiled
	var algorithm string
	if p.byHand == nil {
		var err error
		if c, err = p.compile(s); err != nil {
			return err
		}
		algorithm = c.algorithm
	}
	r.call = p.describe(r, m, algorithm)
	if err := s.number(r); err != nil {
		s.done(r)
		s.giveUpAll(err)
		return err
	}
	return p.finish(ctx, s, r, c)
}

// finish carries out a call that has its number.
func (p *plan[T]) finish(ctx context.Context, s *state, r *run, c *compiled) error {
	defer s.done(r)
	if c != nil && p.call.Size == 1 && len(c.Steps) == 0 {
		return nil
	}
	r.label(r.number, r.call.mode == persistent)
	r.patience.begin(ctx)
	var err error
	if c != nil {
		err = execute(r, c, p.mem, p.op.Apply)
	} else {
		err = p.byHand(r)
	}
	r.patience.finish()
	return s.failed(ctx, err)
}

// failed ends the communicator's collectives if a call was begun and came to err. It
// returns err, or that ctx has ended the call. Nil stays nil.
func (s *state) failed(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil {
		err = fmt.Errorf("%w: %w", rank.ErrCancelled, cause)
	}
	s.giveUpAll(err)
	return err
}

// concurrentError is rank.ErrConcurrent of a collective.
type concurrentError struct{ other string }

func (e *concurrentError) Error() string {
	return "two goroutines make collectives on one communicator, whose order must be the same on all ranks: another is under way" + e.other + "; give one of them a Dup"
}

func (e *concurrentError) Is(target error) bool { return target == rank.ErrConcurrent }

// whyBusy returns why a blocking call cannot begin: another is under way, or the
// communicator was freed.
func (s *state) whyBusy() error {
	busy, other := s.busy.Load(), ""
	if busy&closing != 0 {
		return rank.ErrFreed
	}
	if busy > 0 { // it may be over by now
		other = ", " + schedule.Operation(busy-1).String()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.main.site != "" {
		other += " at " + s.main.site
	}
	return &concurrentError{other}
}
