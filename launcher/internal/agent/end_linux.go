package agent

import (
	"cmp"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/muster-mpi/muster/internal/boot"
	"github.com/muster-mpi/muster/internal/record"
	"github.com/muster-mpi/muster/launcher/internal/proctree"
	pb "github.com/muster-mpi/muster/proto"
	"golang.org/x/sys/unix"
)

const (
	// failGrace is how long ranks may react to SIGTERM after a failure.
	failGrace = 100 * time.Millisecond
	// silenceGrace is how long the end of a process may be behind the end of
	// its connection: a core dump takes time.
	silenceGrace = time.Second
	// lastWords is how long to wait for the end of a dead process's connection.
	lastWords = 100 * time.Millisecond
	// deathTime is how long processes may take to die of SIGKILL before they
	// are reported and left.
	deathTime = 5 * time.Second
)

// failure is a reason to end the job.
type failure struct {
	rank    int // -1: none in particular
	code    int
	what    string
	grace   time.Duration // 0: failGrace
	spawn   bool          // the job has not begun
	stopped bool          // by the launcher, for a reason worth a report
}

// onExit is the end of rank r's process.
func (h *host) onExit(r *rankState, p *process, e ending) {
	h.live--
	ws := e.status
	x := &pb.Exited{
		Rank: int32(r.rank), Pid: int64(p.pid), PeakBytes: e.peakBytes,
		CoreDumped: ws.CoreDump(), UnixNanos: time.Now().UnixNano(),
	}
	if ws.Signaled() {
		x.Signal = int32(ws.Signal())
		// A SIGKILL that was not ours is another's, whenever it came.
		x.ByAgent = h.ending && (ws.Signal() != syscall.SIGKILL || h.killed)
	} else {
		x.Code = int32(ws.ExitStatus())
		x.ByAgent = h.ending
	}
	if ws.Signaled() && ws.Signal() == syscall.SIGKILL && !x.ByAgent {
		x.OutOfMemory = h.memory.verdict(e.memory, e.peakBytes)
		if x.OutOfMemory == "" && r.group != "" {
			// Where it was when it joined: a kernel may not say it of a zombie.
			x.OutOfMemory = h.memory.verdict(readMemoryState(r.group), e.peakBytes)
		}
	}
	r.exited = x
	h.send(&pb.FromAgent{Kind: &pb.FromAgent_Exited{Exited: x}})
	d := &death{r: r}
	h.deaths = append(h.deaths, d)
	if r.conn == nil || r.silent {
		return
	}
	// Its last words on the control socket may be behind the news of its end.
	time.AfterFunc(lastWords, func() { h.post(func() { d.waited = true }) })
}

// death is the end of a rank's process that has to be judged.
type death struct {
	r      *rankState
	waited bool
}

// judgeDeaths judges those ends of which all is known, in their order.
func (h *host) judgeDeaths() {
	for len(h.deaths) > 0 {
		d := h.deaths[0]
		if d.r.conn != nil && !d.r.silent && !d.waited {
			return
		}
		h.deaths = h.deaths[1:]
		h.onDeath(d.r)
	}
}

func (h *host) onDeath(r *rankState) {
	f, bad := h.judge(r, r.exited)
	switch {
	case h.ending:
	case bad && h.start.GetSettings().GetReturnFailures() && r.phase >= joined:
		h.lose(r, f)
	case bad:
		h.fail(f)
	case r.phase == running:
		h.absent = r
		if h.joined > 0 {
			h.failAbsent(r)
		}
	}
}

// judge says whether the end of a rank's process is a failure.
func (h *host) judge(r *rankState, x *pb.Exited) (failure, bool) {
	f := failure{rank: r.rank, code: int(x.GetCode())}
	unleft := ""
	switch r.phase {
	case joined, leaving, drained:
		unleft = " without leaving the job"
	case left:
		unleft = " after leaving the job"
	}
	switch {
	case x.GetSignal() != 0:
		sig := syscall.Signal(x.GetSignal())
		f.code = 128 + int(sig)
		f.what = fmt.Sprintf("killed by signal %d (%s)", int(sig), unix.SignalName(sig))
		if x.GetOutOfMemory() != "" {
			f.what = fmt.Sprintf("killed by the OOM killer (%s; %s)", unix.SignalName(sig), x.GetOutOfMemory())
		} else if x.GetCoreDumped() {
			f.what += ", core dumped"
		}
	case x.GetCode() != 0:
		f.what = fmt.Sprintf("exited %d%s", x.GetCode(), unleft)
	case r.phase >= joined && r.phase < left:
		f.code = ExitInternal
		f.what = "exited 0" + unleft
	default:
		return f, false
	}
	return f, true
}

// failAbsent ends a job some of whose ranks wait for one that will never join.
func (h *host) failAbsent(r *rankState) {
	h.fail(failure{
		rank: r.rank, code: ExitInternal,
		what: fmt.Sprintf("exited 0 without joining, %d of %d ranks have joined", h.joined, h.start.GetSize()),
	})
}

