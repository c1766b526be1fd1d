package launcher

import (
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/muster-mpi/muster/internal/output"
	pb "github.com/muster-mpi/muster/proto"
	"golang.org/x/sys/unix"
)

// patience is how long the agent may take to end a job that has to end at once,
// and how long a banner waits for a reader that does not take the output before
// it.
const patience = 3 * time.Second

// run is a job under way. Its fields belong to the goroutine of Run.
type run struct {
	job    Job
	plan   *jobPlan
	result Result
	agents []*hostAgent // by host
	sink   *output.Sink
	feed   *feed

	stdinMu    sync.Mutex
	stdinTaken int64 // by every host that reads
	taken      chan int64

	showing  showing
	gathers  atomic.Pointer[gathering] // the stacks that are being gathered; nil: none
	events   chan func()               // what the goroutines of agents have for Run's
	looped   chan struct{}             // closed when nobody calls what is posted any more
	over     chan struct{}
	reaching context.CancelFunc // gives up the hosts that are not reached yet
	reachers sync.WaitGroup

	phases  phases
	forget  func()              // the job's keys, once all hosts have theirs
	started bool                // every rank's process exists
	joined  int                 // ranks
	builds  []joinedAs          // by application, of the first rank that joined
	tunnels map[rankPair]uint32 // number of the next
	stage   pb.Stage            // all have reached
	lost    *Failure            // first rank without which the job went on
	left    bool                // a rank has left in order
	ending  bool                // the ranks were told to end because of the outside
	asked   bool                // where ranks are, for a user who ends the job

	suspending bool // agents were told to stop the ranks, and this process is to follow
	stopped    bool // they were once: the time of that is no waiting
	reason     string
	code       int       // of the job, if the outside ended it
	limit      time.Time // when an agent that has not ended the job is given up
	overdue    <-chan time.Time
	supplies   map[string]*supply // by digest
}

// Run runs job and returns when nothing of it is left: no process, file or
// socket. It waits for the ranks and for the reader of their output.
//
// What arrives on signals is for the job: SIGINT, SIGTERM and SIGHUP ask the
// ranks to end, with SIGTERM, and kill them after Grace or when a second comes; what
// ranks are blocked in is shown before;
// SIGTSTP stops the ranks and then this process; every other signal but SIGCONT
// is passed on. Run catches no signal itself but SIGPIPE, for as long as it runs.
// When ctx ends, the ranks are killed at once.
//
// A job that fails is reported on Job.Stderr, once, and in the Result. The error
// is nil then: it is for what prevented the job from running, and has not been
// shown to anyone. Result.Code is the exit code in every case.
//
// Run makes this process a child subreaper for good, and while it holds the keys of a
// job, which is until all hosts have theirs, no other process may look at its memory
// (PR_SET_DUMPABLE). It refuses to run set-user-ID. A Job.Stdin that does not
// end may have a read under way when Run returns.
func Run(ctx context.Context, job Job, signals Signals) (Result, error) {
	now := time.Now()
	if err := OwnRights(); err != nil {
		return Result{Code: ExitUsage, Start: now}, err
	}
	if err := checkReport(job.Report); err != nil {
		return Result{Code: ExitUsage, Start: now}, err
	}
	show := hideMemory()
	defer show()
	p, err := plan(&job, now)
	if err != nil {
		return Result{Code: ExitUsage, Start: now}, err
	}
	planned(p)
	forget := func() {
		p.forget()
		show()
	}
	if !p.hasKeys() {
		forget()
	}
	broken := make(chan os.Signal, 1)
	signal.Notify(broken, syscall.SIGPIPE)
	defer signal.Stop(broken)

	r := newRun(job, p, now)
	r.forget = forget
	defer close(r.over)
	r.sink, err = output.New(output.Options{
		Size: len(r.result.Ranks), Stdout: job.Stdout, Stderr: job.Stderr,
		Tag: job.Output.Tag, Timestamp: job.Output.Timestamp, Color: job.Output.Color,
		Raw: job.Output.Raw, Dir: job.Output.Dir, DropOnSlow: job.Output.DropOnSlow,
	})
	if err != nil {
		r.result.Code = ExitResource
		return r.result, err
	}
	r.feed = newFeed(r.sink, func(rank int32, bytes int64) {
		r.agents[p.host[rank]].send(&pb.ToAgent{Kind: &pb.ToAgent_OutputCredit{OutputCredit: &pb.OutputCredit{Rank: rank, Bytes: bytes}}})
	})
	r.startShowing()
	defer r.stopShowing()
	r.reachAll(ctx)
	defer r.reaching()
	r.loop(ctx, signals)
	close(r.looped)
	return r.finish(ctx, signals)
}

