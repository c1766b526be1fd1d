// Package output is the way of the ranks' output to the user: whole lines,
// never torn between ranks, tagged and made harmless for a terminal on request,
// copied to a file per rank on request. A destination that is slow slows only
// the ranks that print to it.
//
// # What is changed on the way
//
// A job of one rank without tags is passed through as it comes, byte for byte.
// Otherwise lines are assembled: a rank's line appears when it is whole, and a
// last line without newline gets one. A line longer than 64 KiB goes out in
// pieces; other ranks wait until it ends, so that it stays one line, but no
// longer than a second after its latest piece and ten seconds after its first.
// Then it is broken by a newline. (With DropOnSlow nobody waits, and such a line
// is broken every 64 KiB.) On a terminal the start of a line that has not ended
// after a tenth of a second is shown, for the sake of prompts and progress bars;
// the line of another rank breaks it.
//
// Control characters, escape sequences and bytes that are not UTF-8 are made
// visible when the destination is a terminal or lines are tagged, unless Raw.
// Colour sequences pass if Color is set and the destination is a terminal. A
// carriage return inside a line starts the line again on a terminal, prefix
// included, so that progress bars work and no rank can write over another's
// tag; elsewhere it is shown. Output that is neither tagged nor on a terminal
// keeps its bytes, and so do the files below Dir.
package output

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

const (
	maxLine   = 64 << 10 // the longest piece of a line that is kept
	queueSize = 1 << 20  // bytes a slow reader may be behind before lines are dropped
)

// ErrClosed means that the reader of the output has gone, as head does.
var ErrClosed = errors.New("output: the reader has closed the output")

// Options say how the ranks' output is shown. The zero value of every field
// but Size is the default.
type Options struct {
	Size   int       // ranks of the job
	Stdout io.Writer // nil: os.Stdout
	Stderr io.Writer // nil: os.Stderr

	Tag        bool   // prefix each line with the rank
	Timestamp  bool   // prefix each line with the time it began at
	Color      bool   // colour the prefixes, and let the ranks' own colours pass on a terminal
	Raw        bool   // change no byte of a line
	Dir        string // also write what each rank prints to files below Dir, which is made if missing
	DropOnSlow bool   // drop and count lines when the reader is slow
}

// A Sink takes the output of all ranks of a job.
type Sink struct {
	stdout, stderr *destination
	streams        []*stream // two a rank
	files          *files
	closed         chan struct{}
	closeOnce      sync.Once
}

// Stats is what did not reach the user.
type Stats struct {
	DroppedLines int64 // because the reader was slow
	LostBytes    int64 // because writing failed, on a full disk for example
}

// New returns a Sink. With Dir it makes the files of all ranks at once, so that
// what a former job left there is gone; the error names the file and the cause.
func New(o Options) (*Sink, error) { return newSink(o, IsTerminal) }

func newSink(o Options, isTerminal func(io.Writer) bool) (*Sink, error) {
	if o.Size < 1 {
		return nil, fmt.Errorf("output: a job has 1 rank or more, not %d", o.Size)
	}
	if o.Stdout == nil {
		o.Stdout = os.Stdout
	}
	if o.Stderr == nil {
		o.Stderr = os.Stderr
	}
	s := &Sink{closed: make(chan struct{})}
	if o.Dir != "" {
		f, err := openFiles(o.Dir, o.Size)
		if err != nil {
			return nil, err
		}
		s.files = f
	}
	tags := newTagger(o)
	// A single rank is the only writer: nothing needs to be held back for
	// the sake of others, and its bytes stay as they are.
	alone := o.Size == 1 && !tags.on() && !o.DropOnSlow
	s.stdout = s.newDestination("standard output", o.Stdout, isTerminal(o.Stdout), alone, o.DropOnSlow)
	s.stderr = s.stdout
	if !sameFile(o.Stdout, o.Stderr) {
		s.stderr = s.newDestination("standard error", o.Stderr, isTerminal(o.Stderr), alone, o.DropOnSlow)
	}
	for rank := range o.Size {
		for _, d := range []*destination{s.stdout, s.stderr} {
			s.streams = append(s.streams, newStream(rank, d, tags, o.Raw))
		}
	}
	return s, nil
}

