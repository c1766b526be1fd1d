package stream

import (
	"bufio"
	"crypto/tls"
	"net"
	"sync"
)

// recordBytes is the most that one TLS record carries. A reader above TLS that
// asks for as much gets it without another copy.
const recordBytes = 16 << 10

// secured is a TLS connection whose records go to the kernel, and come from it,
// several at a time: crypto/tls by itself makes a system call or two for each,
// 16 KiB at most.
type secured struct {
	*tls.Conn
	under *batched
}

// Write writes all of b in as few system calls as its records fit in.
func (s *secured) Write(b []byte) (int, error) {
	s.under.cork()
	n, err := s.Conn.Write(b)
	if e := s.under.uncork(); err == nil && e != nil {
		return 0, e
	}
	return n, err
}

// batched is the connection below a secured one.
type batched struct {
	net.Conn
	in *bufio.Reader

	mu     sync.Mutex
	corked bool
	out    []byte // written while corked
	most   int    // what out grows to
}

func newBatched(conn net.Conn, size int) *batched {
	return &batched{Conn: conn, in: bufio.NewReaderSize(conn, size), most: size}
}

func (c *batched) Read(b []byte) (int, error) { return c.in.Read(b) }

// Write may come from the reader of a secured connection too, which answers some
// messages of the protocol.
func (c *batched) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.corked {
		return c.Conn.Write(b)
	}
	if len(c.out)+len(b) > c.most {
		if err := c.flushLocked(); err != nil {
			return 0, err
		}
	}
	c.out = append(c.out, b...)
	return len(b), nil
}

func (c *batched) cork() {
	c.mu.Lock()
	c.corked = true
	c.mu.Unlock()
}

func (c *batched) uncork() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.corked = false
	return c.flushLocked()
}

func (c *batched) flushLocked() error {
	if len(c.out) == 0 {
		return nil
	}
	_, err := c.Conn.Write(c.out)
	c.out = c.out[:0]
	return err
}
