package board

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE

	maxShown  = 1 << 20  // bytes
	maxAnswer = 32 << 20 // bytes
	maxLine   = 128      // of a request, below what a pipe takes in one piece

	answerPrefix = "muster-answer-" // and the word of the request
	wordBytes    = 32               // hexadecimal digits

	// An answer that was fetched is let go of at the word of who fetched it, any other after
	// keepAnswer. When there are keepAnswers of them the oldest goes, once it has had the
	// time of leastAnswer.
	done        = "done"
	keepAnswer  = 10 * time.Second
	leastAnswer = time.Second
	keepAnswers = 8
)

// A Board is what this process shows, under one name.
type Board struct {
	name     string
	requests *os.File
	writer   *os.File // that of nobody; it keeps the pipe from ending
	header   string

	end chan struct{} // closed by Close

	mu      sync.Mutex
	shown   int    // descriptor, -1 before the first Show and after Close
	answers []held // the oldest first
	closed  bool
}

// held is an answer.
type held struct {
	word  string
	fd    int
	since time.Time
}

// Post makes a board, on which nothing is shown yet. name should begin with what
// readers look for, and be no other board's.
func Post(name string) (*Board, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("board %s: %w", name, err)
	}
	b := &Board{name: name, requests: r, writer: w, shown: -1, end: make(chan struct{})}
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
		switch {
		case !ok || !isWord(word):
		case request == done:
			b.drop(word)
		default:
			b.put(word, answer(request))
		}
	}
}

// isWord reports whether s may be the word of a request.
func isWord(s string) bool {
	return len(s) == wordBytes && strings.Trim(s, "0123456789abcdef") == ""
}

// put holds an answer for a while.
func (b *Board) put(word string, text []byte) {
	if text == nil || len(text) > maxAnswer || !b.makeRoom() {
		return
	}
	fd, err := sealed(answerPrefix+word, string(text))
	if err != nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		unix.Close(fd)
		return
	}
	b.answers = append(b.answers, held{word, fd, time.Now()})
	time.AfterFunc(keepAnswer, func() { b.drop(word) })
}

// makeRoom returns when there is room for an answer, and false once the board is closed.
func (b *Board) makeRoom() bool {
	for {
		b.mu.Lock()
		full, young := len(b.answers) >= keepAnswers, time.Duration(0)
		if full {
			young = leastAnswer - time.Since(b.answers[0].since)
			if young <= 0 {
				unix.Close(b.answers[0].fd)
				b.answers = b.answers[1:]
			}
		}
		b.mu.Unlock()
		if !full || young <= 0 {
			return true
		}
		select {
		case <-time.After(young):
		case <-b.end:
			return false
		}
	}
}

// drop lets go of the answer to the request with that word.
func (b *Board) drop(word string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answers = slices.DeleteFunc(b.answers, func(a held) bool {
		if a.word == word {
			unix.Close(a.fd)
		}
		return a.word == word
	})
}

// Close takes the board away, with all answers.
func (b *Board) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	b.closed = true
	close(b.end)
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