// sameFile tells whether two writers end in one file, pipe or terminal. Such
// writers share one destination: else the lines of the two could tear.
func sameFile(a, b io.Writer) bool {
	fa, ok := a.(*os.File)
	fb, ok2 := b.(*os.File)
	if !ok || !ok2 {
		return a == b
	}
	ia, err := fa.Stat()
	if err != nil {
		return false
	}
	ib, err := fb.Stat()
	return err == nil && os.SameFile(ia, ib)
}

// Write takes what a rank has printed; the chunk belongs to the caller again
// on return. With eof the stream ends: a last line without newline is completed,
// and later calls for it are ignored. Calls for one rank's stream come one
// after the other, all others may be concurrent.
//
// Write blocks while the destination is slow, unless lines are to be dropped. It
// blocks no call that writes to another destination. Its only errors are
// ErrClosed and a rank that does not exist; a failing disk is reported once on
// standard error and counted, and the job goes on.
func (s *Sink) Write(rank int, stderr bool, chunk []byte, eof bool) error {
	if rank < 0 || rank >= len(s.streams)/2 {
		return fmt.Errorf("output: rank %d of a job of %d", rank, len(s.streams)/2)
	}
	i := 2 * rank
	if stderr {
		i++
	}
	if s.files != nil {
		if err := s.files.write(i, chunk, eof); err != nil {
			s.Message(fmt.Sprintf("muster: %v; the job goes on, files that cannot be written stay incomplete\n", err))
		}
	}
	return s.streams[i].write(chunk, eof)
}

// Message writes a text of the launcher's own to standard error as whole
// lines, made harmless if that is a terminal. It does not wait for the end
// of a rank's line but breaks it, and it is never dropped.
func (s *Sink) Message(text string) error {
	if s.stderr.terminal {
		text = Escape(text)
	}
	if text == "" || text[len(text)-1] != '\n' {
		text += "\n"
	}
	return s.stderr.message([]byte(text))
}

// Closed returns a channel that is closed once the reader of either destination
// has gone.
func (s *Sink) Closed() <-chan struct{} { return s.closed }

func (s *Sink) readerGone() { s.closeOnce.Do(func() { close(s.closed) }) }

// Close ends all streams, as Write with eof does, waits until everything is
// written, and says on standard error how many lines were dropped. No Write may
// follow. When ctx ends before a reader has taken all, Close gives up and
// returns ctx's error; otherwise ErrClosed or nil.
func (s *Sink) Close(ctx context.Context) (Stats, error) {
	done := make(chan error, 1)
	go func() { done <- s.finish() }()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		err = fmt.Errorf("output: not all output was taken by its reader: %w", ctx.Err())
	}
	return s.stats(), err
}

func (s *Sink) finish() error {
	var err error
	for i, st := range s.streams {
		if s.files != nil {
			s.files.write(i, nil, true)
		}
		if e := st.write(nil, true); e != nil {
			err = e
		}
	}
	for _, d := range s.destinations() {
		if text := d.droppedText(); text != "" {
			s.Message(text)
		}
	}
	for _, d := range s.destinations() {
		if e := d.drain(); e != nil {
			err = e
		}
	}
	return err
}

func (s *Sink) destinations() []*destination {
	if s.stdout == s.stderr {
		return []*destination{s.stdout}
	}
	return []*destination{s.stdout, s.stderr}
}

func (s *Sink) stats() Stats {
	var t Stats
	for _, d := range s.destinations() {
		t.DroppedLines += d.dropped.Load()
		t.LostBytes += d.lost.Load()
	}
	return t
}
