package agent

import (
	"bytes"
	"errors"
	"os"
	"sync"
	"syscall"
	"time"

	pb "github.com/muster-mpi/muster/proto"
	"golang.org/x/sys/unix"
)

const (
	pieceBytes = 32 << 10
	crashBytes = 256 << 10              // of a crash text are kept together
	crashPause = 250 * time.Millisecond // without more of it, the text has ended
)

// credit is how much of a rank's output the launcher has room for.
type credit struct {
	mu    sync.Mutex
	some  sync.Cond
	bytes int64
}

func newCredit(bytes int64) *credit {
	c := &credit{bytes: bytes}
	c.some.L = &c.mu
	return c
}

func (c *credit) add(n int64) {
	c.mu.Lock()
	c.bytes += n
	c.some.Broadcast()
	c.mu.Unlock()
}

func (c *credit) await() {
	c.mu.Lock()
	for c.bytes <= 0 {
		c.some.Wait()
	}
	c.mu.Unlock()
}

// stream carries one pipe of a rank to the launcher.
type stream struct {
	rank   int
	stderr bool
	pipe   *os.File
	raw    syscall.RawConn
	credit *credit // shared by the rank's two streams
	send   func(*pb.FromAgent)

	mu    sync.Mutex
	last  bool          // nobody who matters writes any more: what is in the pipe is all
	swept chan struct{} // closed when a sweep has found the pipe empty
	crash string        // first line of a crash text

	ended chan struct{} // closed after eof was sent

	// The reader's own.
	hold      []byte // crash text that is kept together
	lineStart bool
}

func newStream(rank int, stderr bool, pipe *os.File, c *credit, send func(*pb.FromAgent)) (*stream, error) {
	raw, err := pipe.SyscallConn()
	if err != nil {
		return nil, err
	}
	return &stream{
		rank: rank, stderr: stderr, pipe: pipe, raw: raw, credit: c, send: send,
		ended: make(chan struct{}), lineStart: true,
	}, nil
}

var pieces = sync.Pool{New: func() any { return new([pieceBytes]byte) }}

// run reads until the end of the pipe, or until finish. The pipe may be held
// open by others than the rank for as long as they like.
func (s *stream) run() {
	for {
		if s.hold == nil {
			s.credit.await()
		}
		data, err := s.read()
		if len(data) > 0 {
			s.take(data)
			continue
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			break // the end, or a pipe that cannot be read
		}
		swept, last := s.sweep()
		s.flush()
		if swept != nil {
			close(swept)
		}
		if last {
			break
		}
	}
	s.flush()
	s.send(&pb.FromAgent{Kind: &pb.FromAgent_Output{Output: &pb.Output{Rank: int32(s.rank), Stderr: s.stderr, Eof: true}}})
	s.mu.Lock()
	s.pipe.Close()
	close(s.ended)
	if s.swept != nil {
		close(s.swept)
	}
	s.mu.Unlock()
}

// read returns the next piece as the caller's own.
func (s *stream) read() ([]byte, error) {
	buf := pieces.Get().(*[pieceBytes]byte)
	defer pieces.Put(buf)
	var n int
	var readErr error
	err := s.raw.Read(func(fd uintptr) bool {
		n, readErr = readOnce(int(fd), buf[:])
		return readErr != unix.EAGAIN
	})
	if err != nil {
		return nil, err
	}
	return bytes.Clone(buf[:max(n, 0)]), readErr
}

func readOnce(fd int, buf []byte) (int, error) {
	for {
		n, err := unix.Read(fd, buf)
		if err != unix.EINTR {
			return n, err
		}
	}
}

