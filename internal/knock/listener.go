package knock

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

// HalfOpen is how many connections may be on their way through the handshake.
const HalfOpen = 64

// Listener hands out the connections of a port that have proven to be of the job.
// Junk never reaches its owner. It has at most HalfOpen connections that have proven
// nothing; where one more comes, the oldest of the host that has the most of them is
// closed. A legal dialler that met this fate tries again.
type Listener struct {
	inner   net.Listener
	job     [16]byte
	keyOf   func(Knock) []byte
	foreign func(*Foreign)
	proven  chan *Caller
	done    chan struct{} // closed by Close
	ended   sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	err     error
	pending []*visit // oldest first
	told    time.Time
}

// visit is a connection that has proven nothing yet.
type visit struct {
	conn net.Conn
	host netip.Addr
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
}

// Listen takes over inner and begins to accept.
func Listen(inner net.Listener, c Config) *Listener {
	l := &Listener{
		inner: inner, job: c.Job, keyOf: c.Key, foreign: c.Foreign,
		proven: make(chan *Caller), done: make(chan struct{}),
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
	for _, v := range l.pending {
		v.conn.Close()
	}
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
			l.mu.Lock()
			l.crowdOut()
			l.mu.Unlock()
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
	v := &visit{conn: conn}
	if a, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		v.host = a.AddrPort().Addr()
	}
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		conn.Close()
		return
	}
	if len(l.pending) >= HalfOpen {
		l.crowdOut()
	}
	l.pending = append(l.pending, v)
	l.mu.Unlock()
	l.ended.Go(func() { l.hear(v) })
}

// crowdOut closes the oldest connection of the host that has the most of them. The
// caller holds the lock.
func (l *Listener) crowdOut() {
	count := make(map[netip.Addr]int, 8)
	most := 0
	for _, v := range l.pending {
		count[v.host]++
		most = max(most, count[v.host])
	}
	for i, v := range l.pending {
		if count[v.host] == most {
			l.pending = append(l.pending[:i], l.pending[i+1:]...)
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
	l.leave(v)
	if err != nil {
		var f *Foreign
		if errors.As(err, &f) {
			l.tell(f)
			v.conn.Close() // gently: it is to hear the verdict
			return
		}
		abandon(v.conn)
		return
	}
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

// leave takes v out of those that have proven nothing.
func (l *Listener) leave(v *visit) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.pending {
		if l.pending[i] == v {
			l.pending = append(l.pending[:i], l.pending[i+1:]...)
			return
		}
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