// lose goes on without rank r.
func (h *host) lose(r *rankState, f failure) {
	r.lost = true
	if h.lost == nil {
		h.lost = &f
	}
	h.note("rank %d (pid %d) %s; the job goes on without it", r.rank, r.proc.pid, f.what)
	for _, other := range h.ranks {
		if other != r {
			other.tell(&pb.ToRank{Kind: &pb.ToRank_Failed{Failed: &pb.RankFailed{Rank: int32(r.rank), Cause: f.what}}})
		}
	}
	h.checkLeaving()
	h.checkDrained()
}

// onSilence is the end of a connection to a process of rank r.
func (h *host) onSilence(r *rankState, c *boot.Conn) {
	if c != r.conn {
		c.Close()
		return
	}
	r.out.close()
	r.silent = true
	if r.phase == left || r.exited != nil {
		return
	}
	time.AfterFunc(silenceGrace, func() {
		h.post(func() {
			if r.exited != nil {
				return
			}
			what := fmt.Sprintf("closed its control connection and runs on (pid %d)", r.pid)
			if r.pid != r.proc.pid {
				what = fmt.Sprintf("ended without leaving the job: process %d has, its parent %d runs on", r.pid, r.proc.pid)
			}
			h.fail(failure{rank: r.rank, code: ExitInternal, what: what})
		})
	})
}

// gone reports whether rank r cannot be talked to any more.
func (r *rankState) gone() bool { return r.exited != nil || r.lost || r.silent }

// onMoved is a stop or a continuation of rank r's process.
func (h *host) onMoved(r *rankState, p *process, sig syscall.Signal) {
	if r.exited != nil || h.ending {
		return
	}
	if sig == syscall.SIGCONT {
		if r.stopped {
			h.send(&pb.FromAgent{Kind: &pb.FromAgent_Continued{Continued: &pb.Continued{Rank: int32(r.rank), Pid: int64(p.pid)}}})
		}
		r.stopped = false
		return
	}
	if h.suspended || r.stopped {
		return
	}
	r.stopped, r.stoppedAt = true, h.awake.total
	h.send(&pb.FromAgent{Kind: &pb.FromAgent_Stopped{Stopped: &pb.Stopped{Rank: int32(r.rank), Pid: int64(p.pid), Signal: int32(sig)}}})
}

// needsClock reports whether a timeout is running.
func (h *host) needsClock() bool {
	if h.ending {
		return false
	}
	if h.joined > 0 && h.joined < len(h.ranks) {
		return true
	}
	for _, r := range h.ranks {
		if r.stopped && h.start.GetStopTimeoutNanos() > 0 {
			return true
		}
	}
	return false
}

func (h *host) checkTimeouts() {
	if limit := time.Duration(h.start.GetStartTimeoutNanos()); limit > 0 && h.joined > 0 && h.joined < len(h.ranks) && h.awake.total-h.firstIn > limit {
		for _, r := range h.ranks {
			if r.conn != nil || r.exited != nil {
				continue
			}
			state := "not started yet"
			if r.proc != nil {
				state = processState(r.proc.pid)
			}
			h.fail(failure{
				rank: r.rank, code: ExitSpawn,
				what: fmt.Sprintf("did not join within %v of the first rank; %s", limit, state),
			})
			return
		}
	}
	if limit := time.Duration(h.start.GetStopTimeoutNanos()); limit > 0 {
		for _, r := range h.ranks {
			if r.stopped && h.awake.total-r.stoppedAt > limit {
				h.fail(failure{rank: r.rank, code: ExitLost, what: fmt.Sprintf("has been stopped for %v", limit)})
				return
			}
		}
	}
}

var stateNames = map[byte]string{
	'R': "running", 'S': "sleeping", 'D': "waiting for a device", 'T': "stopped", 't': "stopped by a debugger", 'Z': "ended",
}

func processState(pid int) string {
	p, ok := proctree.Read(pid)
	if !ok {
		return "it has ended"
	}
	return fmt.Sprintf("it is %s (state %c)", cmp.Or(stateNames[p.State], "in an unknown state"), p.State)
}

// fail ends the job because of f, and reports it with what every rank was
// doing. Only the first reason counts: what follows from it looks like failure
// too.
func (h *host) fail(f failure) {
	if h.ending {
		return
	}
	m := &pb.Failure{Rank: int32(f.rank), Code: int32(f.code), What: f.what, UnixNanos: time.Now().UnixNano()}
	r := h.rank(f.rank)
	for _, other := range h.ranks {
		if other != r {
			m.Others = append(m.Others, other.state())
		}
	}
	var words <-chan struct{}
	if r != nil && r.proc != nil {
		s := r.state()
		m.Pid = int64(cmp.Or(r.pid, r.proc.pid))
		m.Exited = r.exited
		m.Last = cmp.Or(s.GetBlocked(), s.GetLast())
		m.Phase = h.phaseOf(r, f)
		if r.exited != nil {
			words = r.streams[1].settled()
		}
	}
	h.end(cmp.Or(f.grace, failGrace))
	if words == nil {
		h.report(m)
		return
	}
	// The ranks are being ended; meanwhile its last words arrive.
	h.reporting = true
	go func() {
		select {
		case <-words:
		case <-time.After(failGrace):
		}
		h.post(func() {
			h.reporting = false
			m.Panic = r.streams[1].panicLine()
			h.report(m)
		})
	}()
}

