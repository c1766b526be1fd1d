package testbed

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"
)

// Weather is what a Relay does to the bytes that pass it. The zero value does nothing.
type Weather struct {
	Delay  time.Duration // one way
	Jitter time.Duration // added to Delay, evenly from nothing to this; bytes stay in order
	Rate   float64       // bytes a second each way of a connection; 0 is no limit
	Flip   float64       // one bit is turned over in so many bytes, on average; 0 is none
}

// A Relay passes TCP connections on to another address, in the weather that it is told.
// The flips of the nth connection's bytes depend on the seed, n and the direction only, not
// on how the bytes are split or when they come, as long as Flip stays the same.
type Relay struct {
	target string
	seed   uint64
	listen net.Listener
	work   sync.WaitGroup

	mu      sync.Mutex
	weather Weather
	pass    chan struct{} // closed while bytes may pass
	links   map[*link]struct{}
	count   uint64 // connections so far
	closed  bool
}

// NewRelay starts a relay to a TCP address for the time of the test. It listens at
// 127.0.0.1.
func NewRelay(t testing.TB, target string, seed uint64) *Relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &Relay{target: target, seed: seed, listen: l, pass: make(chan struct{}), links: make(map[*link]struct{})}
	close(r.pass)
	r.work.Go(r.accept)
	t.Cleanup(func() {
		l.Close()
		r.mu.Lock()
		r.closed = true
		r.mu.Unlock()
		r.Cut()
		r.work.Wait()
	})
	return r
}

// Address returns where the relay listens.
func (r *Relay) Address() string { return r.listen.Addr().String() }

// Set changes the weather for the bytes that come to the relay from now on.
func (r *Relay) Set(w Weather) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.weather = w
}

// Cut resets every connection that there is now. New ones pass.
func (r *Relay) Cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for l := range r.links {
		l.cut()
	}
}

// Stall lets nothing pass any more, nor the end of a connection, and breaks none. New
// connections are taken and hear nothing.
func (r *Relay) Stall() {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.pass:
		r.pass = make(chan struct{})
	default:
	}
}

// Resume ends a stall. No byte is lost by it.
func (r *Relay) Resume() {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.pass:
	default:
		close(r.pass)
	}
}

func (r *Relay) accept() {
	for {
		c, err := r.listen.Accept()
		if err != nil {
			return
		}
		r.mu.Lock()
		l := &link{relay: r, number: r.count, near: c.(*net.TCPConn)}
		var ctx context.Context
		ctx, l.end = context.WithCancel(context.Background())
		l.gone = ctx.Done()
		r.count++
		if r.closed {
			l.cut()
		} else {
			r.links[l] = struct{}{}
			r.work.Go(func() { l.run(ctx) })
		}
		r.mu.Unlock()
	}
}

// A link is one connection through the relay.
type link struct {
	relay  *Relay
	number uint64
	near   *net.TCPConn
	far    *net.TCPConn // under the relay's mutex until both ways run
	end    context.CancelFunc
	gone   <-chan struct{} // closed when the link is cut
}

// cut resets both sides. The relay's mutex is held.
func (l *link) cut() {
	l.end()
	for _, c := range []*net.TCPConn{l.near, l.far} {
		if c != nil {
			c.SetLinger(0) // without effect on one that is closed
			c.Close()
		}
	}
}

func (l *link) run(ctx context.Context) {
	r := l.relay
	defer func() {
		r.mu.Lock()
		l.end()
		delete(r.links, l)
		r.mu.Unlock()
	}()
	far, err := new(net.Dialer).DialContext(ctx, "tcp", r.target)
	r.mu.Lock()
	if err == nil {
		l.far = far.(*net.TCPConn)
	}
	if err != nil || ctx.Err() != nil {
		l.cut()
	}
	r.mu.Unlock()
	if l.far == nil {
		return
	}
	var ways sync.WaitGroup
	ways.Go(func() { l.way(l.far, l.near, 0) })
	ways.Go(func() { l.way(l.near, l.far, 1) })
	ways.Wait()
	l.near.Close()
	l.far.Close()
}

// held is how many bytes of a way may be under way, for which the relay has memory.
const held = 16 << 20

// A parcel is bytes and when they are due, or the end of the stream.
type parcel struct {
	bytes []byte
	due   time.Time
}

// way carries what comes from one side to the other until its end.
func (l *link) way(to, from *net.TCPConn, direction uint64) {
	const size = 16 << 10
	parcels := make(chan parcel, held/size)
	var carried sync.WaitGroup
	carried.Go(func() { l.deliver(to, parcels) })
	defer carried.Wait()
	defer close(parcels)
	flips := newFlipper(l.relay.seed, 2*l.number+direction)
	jitter := rand.New(rand.NewPCG(l.relay.seed, ^(2*l.number + direction)))
	var free, last time.Time // when the wire is free again; when the parcel before is due
	for {
		b := make([]byte, size)
		n, err := from.Read(b)
		now := time.Now()
		l.relay.mu.Lock()
		w := l.relay.weather
		l.relay.mu.Unlock()
		flips.flip(b[:n], w.Flip)
		if free.Before(now) {
			free = now
		}
		if w.Rate > 0 {
			free = free.Add(time.Duration(float64(n) / w.Rate * float64(time.Second)))
		}
		due := free.Add(w.Delay)
		if w.Jitter > 0 {
			due = due.Add(time.Duration(jitter.Int64N(int64(w.Jitter) + 1)))
		}
		if due.Before(last) {
			due = last
		}
		last = due
		select {
		case parcels <- parcel{b[:n], due}:
		case <-l.gone:
			return
		}
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil { // a reset is passed on as one
			l.relay.mu.Lock()
			l.cut()
			l.relay.mu.Unlock()
			return
		}
	}
}

// deliver writes parcels when they are due, and then the end of the stream.
func (l *link) deliver(to *net.TCPConn, parcels <-chan parcel) {
	clock := time.NewTimer(0)
	defer clock.Stop()
	for p := range parcels {
		clock.Reset(time.Until(p.due))
		select {
		case <-clock.C:
		case <-l.gone:
		}
		l.relay.mu.Lock()
		pass := l.relay.pass
		l.relay.mu.Unlock()
		select {
		case <-pass:
		case <-l.gone:
		}
		if len(p.bytes) == 0 {
			continue
		}
		if _, err := to.Write(p.bytes); err != nil {
			l.relay.mu.Lock()
			l.cut()
			l.relay.mu.Unlock()
		}
	}
	to.CloseWrite()
}

// A flipper turns bits of a stream over.
type flipper struct {
	rand *rand.Rand
	wait float64 // until the next, in units of the mean distance
}

func newFlipper(seed, stream uint64) *flipper {
	f := &flipper{rand: rand.New(rand.NewPCG(seed, stream))}
	f.wait = f.rand.ExpFloat64()
	return f
}

// flip turns over one bit of every so many bytes on average.
func (f *flipper) flip(b []byte, every float64) {
	if every <= 0 {
		return
	}
	for i := range b {
		if f.wait -= 1 / every; f.wait > 0 {
			continue
		}
		b[i] ^= 1 << f.rand.IntN(8)
		f.wait = f.rand.ExpFloat64()
	}
}
