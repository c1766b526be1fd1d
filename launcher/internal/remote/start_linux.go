package remote

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// Start brings an agent to life on a host and returns the connection to it, or gives
// up when ctx ends, which is of no more concern once Start has returned. Any
// number may run at once. Errors: *Error.
func Start(ctx context.Context, o Options) (*Session, error) {
	if o.Shell.Argv == nil {
		o.Shell = SSH()
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if err := o.check(); err != nil {
		return nil, &Error{Host: o.Host, Stage: StageShell, What: err.Error(), Err: err}
	}
	mode, hungUp, reachBy := modeCache, 0, time.Now().Add(o.Timeout)
	var full string // what became of the cache
	for {
		a := &attempt{Options: o, mode: mode, reachBy: reachBy}
		s, err := a.run(ctx)
		if err == nil {
			if full != "" {
				s.Info.Uncached = full
			}
			return s, nil
		}
		switch {
		case ctx.Err() != nil:
			return nil, err
		case a.refused == "write" && a.info.Uncached == "" && mode == modeCache:
			mode, full = modeTemp, err.What
			reachBy = time.Now().Add(o.Timeout)
		case a.info.Cached && a.died:
			mode = modeFresh // what the cache has does not run
			reachBy = time.Now().Add(o.Timeout)
		case a.hungUpOn() && hungUp < maxHungUp && time.Until(reachBy) > o.Timeout/2:
			// A server, or a jump host before it, has too many log in at once.
			hungUp++
			pause := time.Duration(100+mathrand.IntN(400)) * time.Millisecond
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
		default:
			return nil, err
		}
	}
}

// maxHungUp bounds how often a server that hangs up is tried again.
const maxHungUp = 5

const (
	modeCache = "cache"
	modeFresh = "fresh"
	modeTemp  = "temp"
)

// attempt is one run of the remote shell until the agent runs.
type attempt struct {
	Options
	mode    string
	reachBy time.Time
	nonce   string
	process *process
	conn    net.Conn
	in      *bufio.Reader
	info    Info
	noise   noise

	size    int64  // of the agent's binary
	refused string // what the script has failed at
	died    bool   // the remote shell ended by itself

	mu     sync.Mutex
	stage  Stage
	began  time.Time // of the stage
	timing map[Stage]time.Duration
}

func (a *attempt) run(ctx context.Context) (*Session, *Error) {
	var nonce [16]byte
	rand.Read(nonce[:])
	a.nonce = hex.EncodeToString(nonce[:])
	a.timing = make(map[Stage]time.Duration)
	a.enter(StageShell)
	stderr := &stderrReader{pass: a.Stderr, in: func() { a.enter(StageProbe) }}
	var err error
	a.process, a.conn, err = startProcess(a.Shell.Kind, a.command(remoteCommand(a.nonce)), stderr)
	if err != nil {
		return nil, a.notStarted(err)
	}
	// The end of ctx wakes whatever waits for the connection.
	stop := context.AfterFunc(ctx, func() { a.conn.SetDeadline(past) })
	a.in = bufio.NewReaderSize(a.conn, 64<<10)
	err = a.talk(ctx)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		failure := a.explain(ctx, err)
		a.conn.Close()
		return nil, failure
	}
	a.conn.SetDeadline(time.Time{})
	stderr.startPassing()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.timing[a.stage] = time.Since(a.began)
	rest, _ := a.in.Peek(a.in.Buffered())
	return &Session{
		Conn:    &bufferedConn{Conn: a.conn, rest: bytes.Clone(rest)},
		Info:    a.info,
		Timing:  a.timing,
		process: a.process,
	}, nil
}

var past = time.Unix(1, 0)

// enter begins a stage, unless a later one has begun.
func (a *attempt) enter(stage Stage) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if slices.Index(Stages, stage) <= slices.Index(Stages, a.stage) {
		return
	}
	if a.stage != "" {
		a.timing[a.stage] = time.Since(a.began)
	}
	a.stage, a.began = stage, time.Now()
	if a.OnStage != nil {
		a.OnStage(stage)
	}
}

func (a *attempt) current() Stage {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.stage
}

// allow gives the next answer the whole timeout.
func (a *attempt) allow(ctx context.Context) { a.allowUntil(ctx, time.Now().Add(a.Timeout)) }

func (a *attempt) allowUntil(ctx context.Context, t time.Time) {
	a.conn.SetDeadline(t)
	if ctx.Err() != nil { // its deadline may be the one just overwritten
		a.conn.SetDeadline(past)
	}
}

