package rank

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-mpi/muster/internal/below"
	"github.com/muster-mpi/muster/internal/engine"
	"github.com/muster-mpi/muster/internal/hostmem"
	"github.com/muster-mpi/muster/internal/record"
	"github.com/muster-mpi/muster/internal/rendezvous"
	"github.com/muster-mpi/muster/internal/transport"
)

// job is this process's part of a job: one rank's engine and what leads in and
// out of it.
type job struct {
	engine   *engine.Engine
	world    *Comm
	self     *Comm
	hosts    []host // by first world rank
	start    time.Time
	channels atomic.Uint64 // of partitioned sends
	conns    []transport.Conn
	control  *control        // nil: no agent
	memory   *hostmem.Memory // shared by the ranks of this host; nil: none

	// In a world of Local, stop ends the job for the other ranks of the process
	// and stopped waits until all of them are leaving.
	stop    func(code int, reason string)
	stopped func(context.Context) error

	leaving atomic.Bool
	left    []Leftover // what leave found
}

// host is the ranks first to last of one host.
type host struct {
	name        string
	number      int
	first, last int
}

func (j *job) hostOf(world int) host {
	i := sort.Search(len(j.hosts), func(i int) bool { return j.hosts[i].last >= world })
	return j.hosts[i]
}

func (j *job) clock() time.Duration { return time.Since(j.start) }

// found makes the world and self once the engine has its links.
func (j *job) found(size, self int) error {
	j.world = &Comm{job: j, group: worldGroup(size, self), self: self, name: "world"}
	if err := j.world.open(engine.WorldID); err != nil {
		return err
	}
	alone := &Group{world: []int32{int32(self)}, n: 1, self: self}
	j.self = &Comm{job: j, group: alone, name: "self"}
	return j.self.open(j.engine.NextID())
}

// joined makes sure that a process joins one job, once.
var joined atomic.Bool

// Join makes the process a rank of the job that started it and returns the
// world (MPI_Init, MPI 4.1 §11.2). That is a job of muster run, or one whose
// processes Slurm (srun --mpi=pmi2) or Kubernetes (muster manifest kubernetes)
// has started; then Join returns once all of them have joined. Started otherwise the
// process is rank 0 of 1, which MUSTER_ALONE=1 in the environment makes it in any case
// but under muster run. A process that is one of several and has no way to meet the
// others is ErrLaunch, which says what to do.
//
// A process joins once: ErrJoined after that, also once it has left or has failed to
// join. Other errors: ErrLaunch. If ctx ends while the job has not answered, its
// cause is in the error.
func Join(ctx context.Context) (*Comm, error) {
	if joined.Swap(true) {
		return nil, &Error{Op: "Join", Rank: Undefined, Peer: Null, Tag: AnyTag, Site: engine.CallSite(), Err: ErrJoined}
	}
	j, err := enter(ctx)
	if err != nil {
		return nil, &Error{Op: "Join", Rank: Undefined, Peer: Null, Tag: AnyTag, Err: fmt.Errorf("%w: %w", ErrLaunch, err)}
	}
	return j.world, nil
}

// Leave ends the process's part in the job (MPI_Finalize). c is the world. First
// the attributes of Self are deleted, the last set first, and then the world's; an
// error of a hook is Leave's, and the process is then still in the job. All
// ranks must call it; it returns when all have and nothing is under way between
// them: buffered sends are delivered and others' transfers served until then.
// After it every call is ErrLeft. If ctx ends first its cause is the error, and
// the process is out of the job all the same. What nobody completed, such as
// requests never waited for and messages never received, is reported by the
// launcher, or on standard error where there is none. Errors: ErrComm if c is not
// the world, ErrLeft, ErrAborted.
func (c *Comm) Leave(ctx context.Context) error {
	if c == nil || c.job == nil {
		return c.usable("Leave")
	}
	j := c.job
	if c != j.world {
		return c.fail("Leave", Null, AnyTag, fmt.Errorf("%w: only the world is left", ErrComm))
	}
	if j.leaving.Swap(true) {
		return c.fail("Leave", Null, AnyTag, ErrLeft)
	}
	if err := clearAttributes(ErrLeft, j.self, j.world); err != nil {
		j.leaving.Store(false)
		return c.fail("Leave", Null, AnyTag, err)
	}
	err := j.leave(ctx)
	j.engine.Close(ErrLeft)
	j.close()
	if j.stop == nil && (j.control == nil || !j.control.launched) {
		for _, l := range j.left {
			fmt.Fprintf(os.Stderr, "muster: rank %d left without completing: %s\n", c.self, l)
		}
	}
	if err != nil {
		return c.fail("Leave", Null, AnyTag, err)
	}
	return nil
}

