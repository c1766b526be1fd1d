package agent

import (
	"fmt"
	"io"
	"syscall"
	"time"

	"github.com/muster-mpi/muster/internal/boot"
	"github.com/muster-mpi/muster/internal/record"
	pb "github.com/muster-mpi/muster/proto"
	"golang.org/x/sys/unix"
)

const (
	// silenceGrace is how long the end of a process may be behind the end of
	// its connection: a core dump takes time.
	silenceGrace = time.Second
	// lastWords is for how much awake time to wait for the end of a dead process's
	// connection, which a child of the process may have inherited.
	lastWords = 500 * time.Millisecond
)

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
	r.clock(time.Now())
	x.InJobNanos, x.WaitedNanos = int64(r.inJob), int64(r.waited)
	r.exited = x
	h.send(&pb.FromAgent{Kind: &pb.FromAgent_Exited{Exited: x}})
	h.deaths = append(h.deaths, death{r, h.awake.total})
}

// clock takes down, once, for how long rank r has been in the job until now, and how much of
// that it has waited. What it does after it has left is not the job's.
func (r *rankState) clock(now time.Time) {
	if r.inJob == 0 && r.reader != nil && r.reader.Phase() != record.Absent {
		r.inJob = now.Sub(r.joinedAt)
		r.waited = min(r.reader.Slept(now), r.inJob)
	}
}

// death is the end of a rank's process that has to be judged: its last words on the control
// socket may be behind the news of its end.
type death struct {
	r  *rankState
	at time.Duration // awake time
}

// judgeDeaths judges those ends of which all is known, in their order.
func (h *host) judgeDeaths() {
	for len(h.deaths) > 0 {
		d := h.deaths[0]
		if d.r.conn != nil && !d.r.silent && h.awake.total-d.at < lastWords {
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
		if h.joined > 0 || h.elsewhere {
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
	h.fail(failure{rank: r.rank, code: ExitInternal, what: "exited 0 without joining, and others have joined"})
}

// lose goes on without rank r. The launcher tells the other hosts, and the user.
func (h *host) lose(r *rankState, f failure) {
	r.lost = f.what
	h.send(&pb.FromAgent{Kind: &pb.FromAgent_Lost{Lost: &pb.RankLost{Failure: h.failureOf(f)}}})
	for _, other := range h.ranks {
		if other != r {
			other.tell(obituary(r.rank, r.lost))
		}
	}
	h.checkReached()
}

// onLostElsewhere is that the job goes on without a rank of another host.
func (h *host) onLostElsewhere(f *pb.Failure) {
	h.lostRanks[int(f.GetRank())] = true
	m := obituary(int(f.GetRank()), f.GetWhat())
	h.obituaries = append(h.obituaries, m)
	for _, r := range h.ranks {
		r.tell(m)
	}
}

// obituary tells a rank that another is dead.
func obituary(rank int, cause string) *pb.ToRank {
	return &pb.ToRank{Kind: &pb.ToRank_Failed{Failed: &pb.RankFailed{Rank: int32(rank), Cause: cause}}}
}

// onSilence is the end of a connection to a process of rank r.
func (h *host) onSilence(r *rankState, c *boot.Conn) {
	if c != r.conn {
		c.Close()
		return
	}
	r.out.Close(io.EOF)
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
func (r *rankState) gone() bool { return r.exited != nil || r.lost != "" || r.silent }

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
