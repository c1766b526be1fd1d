package output

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func newTest(t *testing.T, o Options, terminal bool) *Sink {
	t.Helper()
	s, err := newSink(o, func(io.Writer) bool { return terminal })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func closeSink(t *testing.T, s *Sink) Stats {
	t.Helper()
	stats, err := s.Close(context.Background())
	if err != nil {
		t.Fatalf("Close: %v", err)
	}
	return stats
}

// A buffer may be written by many goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// A gate is a reader that takes nothing until it is opened.
type gate struct {
	buffer
	entered chan struct{} // a value for each write that waits
	opened  chan struct{}
}

func newGate() *gate {
	return &gate{entered: make(chan struct{}, 1), opened: make(chan struct{})}
}

func (g *gate) Write(p []byte) (int, error) {
	select {
	case g.entered <- struct{}{}:
	default:
	}
	<-g.opened
	return g.buffer.Write(p)
}

func TestLinesAreNeverTorn(t *testing.T) {
	const ranks, lines = 8, 400
	for _, o := range []Options{
		{},
		{Tag: true},
		{Tag: true, Raw: true},
		{Tag: true, Timestamp: true, Color: true},
	} {
		t.Run(fmt.Sprintf("%+v", o), func(t *testing.T) {
			seed := rand.Uint64()
			var out buffer
			o.Size, o.Stdout, o.Stderr = ranks, &out, &out
			s := newTest(t, o, false)
			var wg sync.WaitGroup
			for rank := range ranks {
				wg.Go(func() {
					rng := rand.New(rand.NewPCG(seed, uint64(rank)))
					var text []byte
					for i := range lines {
						n := rng.IntN(200)
						if i == lines/2 {
							n = 3 * maxLine // goes out in pieces, and stays whole
						}
						text = fmt.Appendf(text, "rank=%d line=%d %s.\n", rank, i, strings.Repeat("x", n))
					}
					for len(text) > 0 {
						n := min(len(text), 1+rng.IntN(1000))
						if err := s.Write(rank, false, text[:n], n == len(text)); err != nil {
							t.Error(err)
						}
						text = text[n:]
					}
				})
			}
			wg.Wait()
			closeSink(t, s)
			next := make([]int, ranks)
			for line := range strings.Lines(out.String()) {
				_, body, ok := strings.Cut(line, "rank=")
				var rank, i int
				var rest string
				n, _ := fmt.Sscanf(body, "%d line=%d %s", &rank, &i, &rest)
				if !ok || n != 3 || i != next[rank] || strings.Trim(rest, "x") != "." {
					t.Fatalf("seed %d: torn or out of order: %.200q", seed, line)
				}
				if o.Tag && !strings.Contains(line, fmt.Sprintf("[%d]", rank)) {
					t.Fatalf("seed %d: no tag of rank %d: %.200q", seed, rank, line)
				}
				next[rank]++
			}
			for rank, n := range next {
				if n != lines {
					t.Errorf("seed %d: rank %d: %d lines of %d", seed, rank, n, lines)
				}
			}
		})
	}
}

func TestOneRankKeepsItsBytes(t *testing.T) {
	var out, errs buffer
	s := newTest(t, Options{Size: 1, Stdout: &out, Stderr: &errs}, false)
	rng := rand.New(rand.NewPCG(1, 2))
	want := make([]byte, 1<<20)
	for i := range want {
		want[i] = byte(rng.Uint32())
	}
	want[len(want)-1] = 'x' // no newline at the end, and none is added
	for rest := want; len(rest) > 0; {
		n := min(len(rest), 1+rng.IntN(100_000))
		if err := s.Write(0, false, rest[:n], false); err != nil {
			t.Fatal(err)
		}
		rest = rest[n:]
	}
	closeSink(t, s)
	if out.String() != string(want) {
		t.Error("bytes changed on the way")
	}
}

func TestLastLineIsCompleted(t *testing.T) {
	var out buffer
	s := newTest(t, Options{Size: 11, Stdout: &out, Stderr: &out, Tag: true}, false)
	s.Write(3, false, []byte("a\nno newline"), false)
	s.Write(3, false, nil, true)
	s.Write(10, true, []byte("nor here"), false)
	closeSink(t, s)
	if got, want := out.String(), "[ 3] a\n[ 3] no newline\n[10] nor here\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRawTagsAndChangesNothingElse(t *testing.T) {
	for _, test := range []struct {
		o        Options
		terminal bool
		want     string
	}{
		{Options{}, false, "\x1b[1mA\x00\r\xff\n"},
		{Options{Raw: true, Tag: true}, false, "[0] \x1b[1mA\x00\r\xff\n"},
		{Options{Tag: true}, false, `[0] \x1b[1mA\x00\r\xff` + "\n"},
		{Options{}, true, `\x1b[1mA\x00` + "\r" + `\xff` + "\n"},
		{Options{Color: true}, true, "\x1b[1mA" + `\x00` + "\r" + `\xff` + "\x1b[0m\n"},
		{Options{Tag: true}, true, `[0] \x1b[1mA\x00` + "\r[0] " + `\xff` + "\n"},
		{Options{Tag: true, Color: true}, false, "\x1b[32m[0]\x1b[0m " + `\x1b[1mA\x00\r\xff` + "\n"},
	} {
		var out buffer
		test.o.Size, test.o.Stdout, test.o.Stderr = 2, &out, io.Discard
		s := newTest(t, test.o, test.terminal)
		s.Write(0, false, []byte("\x1b[1mA\x00\r\xff\n"), false)
		closeSink(t, s)
		if got := out.String(); got != test.want {
			t.Errorf("%+v terminal=%v: got %q, want %q", test.o, test.terminal, got, test.want)
		}
	}
}

func TestSlowReaderSlowsOnlyThePrintingRank(t *testing.T) {
	out, errs := newGate(), &buffer{}
	s := newTest(t, Options{Size: 2, Stdout: out, Stderr: errs}, false)
	written := make(chan error, 1)
	go func() { written <- s.Write(0, false, []byte("stuck\n"), false) }()
	<-out.entered
	if err := s.Write(1, true, []byte("passes\n"), false); err != nil {
		t.Fatal(err)
	}
	s.Message("muster: so does this")
	if got, want := errs.String(), "passes\nmuster: so does this\n"; got != want {
		t.Errorf("standard error: got %q, want %q", got, want)
	}
	select {
	case err := <-written:
		t.Fatalf("the write to a stuck reader returned %v", err)
	default:
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Close with a stuck reader: %v, want context.Canceled", err)
	}
	close(out.opened)
	if err := <-written; err != nil {
		t.Error(err)
	}
}

func TestSlowReaderLosesCountedLines(t *testing.T) {
	out, errs := newGate(), &buffer{}
	s := newTest(t, Options{Size: 2, Stdout: out, Stderr: errs, DropOnSlow: true}, false)
	line := []byte(strings.Repeat("y", 99) + "\n")
	const lines = 3 * queueSize / 100
	for range lines {
		if err := s.Write(1, false, line, false); err != nil {
			t.Fatal(err)
		}
	}
	close(out.opened)
	stats := closeSink(t, s)
	got := out.String()
	if n := strings.Count(got, string(line)); n*len(line) != len(got) || int64(n)+stats.DroppedLines != lines {
		t.Errorf("%d whole lines in %d bytes shown and %d dropped of %d", n, len(got), stats.DroppedLines, lines)
	}
	if stats.DroppedLines < lines/4 {
		t.Errorf("only %d lines of %d dropped", stats.DroppedLines, lines)
	}
	want := fmt.Sprintf("muster: %d lines dropped because the reader of standard output was slow (rank 1: %d)\n", stats.DroppedLines, stats.DroppedLines)
	if errs.String() != want {
		t.Errorf("message %q, want %q", errs.String(), want)
	}
}

func TestClosedReaderIsReported(t *testing.T) {
	for _, drop := range []bool{false, true} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		r.Close()
		s := newTest(t, Options{Size: 2, Stdout: w, Stderr: io.Discard, DropOnSlow: drop}, false)
		err = s.Write(0, false, []byte("a line\n"), false)
		<-s.Closed()
		if !drop && err != ErrClosed {
			t.Errorf("Write: %v, want ErrClosed", err)
		}
		if _, err := s.Close(context.Background()); err != ErrClosed {
			t.Errorf("drop=%v: Close: %v, want ErrClosed", drop, err)
		}
		w.Close()
	}
}

