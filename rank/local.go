package rank

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-mpi/muster/internal/below"
	"github.com/muster-mpi/muster/internal/boot"
	"github.com/muster-mpi/muster/internal/engine"
	"github.com/muster-mpi/muster/internal/hostmem"
)

// LocalOption is a setting of Local.
type LocalOption func(*local)

// OnLeftovers has f called once for each rank after all have ended, with what it
// left uncompleted; not at all if Local returns an error.
func OnLeftovers(f func(rank int, left []Leftover)) LocalOption {
	return func(l *local) { l.onLeft = f }
}

// EagerBytes sets the size up to which messages are sent without asking the
// receiver first, as the launcher's --eager does: 64 KiB if nothing, or no
// positive number, is said, and 1 MiB at most.
func EagerBytes(n int) LocalOption { return func(l *local) { l.eager = n } }

// UnexpectedBytes bounds what a rank holds for messages that no receive has
// asked for, as the launcher's --unexpected does: 64 MiB if nothing, or no
// positive number, is said. Each sender may use its share, that by the number of
// ranks.
func UnexpectedBytes(n int64) LocalOption { return func(l *local) { l.unexpected = n } }

// local is a world of goroutine ranks.
type local struct {
	eager      int
	unexpected int64
	network    string
	after      func() // once the links are closed; may be nil
	onLeft     func(int, []Leftover)

	jobs []*job

	running atomic.Int32 // ranks that have not begun to leave
	stopped gate         // none is running, or the world ended

	mu    sync.Mutex
	cause error // why the world ended early
}

// maxLocal bounds the ranks of one process.
const maxLocal = 1 << 16

// Local runs fn as n ranks, each a goroutine of this process, and returns when
// all have ended: for programs that want ranks without processes, and for tests
// (see package ranktest). The worlds of several Locals have nothing to do with
// each other, nor with a job that the process has joined.
//
// If a rank returns an error, panics, or ends its goroutine, the calls of the
// others fail with ErrAborted, and Local returns the error of the rank that was
// first to fail, once all have ended. A panic becomes an error with its stack.
// Ranks need not call Leave. Errors: ErrArgument if n is not from 1 to
// 65,536 or fn is nil.
func Local(n int, fn func(ctx context.Context, world *Comm) error, opts ...LocalOption) error {
	if n < 1 || n > maxLocal || fn == nil {
		return fmt.Errorf("rank: Local: %w: %d ranks, legal are 1 to %d; or no function", ErrArgument, n, maxLocal)
	}
	l := &local{stopped: gate{ch: make(chan struct{})}}
	l.running.Store(int32(n))
	for _, o := range opts {
		if o != nil {
			o(l)
		}
	}
	if err := l.build(n); err != nil {
		return err
	}
	left := make([][]Leftover, n)
	var done sync.WaitGroup
	for r, j := range l.jobs {
		done.Go(func() { left[r] = l.run(r, j, fn) })
	}
	done.Wait()
	for _, j := range l.jobs {
		below.Leave(j.engine)
		j.engine.Close(ErrLeft)
	}
	for _, j := range l.jobs {
		j.close()
	}
	if l.after != nil {
		l.after()
	}
	if l.onLeft != nil && l.cause == nil {
		for r := range left {
			l.onLeft(r, left[r])
		}
	}
	return l.cause
}

// build makes the ranks' engines and links them.
func (l *local) build(n int) error {
	links, err := l.links(n)
	if err != nil {
		return err
	}
	start, name, memory := time.Now(), boot.LocalHost(), hostmem.New()
	for r := range n {
		j := &job{start: start, hosts: []host{{name: name, last: n - 1}}, stop: l.abort, stopped: l.await, memory: memory}
		j.engine = engine.New(engine.Config{
			Self: r, Size: n, EagerBytes: l.eager, UnexpectedBytes: l.unexpected,
			Crowded: n > runtime.GOMAXPROCS(0),
		})
		below.Begin(j.engine)
		conns, route := links(r, j.engine)
		j.conns = conns
		j.engine.Start(route, conns...)
		if err := j.found(n, r); err != nil {
			return err
		}
		l.jobs = append(l.jobs, j)
	}
	return nil
}

// run is the life of one rank.
func (l *local) run(r int, j *job, fn func(context.Context, *Comm) error) (left []Leftover) {
	returned := false
	defer func() {
		if p := recover(); p != nil {
			l.end(fmt.Errorf("rank %d panicked: %v\n%s", r, p, debug.Stack()))
		} else if !returned {
			l.end(fmt.Errorf("rank %d: %w", r, errExited))
		}
	}()
	ctx := context.Background()
	if err := fn(ctx, j.world); err != nil {
		returned = true
		if !j.named(err) {
			err = fmt.Errorf("rank %d: %w", r, err)
		}
		l.end(err)
		return nil
	}
	var err error
	if !j.leaving.Swap(true) {
		if err = clearAttributes(ErrLeft, j.self, j.world); err == nil {
			err = j.leave(ctx)
		}
	}
	returned = true
	if err != nil {
		l.end(fmt.Errorf("rank %d: Leave: %w", r, err))
	}
	return j.left
}

// await returns when all ranks have come here: none starts anything any more,
// and so what one finds uncompleted is final.
func (l *local) await(ctx context.Context) error {
	if l.running.Add(-1) == 0 {
		l.stopped.open()
	}
	select {
	case <-l.stopped.ch:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

var errExited = errors.New("goroutine ended before its function returned")

// end makes err the reason why the world ends, unless there is one.
func (l *local) end(err error) {
	l.mu.Lock()
	first := l.cause == nil
	if first {
		l.cause = err
	}
	l.mu.Unlock()
	if first {
		l.stopped.open()
		for _, j := range l.jobs {
			j.engine.Close(fmt.Errorf("%w: %w", ErrAborted, err))
		}
	}
}

// abort is Comm.Abort of any rank.
func (l *local) abort(code int, reason string) {
	l.end(fmt.Errorf("%w with code %d: %s", ErrAborted, code, reason))
}
