package agent

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/muster-mpi/muster/internal/record"
	pb "github.com/muster-mpi/muster/proto"
)

// failGrace is how long ranks may react to SIGTERM after a failure.
const failGrace = 100 * time.Millisecond

// failure is a reason to end the job.
type failure struct {
	rank    int // -1: none in particular
	code    int
	what    string
	grace   time.Duration // 0: failGrace
	spawn   bool          // the job has not begun
	stopped bool          // by the launcher, for a reason worth a report
	echo    bool          // may be but the consequence of what has happened on another host
}

// fail ends the job because of f, and reports it with what every rank was
// doing. Only the first reason counts: what follows from it looks like failure
// too.
func (h *host) fail(f failure) {
	if h.ending {
		return
	}
	m := h.failureOf(f)
	var words <-chan struct{}
	r := h.rank(f.rank)
	if r != nil && r.proc != nil && r.exited != nil {
		words = r.streams[1].settled()
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

// failureOf is f with what all ranks of the host are doing.
func (h *host) failureOf(f failure) *pb.Failure {
	m := &pb.Failure{Rank: int32(f.rank), Code: int32(f.code), What: f.what, UnixNanos: time.Now().UnixNano(), Echo: f.echo}
	r := h.rank(f.rank)
	m.Others = h.states(r)
	if r == nil || r.proc == nil {
		return m
	}
	s := r.state()
	m.Pid = int64(cmp.Or(r.pid, r.proc.pid))
	m.Exited = r.exited
	m.Last = cmp.Or(s.GetBlocked(), s.GetLast())
	switch {
	case f.spawn:
	case r.phase == leaving || r.phase == drained:
		m.Phase = "while leaving"
	case r.phase == left:
		m.Phase = "after leaving"
	default:
		m.Starting = true // the launcher knows how many have joined
	}
	return m
}

// states tells what the ranks of this host but one are doing.
func (h *host) states(but *rankState) (all []*pb.RankState) {
	for _, r := range h.ranks {
		if r != but {
			all = append(all, r.state())
		}
	}
	return all
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
	s.Blocked, s.Last = whereabouts(r.reader.Blocked(), r.reader.Last(lastCalls))
	return s
}

// lastCalls is how many of a rank's last operations are looked through for the last call of
// its program: collectives make many.
const lastCalls = 64

// whereabouts says of a rank's records, newest first, which calls it is blocked in and which
// was its last.
func whereabouts(blocked, last []record.Record) (in, latest string) {
	blocked, last = record.Calls(blocked), record.Calls(last)
	if len(last) > 0 {
		latest = last[0].String()
	}
	if len(blocked) > 0 && blocked[0].Inner() && len(last) > 0 && !last[0].Inner() && !last[0].Done {
		return "", latest // what is blocked is of the call that is under way
	}
	if len(blocked) > 0 {
		in = describe(blocked)
	}
	return in, latest
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
