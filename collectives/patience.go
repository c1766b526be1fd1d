package collectives

import (
	"context"
	"reflect"
	"sync"
	"sync/atomic"
	"time"
)

// patience is the context of a call's waits. It ends each wait after a while, so
// that the call can ask its peers what they are doing, and then begins anew; and
// it ends when the caller's context does. It costs an 8-byte call nothing: a timer
// goes on for as long as calls follow each other, and looks whether the one under
// way is still the one it saw last.
type patience struct {
	caller context.Context
	call   atomic.Uint64 // odd while one is under way
	armed  atomic.Bool

	followed context.Context // whose end ends the wait under way
	stop     func() bool     // following it

	mu    sync.Mutex // guards what follows, and what armed becomes
	timer *time.Timer
	saw   uint64 // call at the last tick
	done  chan struct{}
	fired bool // done is closed
}

// patienceFor is how long a wait goes on before peers are asked.
const patienceFor = 100 * time.Millisecond

func (p *patience) init() { p.done = make(chan struct{}) }

// begin starts a call under the caller's context.
func (p *patience) begin(ctx context.Context) {
	p.caller = ctx
	if ctx.Done() != nil {
		p.follow(ctx)
	}
	p.call.Add(1)
	if !p.armed.Load() {
		p.arm()
	}
}

// follow has ctx's end end the wait under way. Programs make many calls under one
// context, so it is followed until another comes.
func (p *patience) follow(ctx context.Context) {
	if p.stop != nil && reflect.TypeOf(ctx).Comparable() && p.followed == ctx {
		return
	}
	p.unfollow()
	p.followed, p.stop = ctx, context.AfterFunc(ctx, p.end)
}

func (p *patience) unfollow() {
	if p.stop != nil {
		p.stop()
		p.stop, p.followed = nil, nil
	}
}

// finish ends a call.
func (p *patience) finish() {
	p.call.Add(1)
	p.caller = nil
	if p.mu.Lock(); p.fired {
		p.renew()
	}
	p.mu.Unlock()
}

// arm starts the timer, which stops by itself when a while has passed without a call.
func (p *patience) arm() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.armed.Swap(true) {
		return
	}
	p.saw = 0
	if p.timer == nil {
		p.timer = time.AfterFunc(patienceFor, p.tick)
	} else {
		p.timer.Reset(patienceFor)
	}
}

// tick ends the wait of a call that was under way at the last tick too.
func (p *patience) tick() {
	p.mu.Lock()
	defer p.mu.Unlock()
	call := p.call.Load()
	if call%2 == 0 && call == p.saw {
		p.armed.Store(false) // nothing happens any more
		if p.call.Load() == call {
			return
		}
		p.armed.Store(true)
	}
	if call%2 == 1 && call == p.saw && !p.fired {
		p.fired = true
		close(p.done)
	}
	p.saw = call
	p.timer.Reset(patienceFor)
}

// end ends the wait under way, and no other follows it.
func (p *patience) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.fired {
		p.fired = true
		close(p.done)
	}
}

// over returns why no further wait is to begin, if so, and lets one begin
// otherwise.
func (p *patience) over() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fired {
		p.renew()
	}
	return context.Cause(p.caller)
}

func (p *patience) renew() { p.fired, p.done = false, make(chan struct{}) }

func (p *patience) Deadline() (time.Time, bool) { return time.Time{}, false }
func (p *patience) Value(any) any               { return nil }

func (p *patience) Done() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.done
}

// Err is context.Canceled for a wait that ended, whatever the reason.
func (p *patience) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fired {
		return context.Canceled
	}
	return nil
}
