package launcher

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	pb "github.com/muster-mpi/muster/proto"
)

// A user who ends a job often does so because it hangs. So its ranks are asked where
// they are first.

// endAndAsk is end, and has every agent say what its ranks are doing.
func (r *run) endAndAsk(grace time.Duration) {
	r.ending, r.asked = true, true
	r.expect(grace)
	for _, a := range r.agents {
		a.asked = a.begun && !a.over()
	}
	r.endAgents(&pb.EndJob{GraceNanos: int64(grace), States: true}, nil)
}

// onStates is what the ranks of a host were doing when the job was told to end.
func (r *run) onStates(a *hostAgent, all []*pb.RankState) {
	if r.result.Failure != nil {
		r.addStates(all)
		return
	}
	if !a.asked {
		return
	}
	a.asked = false
	for _, o := range all {
		if o.GetBlocked() != "" && o.GetPhase() != "ended" {
			r.result.Where = append(r.result.Where, stateFrom(o))
		}
	}
	r.checkWhere()
}

// checkWhere says where ranks were blocked once all agents have said so or cannot.
func (r *run) checkWhere() {
	if !r.asked || r.result.Failure != nil || !r.all(func(a *hostAgent) bool { return !a.asked || a.over() }) {
		return
	}
	r.asked = false
	slices.SortFunc(r.result.Where, func(a, b RankState) int { return cmp.Compare(a.Rank, b.Rank) })
	if text := whereText(r.result.Where); text != "" {
		r.sink.Message(text)
	}
}

// whereText lists the first of the ranks that are blocked.
func whereText(all []RankState) string {
	var b strings.Builder
	for _, o := range all[:min(len(all), bannerRanks)] {
		fmt.Fprintf(&b, "muster:   rank %d was %s\n", o.Rank, whereabouts(o.Blocked))
	}
	if n := len(all) - bannerRanks; n > 0 {
		fmt.Fprintf(&b, "muster:   and %s, in the report that --report writes\n", count(n, "more rank"))
	}
	return b.String()
}
