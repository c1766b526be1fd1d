package collectives

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/muster-mpi/muster/internal/engine"
	"github.com/muster-mpi/muster/internal/hostmem"
	"github.com/muster-mpi/muster/rank"
)

// The arrivals word has the number of ranks in its top bits, and below it the sum of
// what they call: if all call the same it is that many times the fingerprint.
const (
	arrivalShift = 48
	printMask    = 1<<32 - 1
	unequal      = 1 << 31 // in generation: the ranks' calls differ
)

// errUnequal says that the ranks of a barrier have come to it by different calls.
var errUnequal = errors.New("calls differ")

// barrier returns once all ranks have called it. print is the call's fingerprint.
// Errors: errUnequal, on all ranks; those of waitFor. After one no barrier follows.
func (m *memory) barrier(ctx context.Context, r *run, print uint64) error {
	print &= printMask
	if m.p == 2 {
		return m.pass(ctx, r, print)
	}
	next := (m.passed + 1) &^ unequal
	if n := m.arrivals.Add(1<<arrivalShift + print); int(n>>arrivalShift) == m.p {
		word := next
		if n&(1<<arrivalShift-1) != print*uint64(m.p) {
			word |= unequal
		}
		m.arrivals.Store(0)
		m.over.Store(word)
		m.wake(m.over)
	} else {
		m.waiting.next = next
		if !m.waiting.Ready() {
			if err := r.waitFor(ctx, &m.waiting); err != nil {
				return err
			}
		}
	}
	m.passed = next
	if m.over.Load() == next|unequal {
		return errUnequal
	}
	return nil
}

// pass is the barrier of two: each raises its flag and looks at the other's, so that
// one line travels each way, at the same time. What is written beside a flag before it
// is raised travels along.
func (m *memory) pass(ctx context.Context, r *run, print uint64) error {
	own, other, next := m.flags[m.me][m.half], m.flags[1-m.me][m.half], m.passed+1
	own.Store(uint64(next)<<32 | print)
	m.wake(upper(own))
	m.waiting.next, m.waiting.flag = next, other
	if !m.waiting.Ready() {
		if err := r.waitFor(ctx, &m.waiting); err != nil {
			return err
		}
	}
	m.passed = next
	if other.Load()&printMask != print {
		return errUnequal
	}
	return nil
}

// waitFor waits for a, which was not ready. Errors: those of engine.Await and idle.
func (r *run) waitFor(ctx context.Context, a engine.Awaited) error {
	return r.state.below.Engine.Await(ctx, r.state.below.Context, a, r.idle)
}

// upper is the half of a flag that has the number of the barrier, which is what a
// sleeper sleeps on.
func upper(flag *atomic.Uint64) *atomic.Uint32 {
	const at = 4 // of a little-endian word, as all are that have this memory
	return (*atomic.Uint32)(unsafe.Add(unsafe.Pointer(flag), at))
}

// wake wakes who sleeps on word, which has been written.
func (m *memory) wake(word *atomic.Uint32) {
	if m.slot.Parking != nil {
		m.slot.Parking.Wake()
	} else if m.sleepers.Load() > 0 {
		hostmem.FutexWake(word)
	}
}

// waiting is the end of a barrier, as this rank waits for it (engine.Awaited).
type waiting struct {
	m     *memory
	next  uint32
	flag  *atomic.Uint64 // of the other of two ranks; nil: generation
	ready func() bool    // kept, since a method value is made anew each time
}

// Ready reports whether the barrier is over. The one after it cannot be, since this
// rank has not come to it.
func (w *waiting) Ready() bool {
	if w.flag != nil {
		// The other may have gone on to the next barrier of this half already.
		return int32(uint32(w.flag.Load()>>32)-w.next) >= 0
	}
	return w.m.over.Load()&^unequal == w.next
}

// Sleep sleeps on the word that Ready reads.
func (w *waiting) Sleep(d time.Duration) {
	word := w.m.over
	if w.flag != nil {
		word = upper(w.flag)
	}
	w.m.sleep(word, w.ready, d)
}

// sleep returns once awake is true, or after d, or for no reason. word is what awake
// looks at. No wake is lost: who writes to word looks for sleepers after that, and a
// sleeper counts itself in before it looks at word.
func (m *memory) sleep(word *atomic.Uint32, awake func() bool, d time.Duration) {
	if m.slot.Parking != nil {
		m.slot.Parking.Sleep(&m.sleeper, awake, d)
		return
	}
	m.sleepers.Add(1)
	if now := word.Load(); !awake() {
		hostmem.FutexWait(word, now, d)
	}
	m.sleepers.Add(^uint32(0))
}

// idle is called now and then while a rank sleeps in a barrier.
func (r *run) idle() error {
	if err := r.state.spoiled(); err != nil {
		return err
	}
	if r.naps++; r.naps == napsBeforeNote {
		r.setSite(engine.CallSite())
	}
	if r.naps%napsBetweenNotes == napsBeforeNote {
		r.inquire(r.state.others()) // again, for who has not come to any call yet
	}
	return nil
}

// Naps are of 20 ms, if nothing disturbs them.
const (
	napsBeforeNote   = 5
	napsBetweenNotes = 25
)

// explain turns errUnequal into who calls what: everybody tells everybody.
func (r *run) explain(ctx context.Context) error {
	r.setSite(engine.CallSite())
	r.inquire(r.state.others())
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		if err := r.state.spoiled(); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-timer.C:
			return fmt.Errorf("%w: this rank calls %v", rank.ErrMismatch, r.call)
		}
	}
}