// talk is the launcher's half of the script.
func (a *attempt) talk(ctx context.Context) error {
	a.allowUntil(ctx, a.reachBy)
	own, offered := platformHere(), make(chan error, 1)
	var binary *agentFile
	go func() { // while the remote shell is let in
		var err error
		if binary, err = a.Agent.here(); err == nil {
			err = a.offer(own, binary)
		}
		offered <- err
	}()
	words, err := a.answer("host")
	if err != nil {
		return err
	}
	a.enter(StageProbe)
	if len(words) != 4 {
		return fmt.Errorf("the host's uname says %q, expected system, name, release and machine", words)
	}
	there := platform{system: words[0], machine: words[3]}
	a.info = Info{OS: there.system, Hostname: words[1], Kernel: words[2], Machine: there.machine, Arch: there.goarch()}
	if there.system != "Linux" {
		return fmt.Errorf("the host runs %s; agents need Linux", there.system)
	}
	a.enter(StageStage)
	if err := <-offered; err != nil {
		return err
	}
	if there != own {
		if binary, err = a.forOther(ctx, own, there, binary); err != nil {
			return err
		}
		defer binary.release()
	}
	a.info.Bytes = binary.size
	a.allow(ctx)
	if err := a.stageBinary(ctx, binary); err != nil {
		return err
	}
	a.enter(StageAgent)
	a.allow(ctx)
	words, err = a.answer("agent")
	a.info.Home = strings.Join(words, " ")
	return err
}

// offer sends the line that says which binary is wanted there.
func (a *attempt) offer(p platform, b *agentFile) error {
	_, err := fmt.Fprintf(a.conn, "%s %s %s %d %s %s\n", p.system, p.machine, b.digest, b.size, a.mode, strings.Join(b.args, " "))
	return err
}

// forOther sees to the binary for another platform than ours.
func (a *attempt) forOther(ctx context.Context, own, there platform, ours *agentFile) (*agentFile, error) {
	if _, err := a.answer("other"); err != nil {
		return nil, err
	}
	binary := ours
	if there.goarch() != own.goarch() {
		var err error
		if binary, err = a.Agent.other(ctx, there); err != nil {
			return nil, err
		}
		a.allow(ctx) // a build takes as long as it takes
	}
	return binary, a.offer(there, binary)
}

// stageBinary sends the binary if the host asks for it.
func (a *attempt) stageBinary(ctx context.Context, b *agentFile) error {
	words, err := a.answer("have", "need")
	if err != nil {
		return err
	}
	if words[0] == "have" {
		a.info.Cached = true
		return nil
	}
	a.size, a.info.Uncached = b.size, strings.Join(words[1:], " ")
	file, err := os.Open(b.path)
	if err != nil {
		return err
	}
	go func() {
		defer file.Close()
		part := make([]byte, 256<<10)
		for left := b.size; left > 0; {
			n, err := file.Read(part[:min(left, int64(len(part)))])
			if err != nil {
				a.conn.Close() // the file was cut meanwhile: no answer will come
				return
			}
			a.allow(ctx)
			if _, err := a.conn.Write(part[:n]); err != nil {
				return // the answer, or its absence, says why
			}
			left -= int64(n)
		}
		a.allow(ctx)
	}()
	_, err = a.answer("staged")
	return err
}

// A refusal is what the script says when it fails.
type refusal struct{ at, what string }

func (r *refusal) Error() string { return r.at + ": " + r.what }

// answer reads until the host says one of the words wanted, and returns what
// follows it; where several are wanted, with the word. What is no answer is noise of
// the login shell.
func (a *attempt) answer(wanted ...string) ([]string, error) {
	const mostNoise = 1 << 20
	m := []byte(mark(a.nonce))
	var line []byte
	for read := 0; ; {
		part, err := a.in.ReadSlice('\n')
		line = append(line, part...)
		read += len(part)
		if err == nil {
			if _, said, ok := bytes.Cut(line, m); ok {
				words := strings.Fields(string(said))
				if len(words) > 0 && slices.Contains(wanted, words[0]) {
					if len(wanted) == 1 {
						words = words[1:]
					}
					return words, nil
				}
				if len(words) > 1 && words[0] == "failed" {
					return nil, &refusal{words[1], strings.Join(words[2:], " ")}
				}
				return nil, fmt.Errorf("the host says %q, expected %s", said, strings.Join(wanted, " or "))
			}
			a.noise.add(line)
			line = line[:0]
		} else if !errors.Is(err, bufio.ErrBufferFull) {
			a.noise.add(line)
			return nil, err
		}
		if read > mostNoise {
			a.noise.add(line)
			return nil, errNoise
		}
	}
}

var errNoise = errors.New("more than 1 MiB of other output")

// noise is the end of what a host says that is no answer.
type noise struct{ lines []string }

func (n *noise) add(line []byte) {
	const longest, most = 200, 5
	if text := strings.TrimSpace(string(line[:min(len(line), longest)])); text != "" {
		n.lines = append(n.lines, text)
		n.lines = n.lines[max(0, len(n.lines)-most):]
	}
}