// sweep takes all that is in the pipe now, without waiting for more.
func (s *stream) sweep() (swept chan struct{}, last bool) {
	s.mu.Lock()
	swept, last = s.swept, s.last
	s.swept = nil
	s.pipe.SetReadDeadline(time.Time{})
	s.mu.Unlock()
	buf := pieces.Get().(*[pieceBytes]byte)
	defer pieces.Put(buf)
	for {
		if s.hold == nil {
			s.credit.await()
		}
		var n int
		var err error
		if s.raw.Control(func(fd uintptr) { n, err = readOnce(int(fd), buf[:]) }) != nil || err != nil || n <= 0 {
			return swept, last
		}
		s.take(bytes.Clone(buf[:n]))
	}
}

// settled returns a channel that closes once everything written to the pipe
// before the call is on its way to the launcher.
func (s *stream) settled() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.ended:
		return s.ended
	default:
	}
	if s.swept == nil {
		s.swept = make(chan struct{})
	}
	s.pipe.SetReadDeadline(time.Unix(1, 0))
	return s.swept
}

// finish makes the stream end with what is in the pipe now.
func (s *stream) finish() {
	s.mu.Lock()
	s.last = true
	s.pipe.SetReadDeadline(time.Unix(1, 0))
	s.mu.Unlock()
}

// take passes data on. The runtime of a Go program writes its last words in
// many small pieces; they are kept together so that nobody's lines mix in.
func (s *stream) take(data []byte) {
	if s.hold != nil {
		s.keep(data)
		return
	}
	if s.stderr {
		if at := crashStart(data, s.lineStart); at >= 0 {
			s.emit(data[:at])
			line, _, _ := bytes.Cut(data[at:], []byte{'\n'})
			s.mu.Lock()
			s.crash = string(line[:min(len(line), 400)])
			s.mu.Unlock()
			s.hold = make([]byte, 0, pieceBytes)
			s.keep(data[at:])
			return
		}
		s.lineStart = data[len(data)-1] == '\n'
	}
	s.emit(data)
}

func (s *stream) keep(data []byte) {
	s.hold = append(s.hold, data...)
	if len(s.hold) >= crashBytes {
		s.flush()
		return
	}
	s.mu.Lock()
	if s.swept == nil && !s.last {
		s.pipe.SetReadDeadline(time.Now().Add(crashPause))
	}
	s.mu.Unlock()
}

func (s *stream) flush() {
	if s.hold == nil {
		return
	}
	line, _, whole := bytes.Cut(s.hold, []byte{'\n'})
	s.mu.Lock()
	if whole {
		s.crash = string(line[:min(len(line), 400)])
	}
	if s.swept == nil && !s.last {
		s.pipe.SetReadDeadline(time.Time{})
	}
	s.mu.Unlock()
	data := s.hold
	s.hold = nil
	s.lineStart = data[len(data)-1] == '\n'
	s.emit(data)
}

func (s *stream) emit(data []byte) {
	if len(data) == 0 {
		return
	}
	s.credit.add(-int64(len(data)))
	s.send(&pb.FromAgent{Kind: &pb.FromAgent_Output{Output: &pb.Output{Rank: int32(s.rank), Stderr: s.stderr, Data: data}}})
}

// panicLine returns the first line of the crash text that the stream has seen.
func (s *stream) panicLine() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.crash
}

var crashMarks = [][]byte{
	[]byte("panic: "), []byte("fatal error: "), []byte("runtime: "), []byte("unexpected fault address "),
	[]byte("SIGSEGV: "), []byte("SIGBUS: "), []byte("SIGFPE: "), []byte("SIGILL: "), []byte("SIGABRT: "), []byte("SIGQUIT: "),
}

// crashStart returns where in data a line begins that a Go program writes only
// when it crashes; -1 if none does.
func crashStart(data []byte, lineStart bool) int {
	for at := 0; at < len(data); {
		if lineStart {
			for _, mark := range crashMarks {
				if bytes.HasPrefix(data[at:], mark) {
					return at
				}
			}
		}
		next := bytes.IndexByte(data[at:], '\n')
		if next < 0 {
			break
		}
		at += next + 1
		lineStart = true
	}
	return -1
}
