package board

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE

	maxShown  = 1 << 20  // bytes
	maxAnswer = 64 << 20 // bytes
	maxLine   = 128      // of a request, below what a pipe takes in one piece

	answerPrefix = "muster-answer-" // and the word of the request
	wordBytes    = 32               // hexadecimal digits

	keepAnswer  = 10 * time.Second
	keepAnswers = 4 // at a time
)

// A Board is what this process shows, under one name.
type Board struct {
	name     string
	requests *os.File
	writer   *os.File // that of nobody; it keeps the pipe from ending
	header   string

	mu      sync.Mutex
	shown   int // descriptor, -1 before the first Show and after Close
	answers []*held
	closed  bool
}

// held is a descriptor of an answer.
type held struct{ fd int }

// Post makes a board, on which nothing is shown yet. name should begin with what
// readers look for, and be no other board's.
func Post(name string) (*Board, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("board %s: %w", name, err)
	}
	b := &Board{name: name, requests: r, writer: w, shown: -1}
	raw, err := r.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) {
			var st unix.Stat_t
			unix.Fstat(int(fd), &st)
			b.header = fmt.Sprintf("%d %d %d\n", os.Getpid(), fd, st.Ino)
		})
	}
	if err != nil {
		b.Close()
		return nil, fmt.Errorf("board %s: %w", name, err)
	}
	return b, nil
}

// Show shows text from now on, in place of what was shown before.
func (b *Board) Show(text []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return fmt.Errorf("board %s: %w", b.name, os.ErrClosed)
	case len(b.header)+len(text) > maxShown:
		return fmt.Errorf("board %s: %d bytes, want %d at most", b.name, len(text), maxShown-len(b.header))
	}
	fd, err := sealed(b.name, b.header, string(text))
	if err != nil {
		return fmt.Errorf("board %s: %w", b.name, err)
	}
	if b.shown < 0 {
		b.shown = fd
		return nil
	}
	defer unix.Close(fd)
	if err := unix.Dup3(fd, b.shown, unix.O_CLOEXEC); err != nil {
		return fmt.Errorf("board %s: dup3: %w", b.name, err)
	}
	return nil
}

// sealed returns memory that holds parts and cannot be changed any more.
func sealed(name string, parts ...string) (int, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return -1, os.NewSyscallError("memfd_create", err)
	}
	for _, part := range parts {
		for len(part) > 0 && err == nil {
			var n int
			if n, err = unix.Write(fd, []byte(part)); err == unix.EINTR {
				n, err = 0, nil
			}
			part = part[n:]
		}
	}
	if err == nil {
		_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals)
	}
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("writing and sealing memory: %w", err)
	}
	return fd, nil
}

// Serve has answer answer requests, one after the other, until Close. What answer
// returns is shown to the process that asked for some seconds. An answer that is nil or
// cannot be shown is none.
func (b *Board) Serve(answer func(request string) []byte) {
	lines := bufio.NewReaderSize(b.requests, maxLine)
	for {
		line, err := lines.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue // no line of ours is as long
		case err != nil:
			return
		}
		word, request, ok := strings.Cut(string(bytes.TrimSuffix(line, []byte("\n"))), " ")
		if ok && isWord(word) {
			b.put(word, answer(request))
		}
	}
}

// isWord reports whether s may be the word of a request.
func isWord(s string) bool {
	return len(s) == wordBytes && strings.Trim(s, "0123456789abcdef") == ""
}

// put holds an answer for a while. If there are too many the oldest goes.
func (b *Board) put(word string, text []byte) {
	if text == nil || len(text) > maxAnswer {
		return
	}
	fd, err := sealed(answerPrefix+word, string(text))
	if err != nil {
		return
	}
	a := &held{fd}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		unix.Close(fd)
		return
	}
	if b.answers = append(b.answers, a); len(b.answers) > keepAnswers {
		unix.Close(b.answers[0].fd)
		b.answers = b.answers[1:]
	}
	time.AfterFunc(keepAnswer, func() { b.drop(a) })
}

func (b *Board) drop(a *held) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, other := range b.answers {
		if other == a {
			unix.Close(a.fd)
			b.answers = append(b.answers[:i:i], b.answers[i+1:]...)
			return
		}
	}
}

// Close takes the board away, with all answers.
func (b *Board) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	b.closed = true
	b.requests.Close()
	b.writer.Close()
	if b.shown >= 0 {
		unix.Close(b.shown)
		b.shown = -1
	}
	for _, a := range b.answers {
		unix.Close(a.fd)
	}
	b.answers = nil
}
