package hostmem

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Parking is where goroutines of one process wait for each other.
type Parking struct {
	mu       sync.Mutex
	sleepers []*Sleeper
	asleep   atomic.Int32 // len(sleepers)
}

// Sleeper is what a goroutine needs to sleep. One sleep at a time.
type Sleeper struct {
	ch    chan struct{}
	timer *time.Timer
}

// Sleep returns once awake is true, or after d, or for no reason. It looks whenever
// somebody calls Wake.
func (p *Parking) Sleep(s *Sleeper, awake func() bool, d time.Duration) {
	if s.ch == nil {
		s.ch, s.timer = make(chan struct{}, 1), time.NewTimer(d)
	} else {
		s.timer.Reset(d)
	}
	p.mu.Lock()
	p.sleepers = append(p.sleepers, s)
	p.asleep.Add(1)
	p.mu.Unlock()
	// Whoever changes what is awaited now sees a sleeper.
	if !awake() {
		select {
		case <-s.ch:
			s.timer.Stop()
			return
		case <-s.timer.C:
		}
	}
	s.timer.Stop()
	p.mu.Lock()
	if i := slices.Index(p.sleepers, s); i >= 0 {
		p.sleepers = slices.Delete(p.sleepers, i, i+1)
		p.asleep.Add(-1)
	}
	p.mu.Unlock()
	select {
	case <-s.ch: // woken meanwhile
	default:
	}
}

// Wake has all sleepers look again. It costs one load where nobody sleeps.
func (p *Parking) Wake() {
	if p.asleep.Load() == 0 {
		return
	}
	p.mu.Lock()
	for _, s := range p.sleepers {
		s.ch <- struct{}{}
	}
	p.sleepers = p.sleepers[:0]
	p.asleep.Store(0)
	p.mu.Unlock()
}