// planned is told of every plan; tests look for its secrets.
var planned = func(*jobPlan) {}

// newRun is a job of which nothing has begun.
func newRun(job Job, p *jobPlan, now time.Time) *run {
	r := &run{
		job: job, plan: p,
		result:   Result{Job: hex.EncodeToString(p.common.GetJob()), Start: now},
		taken:    make(chan int64, 1),
		events:   make(chan func(), 64),
		over:     make(chan struct{}),
		builds:   make([]joinedAs, len(job.Apps)),
		tunnels:  make(map[rankPair]uint32),
		supplies: make(map[string]*supply),
		looped:   make(chan struct{}),
	}
	for rank := range int(p.common.GetSize()) {
		r.result.Ranks = append(r.result.Ranks, RankResult{Rank: rank, Host: p.hosts[p.host[rank]].Name})
	}
	for n, h := range p.hosts {
		r.agents = append(r.agents, &hostAgent{number: n, host: h})
	}
	return r
}

// post has Run's goroutine call f. It reports false when Run has returned.
func (r *run) post(f func()) bool {
	select {
	case r.events <- f:
		return true
	case <-r.over:
		return false
	}
}

// receive takes the agent's messages in until the stream ends.
func (r *run) receive(a *hostAgent) {
	for {
		m, err := a.stream.Recv()
		if err != nil {
			r.post(func() { r.onGone(a) })
			return
		}
		if !r.take(a, m, r.post) {
			return
		}
	}
}

// take takes one message of an agent in, and reports whether more may follow. post has
// Run's goroutine do something.
func (r *run) take(a *hostAgent, m *pb.FromAgent, post func(func()) bool) (more bool) {
	if err := r.claims(a, m); err != nil {
		post(func() { r.onViolation(a, err) })
		return false
	}
	switch k := m.GetKind().(type) {
	case *pb.FromAgent_Output:
		r.feed.put(k.Output)
	case *pb.FromAgent_StdinTaken:
		r.onStdinTaken(a, k.StdinTaken.GetBytes())
	case *pb.FromAgent_Stacks:
		r.onStacks(k.Stacks)
	default:
		return post(func() { r.onMessage(a, m) }) && m.GetDone() == nil
	}
	return true
}

// loop returns when every agent is done or lost.
func (r *run) loop(ctx context.Context, signals Signals) {
	var timeout <-chan time.Time
	if r.job.Timeout > 0 {
		timeout = time.After(r.job.Timeout)
	}
	waiting := time.NewTicker(waitingEvery)
	defer waiting.Stop()
	canceled, closed := ctx.Done(), r.sink.Closed()
	for !r.allOver() {
		r.noteChange()
		select {
		case f := <-r.events:
			f()
		case <-waiting.C:
			r.sayWaiting()
		case sig := <-signals:
			r.onSignal(sig)
		case <-r.showing.due:
			r.show()
		case <-canceled:
			canceled = nil
			r.code = 128 + int(syscall.SIGTERM)
			r.end(0, "")
		case <-closed:
			closed = nil
			if !r.ending && r.result.Failure == nil {
				r.code = ExitPipe
				r.say("the reader of the output has closed it; the job ends")
			}
			r.end(100*time.Millisecond, "")
		case <-timeout:
			timeout = nil
			if !r.ending {
				r.code = ExitTimeout
				r.end(r.grace(), fmt.Sprintf("the job ran longer than %v", r.job.Timeout))
			}
		case <-r.overdue:
			return // an agent that does not answer is treated as lost
		}
	}
}