// What was kept of a long line is dropped with the reader that would have read it,
// and what comes afterwards finds nothing in its way.
func TestLongLinesToAClosedReader(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r.Close()
	s := newTest(t, Options{Size: 2, Stdout: w, Stderr: io.Discard}, false)
	long := bytes.Repeat([]byte("x"), 3*maxLine)
	for range 3 {
		s.Write(0, false, long[:maxLine-10], false)
		s.Write(0, false, append(long, '\n'), false)
		s.Write(0, false, long, false)
	}
	s.Write(0, false, nil, true)
	if _, err := s.Close(context.Background()); err != ErrClosed {
		t.Errorf("Close: %v, want ErrClosed", err)
	}
}

// A disk takes room bytes and is full then.
type disk struct {
	buffer
	room int
}

func (d *disk) Write(p []byte) (int, error) {
	n := min(len(p), d.room)
	d.room -= n
	d.buffer.Write(p[:n])
	if n < len(p) {
		return n, errors.New("no space left on device")
	}
	return n, nil
}

func TestFullDiskIsReportedOnceAndTheJobGoesOn(t *testing.T) {
	out, errs := &disk{room: 10}, &buffer{}
	s := newTest(t, Options{Size: 2, Stdout: out, Stderr: errs}, false)
	for i := range 4 {
		if i == 3 {
			out.room = 1000 // somebody has cleaned up
		}
		if err := s.Write(0, false, []byte("123456\n"), false); err != nil {
			t.Fatal(err)
		}
	}
	stats := closeSink(t, s)
	if got, want := out.String(), "123456\n123\n123456\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if stats.LostBytes != 11 {
		t.Errorf("%d bytes lost, want 11", stats.LostBytes)
	}
	want := "muster: writing standard output: no space left on device; the job goes on, what cannot be written is lost\n"
	if errs.String() != want {
		t.Errorf("message %q, want %q", errs.String(), want)
	}
}

func TestLongLineIsNotInterleaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out buffer
		s := newTest(t, Options{Size: 2, Stdout: &out, Stderr: io.Discard}, false)
		long := bytes.Repeat([]byte("z"), maxLine)
		s.Write(0, false, long, false)
		done := make(chan struct{})
		go func() {
			defer close(done)
			s.Write(1, false, []byte("short\n"), false)
		}()
		synctest.Wait()
		time.Sleep(idleLimit / 2) // a fake clock's
		s.Write(0, false, []byte("end\n"), false)
		<-done
		closeSink(t, s)
		if got, want := out.String(), string(long)+"end\nshort\n"; got != want {
			t.Errorf("got …%q, want …%q", got[len(long):], want[len(long):])
		}
	})
}

func TestLineThatDoesNotEndIsBroken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out buffer
		s := newTest(t, Options{Size: 2, Stdout: &out, Stderr: io.Discard, Tag: true}, false)
		long := bytes.Repeat([]byte("z"), maxLine)
		s.Write(0, false, long, false)
		began := time.Now()
		s.Write(1, false, []byte("short\n"), false)
		if waited := time.Since(began); waited != idleLimit {
			t.Errorf("waited %v for the other rank's line, want %v", waited, idleLimit)
		}
		s.Write(0, false, []byte("end\n"), false)
		closeSink(t, s)
		if got, want := out.String(), "[0] "+string(long)+"\n[1] short\n[0] end\n"; got != want {
			t.Errorf("got …%q, want …%q", got[len(long):], want[len(long):])
		}
	})
}

func TestTerminalShowsPromptsAndProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out buffer
		s := newTest(t, Options{Size: 2, Stdout: &out, Stderr: &out, Tag: true}, true)
		s.Write(0, false, []byte("name? "), false)
		if out.String() != "" {
			t.Errorf("shown at once: %q", out.String())
		}
		time.Sleep(promptDelay)
		synctest.Wait()
		s.Write(0, false, []byte("ok\n\r10%"), false)
		time.Sleep(promptDelay)
		synctest.Wait()
		s.Write(1, false, []byte("hello\n"), false)
		s.Write(0, false, []byte("\r20%"), false)
		s.Message("muster: bye")
		closeSink(t, s)
		want := "[0] name? ok\n[0] \r[0] 10%\n[1] hello\nmuster: bye\n[0] \r[0] 20%\n"
		if got := out.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestHugeLineNeedsNoMemory(t *testing.T) {
	const size = 16 << 20
	for _, o := range []Options{{}, {Tag: true}} {
		counter := &counter{}
		o.Size, o.Stdout, o.Stderr = 2, counter, io.Discard
		s := newTest(t, o, false)
		chunk := bytes.Repeat([]byte("w"), 32<<10)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range size / len(chunk) {
			if err := s.Write(0, false, chunk, false); err != nil {
				t.Fatal(err)
			}
		}
		runtime.ReadMemStats(&after)
		closeSink(t, s)
		prefix := 0
		if o.Tag {
			prefix = len("[0] ")
		}
		if counter.n != int64(size+1+prefix) || counter.lines != 1 {
			t.Errorf("%+v: %d bytes in %d lines, want %d in 1", o, counter.n, counter.lines, size+1+prefix)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > size/2 {
			t.Errorf("%+v: a line of 16 MiB allocated %d KiB", o, used>>10)
		}
	}
}

type counter struct{ n, lines int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	c.lines += int64(bytes.Count(p, []byte{'\n'}))
	return len(p), nil
}

func TestWriteRefusesARankThatDoesNotExist(t *testing.T) {
	s := newTest(t, Options{Size: 2, Stdout: io.Discard, Stderr: io.Discard}, false)
	for _, rank := range []int{-1, 2, 1 << 40} {
		if err := s.Write(rank, true, nil, false); err == nil {
			t.Errorf("rank %d of 2 accepted", rank)
		}
	}
}
