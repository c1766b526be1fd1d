package launcher

import (
	"strings"
	"testing"
	"time"
)

// A host that is cut off is the cause, though its peers may notice first that they do not
// reach it.
func TestF32SilentHostIsTheCauseOfWhatItsPeersSee(t *testing.T) {
	for _, silent := range []bool{true, false} {
		r := &run{
			plan: &jobPlan{host: []int{0, 1}, local: make([]bool, 2), hosts: []Host{{Name: "a"}, {Name: "b"}}}, reaching: func() {}, started: true,
			result: Result{Ranks: make([]RankResult, 2)},
		}
		for n, h := range r.plan.hosts {
			r.agents = append(r.agents, &hostAgent{number: n, host: h})
		}
		r.agents[1].silent = silent
		r.fail(&Failure{Rank: -1, Host: "a", What: "the network between host a and host b is gone", Time: time.Now(), echo: true}, ExitLost, r.agents[0])
		r.lose(r.agents[1], "nothing was heard of it")
		if got, want := r.result.Failure.What, "host b was lost, with ranks 1"; strings.HasPrefix(got, want) != silent {
			t.Errorf("silent %v: blamed is %q", silent, got)
		}
	}
}