func (h *host) report(m *pb.Failure) {
	h.send(&pb.FromAgent{Kind: &pb.FromAgent_Failure{Failure: m}})
}

func (h *host) phaseOf(r *rankState, f failure) string {
	switch {
	case f.spawn:
		return ""
	case r.phase == leaving || r.phase == drained:
		return "while leaving"
	case r.phase == left:
		return "after leaving"
	case h.joined > 0 && h.joined < len(h.ranks):
		return fmt.Sprintf("during startup, %d of %d joined", h.joined, h.start.GetSize())
	case h.joined == 0 && len(h.ranks) > 1:
		return "before any rank joined"
	}
	return ""
}

// state reads what rank r is doing now.
func (r *rankState) state() *pb.RankState {
	s := &pb.RankState{Rank: int32(r.rank), Phase: "not joined"}
	if r.proc != nil {
		s.Pid = int64(cmp.Or(r.pid, r.proc.pid))
	}
	switch r.phase {
	case joined:
		s.Phase = "running"
	case leaving, drained:
		s.Phase = "leaving"
	case left:
		s.Phase = "left"
	}
	if r.exited != nil {
		s.Phase = "ended"
	}
	if r.reader == nil {
		return s
	}
	if blocked := r.reader.Blocked(); len(blocked) > 0 {
		s.Blocked = describe(blocked)
	}
	if last := r.reader.Last(1); len(last) > 0 {
		s.Last = last[0].String()
	}
	return s
}

func describe(blocked []record.Record) string {
	const most = 3
	var parts []string
	for _, b := range blocked[:min(most, len(blocked))] {
		parts = append(parts, b.String())
	}
	text := strings.Join(parts, "; ")
	if n := len(blocked) - most; n > 0 {
		text += fmt.Sprintf("; and %d more", n)
	}
	return text
}

// end tells every rank to end, and kills those that have not after grace. A
// later call can only make the grace shorter.
func (h *host) end(grace time.Duration) {
	first := !h.ending
	h.ending = true
	h.table.close()
	if grace <= 0 {
		h.kill()
		return
	}
	if first {
		h.table.signal(syscall.SIGTERM)
		h.table.signal(syscall.SIGCONT) // a stopped process dies of no SIGTERM
	}
	time.AfterFunc(grace, func() { h.post(h.kill) })
}

func (h *host) kill() {
	h.killed = true
	h.table.signal(syscall.SIGKILL)
}

// proceed takes the job through its last steps once all ranks have ended:
// strays are killed, output is drained, Done is sent.
func (h *host) proceed() {
	h.judgeDeaths()
	if !h.spawned || h.live > 0 || len(h.deaths) > 0 {
		return
	}
	if !h.finishing {
		h.finishing = true
		if h.lost != nil && !h.ending && !h.anyLeft() {
			h.fail(*h.lost)
		}
		h.ending = true
		h.table.close()
		go h.finish()
	}
	if h.drained && !h.reporting {
		done := &pb.Done{Strays: int32(h.strays), Survivors: h.survivors}
		for _, r := range h.ranks {
			if r.exited.GetByAgent() {
				done.Killed++
			}
		}
		h.send(&pb.FromAgent{Kind: &pb.FromAgent_Done{Done: done}})
		h.outbox.close()
		h.quit = true
	}
}

func (h *host) anyLeft() bool {
	for _, r := range h.ranks {
		if r.phase == left {
			return true
		}
	}
	return false
}

// finish kills what the ranks have left behind and waits for the end of their
// output.
func (h *host) finish() {
	strays, survivors := killStrays(h.table)
	for _, r := range h.ranks {
		if r.listener != nil {
			r.listener.Close()
		}
		if r.stdin != nil {
			r.stdin.Close()
		}
	}
	for _, r := range h.ranks {
		if r.proc != nil {
			r.streams[0].finish()
			r.streams[1].finish()
		}
	}
	for _, r := range h.ranks {
		if r.proc == nil {
			continue
		}
		for _, s := range r.streams {
			select {
			case <-s.ended:
			case <-h.abandoned: // nobody gives credit any more
			}
		}
	}
	h.post(func() { h.strays, h.survivors, h.drained = strays, survivors, true })
}

// killStrays kills every descendant of the agent until there is none.
func killStrays(t *table) (killed int, survivors []int64) {
	deadline := time.Now().Add(deathTime)
	hit := make(map[proctree.Process]bool)
	for !t.isIdle() {
		below := proctree.Below(proctree.All(), func(p proctree.Process) bool { return p.PID == os.Getpid() })
		survivors = survivors[:0]
		for _, p := range below {
			survivors = append(survivors, int64(p.PID))
			if p.Kill() {
				p.State, p.Parent, p.Group, p.Session = 0, 0, 0, 0 // the rest is its identity
				hit[p] = true
			}
		}
		if time.Now().After(deadline) {
			return len(hit), survivors
		}
		time.Sleep(time.Millisecond) // until the reaper has seen them
	}
	return len(hit), nil
}