func (r *run) allOver() bool { return r.all((*hostAgent).over) }

// all reports whether something is so of every agent.
func (r *run) all(is func(*hostAgent) bool) bool {
	return !slices.ContainsFunc(r.agents, func(a *hostAgent) bool { return !is(a) })
}

// tell sends m to every agent that has begun: the first that one hears is Start.
func (r *run) tell(m *pb.ToAgent) {
	for _, a := range r.agents {
		if a.begun && !a.over() {
			a.send(m)
		}
	}
}

func (r *run) grace() time.Duration {
	if r.job.Grace > 0 {
		return r.job.Grace
	}
	return defaultGrace
}

// end asks the agents to end the ranks; with a reason, to report on them as well.
func (r *run) end(grace time.Duration, reason string) {
	r.ending = true
	r.expect(grace)
	r.endAgents(&pb.EndJob{GraceNanos: int64(grace), Reason: reason, States: reason != ""}, nil)
}

// expect sets when agents that have not ended the job by then are given up.
func (r *run) expect(grace time.Duration) {
	if limit := time.Now().Add(grace + patience); r.overdue == nil || limit.Before(r.limit) {
		r.limit, r.overdue = limit, time.After(grace+patience)
	}
}

// endAgents passes m on to the agents that have begun, but for one that ends by itself,
// and gives up the others.
func (r *run) endAgents(m *pb.EndJob, but *hostAgent) {
	r.reaching()
	for _, a := range r.agents {
		switch {
		case a == but || a.over():
		case a.begun:
			a.send(&pb.ToAgent{Kind: &pb.ToAgent_End{End: m}})
		default:
			r.abandon(a)
		}
	}
}

func (r *run) say(format string, args ...any) {
	r.sink.Message("muster: " + fmt.Sprintf(format, args...) + "\n")
}

// onSignal does what a signal to the launcher means for the job.
func (r *run) onSignal(s os.Signal) {
	sig, ok := s.(syscall.Signal)
	if !ok {
		return
	}
	switch sig {
	case syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM:
		if sig == syscall.SIGHUP && r.job.Detach {
			return
		}
		if r.ending || r.result.Failure != nil {
			r.end(0, "")
			return
		}
		r.code = 128 + int(sig)
		r.reason = unix.SignalName(sig)
		r.say("%s: the ranks have %v to end; a second signal kills them now", r.reason, r.grace())
		r.endAndAsk(r.grace())
	case syscall.SIGTSTP:
		// Suspended answers, and then this process stops as well.
		r.suspending, r.stopped = true, true
		r.tell(&pb.ToAgent{Kind: &pb.ToAgent_Suspend{Suspend: &pb.Suspend{}}})
		r.checkSuspended() // at once if no agent has begun
	case syscall.SIGCONT, syscall.SIGCHLD, syscall.SIGPIPE, syscall.SIGURG:
	default:
		r.tell(&pb.ToAgent{Kind: &pb.ToAgent_Signal{Signal: &pb.SignalRanks{Signal: int32(sig)}}})
	}
}

// stopSelf stops this process as SIGTSTP would have. The signal goes to this
// thread: sent to the process, another thread might take it while this one
// runs on and wakes the ranks again.
func stopSelf() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	unix.Tgkill(unix.Getpid(), unix.Gettid(), unix.SIGSTOP)
}

