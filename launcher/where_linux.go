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
		if s := stateFrom(o); s.doing() != "" {
			r.result.Where = append(r.result.Where, s)
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
	if !slices.ContainsFunc(r.result.Where, RankState.waits) {
		r.result.Where = nil // they all compute
		return
	}
	slices.SortFunc(r.result.Where, func(a, b RankState) int { return cmp.Compare(a.Rank, b.Rank) })
	if text := whereText(r.result.Where); text != "" {
		r.sink.Message(text)
	}
}

// whereText lists the first of the ranks; before those that wait in a call the others, for
// which they may do so.
func whereText(all []RankState) string {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b RankState) int {
		switch waits := a.waits(); {
		case waits == b.waits():
			return 0
		case waits:
			return 1
		}
		return -1
	})
	var b strings.Builder
	for _, o := range all[:min(len(all), bannerRanks)] {
		fmt.Fprintf(&b, "muster:   rank %d was %s\n", o.Rank, o.doing())
	}
	if n := len(all) - bannerRanks; n > 0 {
		fmt.Fprintf(&b, "muster:   and %s, in the report that --report writes\n", count(n, "more rank"))
	}
	return b.String()
}

// waits reports whether the rank is in a call.
func (o RankState) waits() bool {
	return o.Phase == "leaving" || o.Blocked != "" || o.Phase == "running" && inCall(o.Last)
}

// doing says where in its program the rank is; "" if it is not in it, or has ended.
func (o RankState) doing() string {
	switch o.Phase {
	case "leaving":
		return "leaving"
	case "running":
	default:
		return ""
	}
	switch {
	case o.Blocked != "":
		return whereabouts(o.Blocked)
	case o.Last != "":
		return whereabouts(o.Last)
	}
	return "in no call and had made none"
}
