package remote

import (
	"fmt"
	"net"
	"time"
)

// Session is an agent that runs on a host.
type Session struct {
	Conn   net.Conn // the agent's standard input and output
	Info   Info
	Timing map[Stage]time.Duration

	process *process
}

// bufferedConn is a connection of which rest was read already.
type bufferedConn struct {
	net.Conn
	rest []byte
}

func (c *bufferedConn) Read(p []byte) (int, error) {
	if len(c.rest) > 0 {
		n := copy(p, c.rest)
		if c.rest = c.rest[n:]; len(c.rest) == 0 {
			c.rest = nil
		}
		return n, nil
	}
	return c.Conn.Read(p)
}

// closeGrace is how long Close lets the agent end by itself.
const closeGrace = 5 * time.Second

// Close ends the connection, by which the agent ends all that it has started and
// itself, and waits for the remote shell's end, which it forces after five
// seconds.
func (s *Session) Close() {
	s.Conn.Close()
	select {
	case <-s.process.ended:
	case <-time.After(closeGrace):
		s.process.kill()
	}
}

// Kill ends the remote shell at once, but that one other than ssh is asked first and has
// two seconds. The agent then ends what it has started, unless it cannot see the end
// of its connection.
func (s *Session) Kill() {
	s.process.kill()
	s.Conn.Close()
}

// Ended is closed when the remote shell has ended.
func (s *Session) Ended() <-chan struct{} { return s.process.ended }

// DeathText says how the remote shell ended and what it or the agent said last on
// standard error; after Ended.
func (s *Session) DeathText() string {
	text := stateText(s.process.state)
	if tail := s.process.stderr.tail(); len(tail) > 0 {
		text += fmt.Sprintf(": %q", tail[len(tail)-1])
	}
	return text
}