// leave drains the links, lists what nobody completed and tells the agent.
func (j *job) leave(ctx context.Context) error {
	j.engine.Records().Phase(record.Leaving)
	below.Leave(j.engine)
	if j.control != nil {
		if err := j.control.allLeaving(ctx); err != nil {
			return err
		}
	}
	if j.stopped != nil {
		if err := j.stopped(ctx); err != nil {
			return err
		}
	}
	if err := j.engine.Drain(ctx); err != nil {
		return err
	}
	if j.control != nil {
		if err := j.control.allDrained(ctx); err != nil {
			return err
		}
	}
	j.left = j.leftovers()
	if j.control != nil {
		if err := j.control.left(j.left); err != nil {
			return err
		}
	}
	j.engine.Records().Phase(record.Left)
	return nil
}

func (j *job) close() {
	for _, c := range j.conns {
		c.Close()
	}
	if j.control != nil {
		j.control.close()
	}
}

// abort ends the job.
func (j *job) abort(code int, reason string) {
	switch {
	case j.control != nil:
		j.control.abort(code, reason)
	case j.stop != nil:
		j.stop(code, reason)
	default:
		fmt.Fprintf(os.Stderr, "muster: rank 0 aborted: %s\n", reason)
		os.Exit(code)
	}
}

// Run joins the job, runs fn, and leaves. It returns only if all went well. An
// error of fn, or of joining or leaving, is reported with the rank, by the
// launcher or on standard error, and ends the process with exit code 1, which
// ends the job; a panic ends the process as in any Go program. Signals do not end
// fn's ctx: a program that wants to clean up within the launcher's --grace derives
// one by os/signal.NotifyContext(ctx, syscall.SIGTERM).
func Run(fn func(ctx context.Context, world *Comm) error) {
	ctx := context.Background()
	world, err := Join(ctx)
	if err != nil {
		text, code := unjoined(err)
		fmt.Fprint(os.Stderr, text)
		os.Exit(code)
	}
	if err := fn(ctx, world); err != nil {
		world.die(err)
	}
	if err := world.Leave(ctx); err != nil {
		world.die(err)
	}
}

// unjoined is what a process that could not join says, and its exit code: 1, or what ranks
// that have not met agreed on. If another rank ended the job meanwhile, that is for one of
// the others to say, once.
func unjoined(err error) (text string, code int) {
	text, code = fmt.Sprintf("muster: %v\n", err), 1
	if ended := (*rendezvous.Ended)(nil); errors.As(err, &ended) {
		code = ended.Code
		if ended.Text == "" {
			text = ""
		}
	}
	return text, code
}

// die reports err and ends the process. The launcher shows what its agent is
// told, with rank, host and pid; without one, this does.
func (c *Comm) die(err error) {
	if c.job.control == nil || c.job.control.say(1, err.Error()) != nil {
		if !c.job.named(err) {
			err = fmt.Errorf("rank %d of %d: %w", c.self, c.Size(), err)
		}
		fmt.Fprintf(os.Stderr, "muster: %v\n", err)
	}
	os.Exit(1)
}

// named reports whether err begins by naming this rank of the world.
func (j *job) named(err error) bool {
	e, ok := err.(*Error)
	return ok && e.Comm == j.world.Name() && e.Rank == j.world.self
}

// Leftover is something that nobody completed before the ranks left.
type Leftover struct {
	Kind   LeftoverKind
	Comm   string // the communicator's name
	Source int    // rank in the communicator, or AnySource
	Dest   int    // rank in the communicator
	Tag    Tag    // or AnyTag
	Bytes  int    // of the message or the buffer
	Count  int    // how many alike
	Op     string // the call, as "Irecv"; of a message that was never received ""
}

// LeftoverKind says what was left.
type LeftoverKind uint8

const (
	UnwaitedRequest LeftoverKind = iota // a request that completed and was never waited for
	UnreceivedSend                      // a message that was never received
	UnmatchedRecv                       // a receive that no message matched
)

// String tells all that is known, in one line.
func (l Leftover) String() string {
	var what string
	switch l.Kind {
	case UnwaitedRequest:
		what = l.Op + " never waited for"
	case UnreceivedSend:
		what = "message never received"
	case UnmatchedRecv:
		what = l.Op + " never matched"
	}
	source := fmt.Sprint(l.Source)
	if l.Source == AnySource {
		source = "any source"
	}
	tag := fmt.Sprint(l.Tag)
	if l.Tag == AnyTag {
		tag = "any"
	}
	s := fmt.Sprintf("%s: from %s to %d, tag %s, %d bytes, on %s", what, source, l.Dest, tag, l.Bytes, l.Comm)
	if l.Count > 1 {
		s += fmt.Sprintf(" (%d times)", l.Count)
	}
	return s
}

func (j *job) leftovers() []Leftover {
	var list []Leftover
	for _, l := range j.engine.Leftovers() {
		list = append(list, Leftover{
			Kind: LeftoverKind(l.Kind), Comm: l.Context.Name(),
			Source: l.Source, Dest: l.Dest, Tag: Tag(l.Tag), Bytes: l.Bytes, Count: l.Count, Op: l.What.String(),
		})
	}
	sort.Slice(list, func(a, b int) bool { return list[a].String() < list[b].String() })
	return list
}

// gate is a channel that several may close: open does it once.
type gate struct {
	once sync.Once
	ch   chan struct{}
}

func (g *gate) open() { g.once.Do(func() { close(g.ch) }) }
