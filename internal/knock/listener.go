package knock

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// HalfOpen is how many connections a Room is for by default.
const HalfOpen = 64

// Room is for connections that are on their way through the handshake. Where one more
// comes than there are places, the oldest of the host that has the most of them is
// closed. Ports that share a Room share its places.
type Room struct {
	places int

	mu      sync.Mutex
	pending []*visit  // oldest first
	heard   int       // pending, and closed but still being heard
	left    sync.Cond // one of them has ended
}

// NewRoom returns a Room with so many places.
func NewRoom(places int) *Room {
	r := &Room{places: max(1, places)}
	r.left.L = &r.mu
	return r
}

// Listener hands out the connections of a port that have proven to be of the job.
// Junk never reaches its owner: what has proven nothing is bounded by a Room. A legal
// dialler for whom there was no place tries again.
type Listener struct {
	inner   net.Listener
	job     [16]byte
	keyOf   func(Knock) []byte
	foreign func(*Foreign)
	room    *Room
	proven  chan *Caller
	done    chan struct{} // closed by Close
	ended   sync.WaitGroup

	mu     sync.Mutex
	closed bool
	err    error
	told   time.Time
}

// visit is a connection that has proven nothing yet.
type visit struct {
	conn net.Conn
	host netip.Addr
	at   *Listener
}

// Config says whose port it is.
type Config struct {
	Job [16]byte
	// Key returns the key for a knock of this job that nobody has proven yet; nil
	// refuses it. It is called by several goroutines.
	Key func(Knock) []byte
	// Foreign hears of well-formed knocks of another job or with another key, at
	// most once a second, however many come. May be nil.
	Foreign func(*Foreign)
	// Room is where connections wait that have proven nothing. Nil: one of its own,
	// for HalfOpen.
	Room *Room
}

// Listen takes over inner and begins to accept.
func Listen(inner net.Listener, c Config) *Listener {
	l := &Listener{
		inner: inner, job: c.Job, keyOf: c.Key, foreign: c.Foreign, room: c.Room,
		proven: make(chan *Caller), done: make(chan struct{}),
	}
	if l.room == nil {
		l.room = NewRoom(HalfOpen)
	}
	l.ended.Go(l.accept)
	return l
}

// Accept waits for the next connection that has proven to be of the job. The caller
// answers it and, unless it accepts, closes it. After Close the error is
// net.ErrClosed.
func (l *Listener) Accept() (*Caller, error) {
	select {
	case c := <-l.proven:
		return c, nil
	case <-l.done:
		l.mu.Lock()
		defer l.mu.Unlock()
		return nil, l.err
	}
}

// Addr returns where the port is.
func (l *Listener) Addr() net.Addr { return l.inner.Addr() }

// Close closes the port and all connections that Accept did not return. When it
// returns nothing of the Listener runs any more.
func (l *Listener) Close() error {
	l.end(net.ErrClosed)
	l.ended.Wait()
	return nil
}

func (l *Listener) end(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	l.closed, l.err = true, err
	l.inner.Close()
	close(l.done)
	l.room.closeAll(l)
}

// accept takes connections until the port is closed. What it cannot take for want of
// descriptors it takes later, when the oldest has gone.
func (l *Listener) accept() {
	for {
		conn, err := l.inner.Accept()
		switch {
		case err == nil:
			l.begin(conn)
		case errors.Is(err, net.ErrClosed):
			l.end(net.ErrClosed)
			return
		default:
			l.room.crowdOut()
			select {
			case <-l.done:
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
}

// begin hears conn's knock beside the others.
func (l *Listener) begin(conn net.Conn) {
	v := &visit{conn: conn, at: l}
	if a, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		v.host = a.AddrPort().Addr()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		conn.Close()
		return
	}
	l.room.enter(v)
	l.ended.Go(func() { l.hear(v) })
}

// enter gives v a place. It waits while as many that are closed already have not
// noticed, which is soon: so a flood is taken no faster than it is got rid of.
func (r *Room) enter(v *visit) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.heard >= 2*r.places {
		r.left.Wait()
	}
	if len(r.pending) >= r.places {
		r.crowdOutLocked()
	}
	r.heard++
	r.pending = append(r.pending, v)
}

// leave takes v out of those that have proven nothing.
func (r *Room) leave(v *visit) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := slices.Index(r.pending, v); i >= 0 {
		r.pending = slices.Delete(r.pending, i, i+1)
	}
	r.heard--
	r.left.Signal()
}

// closeAll closes what l has accepted.
func (r *Room) closeAll(l *Listener) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, v := range r.pending {
		if v.at == l {
			v.conn.Close()
		}
	}
}

// crowdOut closes the oldest connection of the host that has the most of them.
func (r *Room) crowdOut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.crowdOutLocked()
}

func (r *Room) crowdOutLocked() {
	count := make(map[netip.Addr]int, 8)
	most := 0
	for _, v := range r.pending {
		count[v.host]++
		most = max(most, count[v.host])
	}
	for i, v := range r.pending {
		if count[v.host] == most {
			r.pending = slices.Delete(r.pending, i, i+1)
			abandon(v.conn)
			return
		}
	}
}

// abandon closes conn and leaves nothing of it in the kernel, not even the memory of
// a closed connection.
func abandon(conn net.Conn) {
	if c, ok := conn.(*net.TCPConn); ok {
		c.SetLinger(0)
	}
	conn.Close()
}

func (l *Listener) hear(v *visit) {
	caller, err := Read(v.conn, l.job, l.keyOf)
	if err != nil {
		var f *Foreign
		foreign := errors.As(err, &f)
		if foreign {
			v.conn.Close() // gently: it is to hear the verdict
		} else {
			abandon(v.conn)
		}
		l.room.leave(v) // before tell: begin holds the lock while it waits for this
		if foreign {
			l.tell(f)
		}
		return
	}
	l.room.leave(v)
	late := time.NewTimer(Patience)
	defer late.Stop()
	select {
	case l.proven <- caller:
	case <-late.C:
		v.conn.Close()
	case <-l.done:
		v.conn.Close()
	}
}

// tell reports f unless another was within the last second.
func (l *Listener) tell(f *Foreign) {
	if l.foreign == nil {
		return
	}
	l.mu.Lock()
	now := time.Now()
	quiet := now.Sub(l.told) < time.Second
	if !quiet {
		l.told = now
	}
	l.mu.Unlock()
	if !quiet {
		l.foreign(f)
	}
}