func (r *run) onMessage(a *hostAgent, m *pb.FromAgent) {
	if err := r.inTurn(a, m); err != nil {
		r.onViolation(a, err)
		return
	}
	switch k := m.GetKind().(type) {
	case *pb.FromAgent_Ready:
		r.onReady(a, k.Ready)
	case *pb.FromAgent_Listening:
		r.onListening(a, k.Listening)
	case *pb.FromAgent_Tunnel:
		r.onTunnelWanted(k.Tunnel)
	case *pb.FromAgent_Need:
		r.onNeed(a, k.Need)
	case *pb.FromAgent_Staged:
		r.onStaged(a, k.Staged)
	case *pb.FromAgent_Started:
		r.onStarted(a, k.Started)
	case *pb.FromAgent_Joined:
		r.onJoined(a, k.Joined)
	case *pb.FromAgent_Reached:
		a.reached = k.Reached.GetStage()
		r.checkStage()
	case *pb.FromAgent_Lost:
		r.onRankLost(a, k.Lost)
	case *pb.FromAgent_States:
		r.onStates(a, k.States.GetRanks())
	case *pb.FromAgent_Exited:
		r.onExited(a, k.Exited)
	case *pb.FromAgent_Stopped:
		r.say("rank %d%s (pid %d) is stopped by %s; the job waits for it", k.Stopped.GetRank(), r.on(a), k.Stopped.GetPid(),
			unix.SignalName(syscall.Signal(k.Stopped.GetSignal())))
	case *pb.FromAgent_Continued:
		r.say("rank %d%s (pid %d) runs again", k.Continued.GetRank(), r.on(a), k.Continued.GetPid())
	case *pb.FromAgent_Note:
		r.say("%s", k.Note.GetText())
	case *pb.FromAgent_Failure:
		r.onFailure(a, k.Failure)
	case *pb.FromAgent_Left:
		r.left = true
		r.onLeft(k.Left)
	case *pb.FromAgent_Suspended:
		a.suspended = true
		r.checkSuspended()
	case *pb.FromAgent_Done:
		a.done = k.Done
		r.takesNoInput(a)
		r.checkStage()
		r.checkSuspended()
		r.checkWhere()
	}
}

// on names the host of an agent where the job has several.
func (r *run) on(a *hostAgent) string {
	if len(r.agents) == 1 {
		return ""
	}
	return " on " + a.host.Name
}

// checkSuspended stops this process once all ranks are stopped, and continues them
// when it runs again.
func (r *run) checkSuspended() {
	if !r.suspending || !r.all(func(a *hostAgent) bool { return !a.begun || a.over() || a.suspended }) {
		return
	}
	for _, a := range r.agents {
		a.suspended = false
	}
	r.suspending = false
	stopSelf()
	r.tell(&pb.ToAgent{Kind: &pb.ToAgent_Continue{Continue: &pb.Continue{}}})
}

func (r *run) onExited(a *hostAgent, e *pb.Exited) {
	r.result.Ranks[e.GetRank()] = RankResult{
		joined: r.result.Ranks[e.GetRank()].joined, Rank: int(e.GetRank()), Host: r.result.Ranks[e.GetRank()].Host, PID: int(e.GetPid()),
		CPUs: r.result.Ranks[e.GetRank()].CPUs, Ended: true, Code: int(e.GetCode()), Signal: int(e.GetSignal()),
		CoreDumped: e.GetCoreDumped(), ByMuster: e.GetByAgent(), OutOfMemory: e.GetOutOfMemory(),
		PeakBytes: e.GetPeakBytes(), Time: time.Unix(0, e.GetUnixNanos()).Add(-a.skew),
		InJob: time.Duration(max(e.GetInJobNanos(), 0)), Waited: time.Duration(max(e.GetWaitedNanos(), 0)),
	}
}

func (r *run) onLeft(m *pb.RankLeft) {
	kinds := map[pb.Leftover_Kind]string{
		pb.Leftover_REQUEST: "request", pb.Leftover_SEND: "send", pb.Leftover_RECV: "recv",
	}
	for _, l := range m.GetLeft().GetLeftovers() {
		r.result.Leftovers = append(r.result.Leftovers, Leftover{
			Rank: int(m.GetRank()), Kind: kinds[l.GetKind()], Comm: l.GetComm(), Source: int(l.GetSource()),
			Dest: int(l.GetDest()), Tag: l.GetTag(), Bytes: l.GetBytes(), Count: l.GetCount(), What: l.GetWhat(),
		})
	}
	if more := m.GetLeft().GetMore(); more > 0 {
		r.result.Leftovers = append(r.result.Leftovers, Leftover{
			Rank: int(m.GetRank()), Kind: "request", Count: more, What: "and others that are not listed",
		})
	}
}
