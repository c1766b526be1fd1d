package stream

import (
	"io"
	"net"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"google.golang.org/grpc/mem"
)

// polled is a socket whose reader looks again for a while before it sleeps:
// to wake a sleeping core costs several times what a message does. Between two
// looks other goroutines run, and now and then other processes.
//
// System calls are made without telling the scheduler, where the system allows
// that: none of them blocks, and the scheduler would hand the processor to
// another thread in the midst of a long copy.
type polled struct {
	net.Conn
	raw  syscall.RawConn
	spin time.Duration

	// due says that a Write is on its way through gRPC. The reader then leaves
	// the processor to it and does not look.
	due atomic.Bool

	in, out transfer
	drained bool // the last read left nothing
	misses  int  // times in a row that polling has cost the core
	skip    int  // reads to come that do not poll
	turns   int  // reads in a row that were answered while another process had the core
}

// transfer is one direction of a polled connection, which one goroutine at a
// time uses.
type transfer struct {
	buf  []byte
	n    int
	err  error
	call func(fd uintptr) bool // tryRead or tryWrite, kept so that it is not allocated each time

	pool mem.BufferPool // of buf, which goes back when the reader sleeps; nil: buf is the caller's
	size int
	from *[]byte // what pool gave
}

const (
	// looks is how many times a reader looks before it asks for the time and lets
	// other processes have the core.
	looks = 8
	// turn is how long a yield takes at least in which another process has had the
	// core and has sent something. One that finds nobody takes a third of a
	// microsecond.
	turn = 2 * time.Microsecond
	// manyTurns is how many of those in a row are no chance: the peer is on this
	// core, and each look keeps it from answering.
	manyTurns = 4
	// maxMisses bounds what follows a miss: of 64 reads one still polls.
	maxMisses = 6
	// unixBuffer is the socket buffer asked for. Linux wakes the writer of a Unix
	// socket when a quarter is left, and of its 208 KiB by default that is read
	// before the writer is awake. TCP's buffers grow by themselves.
	unixBuffer = 1 << 20
)

// poll returns conn as a connection that polls for up to spin at a time before
// it sleeps, or conn itself if it is none whose system calls are known.
func poll(conn net.Conn, spin time.Duration) net.Conn {
	switch conn.(type) {
	case *net.TCPConn, *net.UnixConn:
	default:
		return conn
	}
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil || !canPoll {
		return conn
	}
	switch c := conn.(type) {
	case *net.UnixConn:
		c.SetWriteBuffer(unixBuffer) // the most the system allows
	case *net.TCPConn:
		tune(c, raw)
	}
	p := &polled{Conn: conn, raw: raw, spin: spin}
	p.in.call, p.out.call = p.tryRead, p.tryWrite
	return p
}

// Read implements net.Conn.
func (p *polled) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return p.Conn.Read(b)
	}
	p.in.buf = b
	err := p.receive()
	p.in.buf = nil
	return p.in.n, err
}

// ReadOnReady is what gRPC asks for in place of Read: a buffer is taken from pool
// only once there is something to read, so idle connections hold none.
func (p *polled) ReadOnReady(size int, pool mem.BufferPool) (*[]byte, int, error) {
	t := &p.in
	t.pool, t.size = pool, size
	err := p.receive()
	b := t.from
	if t.n == 0 && b != nil {
		pool.Put(b)
		b = nil
	}
	t.pool, t.from, t.buf = nil, nil, nil
	return b, t.n, err
}

// receive reads once. If it returns an error, in.n is 0.
func (p *polled) receive() error {
	if p.drained && p.spin > 0 {
		runtime.Gosched() // to those who wait for what the last read brought
		if p.due.Load() {
			runtime.Gosched() // and to gRPC's writer, which has stepped aside with the answer
		}
	}
	t := &p.in
	t.n, t.err = 0, nil
	err := p.raw.Read(t.call)
	switch {
	case err != nil:
		t.n = 0
		return err
	case t.err != nil:
		return p.failed("read", t.err)
	case t.n == 0:
		return io.EOF
	}
	p.drained = t.n < len(t.buf)
	return nil
}

// tryRead reads until that does not say EAGAIN, which it reports, or polling is
// over.
func (p *polled) tryRead(fd uintptr) bool {
	t := &p.in
	if t.pool != nil {
		t.from = t.pool.Get(t.size)
		t.buf = *t.from
	}
	if t.read(fd) || p.polls() && p.look(fd) {
		return true
	}
	if t.pool != nil {
		t.pool.Put(t.from)
		t.from, t.buf = nil, nil
	}
	return false
}

// read reads once and reports whether that did not say EAGAIN.
func (t *transfer) read(fd uintptr) bool {
	for {
		if t.n, t.err = sysRead(fd, t.buf); t.err != syscall.EINTR {
			return t.err != syscall.EAGAIN
		}
	}
}

// polls reports whether this read is one that polls.
func (p *polled) polls() bool {
	if p.skip > 0 {
		p.skip--
		return false
	}
	return p.spin > 0
}

// missed makes fewer reads poll.
func (p *polled) missed() {
	p.misses = min(p.misses+1, maxMisses)
	p.skip = 1 << p.misses
}

// look polls for as long as spin allows.
func (p *polled) look(fd uintptr) bool {
	var begun time.Time // read late: most of the time something comes before
	every := p.looks()
	for i := 1; ; i++ {
		var away time.Duration
		if i%every == 0 {
			if begun.IsZero() {
				begun = time.Now()
			}
			before := time.Since(begun)
			if before >= p.spin {
				return p.in.read(fd)
			}
			yield()
			if away = time.Since(begun) - before; away >= p.spin {
				// Somebody else computes on this core, and each look would wait
				// for the end of its slice: who sleeps is served sooner.
				p.missed()
				return p.in.read(fd)
			}
		}
		runtime.Gosched()
		if !p.due.Load() && p.in.read(fd) {
			p.found(away)
			return true
		}
	}
}

// found notes that polling has found something, right after another process had
// the core for so long.
func (p *polled) found(away time.Duration) {
	p.misses = 0
	if away >= turn {
		p.turns++
	} else {
		p.turns = 0
	}
}

// looks returns how many times this read looks between two yields.
func (p *polled) looks() int {
	if p.turns >= manyTurns {
		return 1 // the peer cannot answer before it has the core
	}
	return looks
}

// Write implements net.Conn.
func (p *polled) Write(b []byte) (int, error) {
	p.due.Store(false)
	t := &p.out
	for done := 0; done < len(b); done += t.n {
		t.buf = b[done:]
		err := p.raw.Write(t.call)
		t.buf = nil
		if err == nil && t.err != nil {
			err = p.failed("write", t.err)
		}
		if err != nil {
			return done, err
		}
	}
	return len(b), nil
}

// tryWrite writes once. There is no polling: the kernel says when a good part of
// the socket's buffer is free, and the peer has the rest to read meanwhile.
func (p *polled) tryWrite(fd uintptr) bool {
	t := &p.out
	for {
		if t.n, t.err = sysWrite(fd, t.buf); t.err != syscall.EINTR {
			return t.err != syscall.EAGAIN
		}
	}
}

func (p *polled) failed(op string, err error) error {
	return &net.OpError{Op: op, Net: p.LocalAddr().Network(), Source: p.LocalAddr(), Addr: p.RemoteAddr(), Err: err}
}
