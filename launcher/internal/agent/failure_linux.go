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
