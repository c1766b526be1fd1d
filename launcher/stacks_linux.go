package launcher

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/muster-mpi/muster/launcher/internal/stacks"
	pb "github.com/muster-mpi/muster/proto"
)

const (
	// stacksWithin is how long ranks are waited for that have been asked for their stacks.
	stacksWithin = 3 * time.Second
	// stacksBytes bounds what is shown of one rank's own text, which a good rank never
	// exceeds.
	stacksBytes = 4 << 20
)

// gathering is one request for stacks and what has come of it.
type gathering struct {
	number uint64
	one    bool          // the whole text of one rank is wanted, not groups
	over   chan struct{} // closed when no rank is waited for

	mu      sync.Mutex
	ranks   []RankStacks
	waiting map[int]int // rank that is waited for to its place in ranks
	groups  stacks.Groups
	text    string
}

// gather asks a rank, or all if it is -1, for their stacks. One request is served at
// a time.
func (r *run) gather(rank int) *Stacks {
	g := &gathering{one: rank >= 0, over: make(chan struct{}), waiting: make(map[int]int)}
	if last := r.gathers.Load(); last != nil {
		g.number = last.number + 1
	}
	r.postSoon(func() { r.askStacks(g, rank) })
	limit := time.NewTimer(stacksWithin)
	defer limit.Stop()
	select {
	case <-g.over:
	case <-limit.C:
	case <-r.looped:
	}
	ended := make(chan struct{})
	r.postSoon(func() { r.endStacks(g); close(ended) })
	select {
	case <-ended:
	case <-r.looped:
	}
	return r.gathered(g, rank)
}

// postSoon has Run's goroutine call f, unless that calls nothing any more.
func (r *run) postSoon(f func()) {
	select {
	case r.events <- f:
	case <-r.looped:
	}
}

// askStacks has agents ask their ranks.
func (r *run) askStacks(g *gathering, rank int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	asked := make(map[*hostAgent]bool)
	for n := range r.result.Ranks {
		if g.one && n != rank {
			continue
		}
		a, x := r.agents[r.plan.host[n]], &r.result.Ranks[n]
		s := RankStacks{Rank: n, Host: x.Host, PID: x.PID, Error: r.whyNoStacks(a, n)}
		if s.Error == "" {
			g.waiting[n] = len(g.ranks)
			asked[a] = true
		}
		g.ranks = append(g.ranks, s)
	}
	r.gathers.Store(g)
	for a := range asked {
		a.send(&pb.ToAgent{Kind: &pb.ToAgent_Dump{Dump: &pb.Dump{Number: g.number, Rank: int32(rank)}}})
	}
	g.check()
}

// whyNoStacks says why a rank cannot be asked; empty if it can.
func (r *run) whyNoStacks(a *hostAgent, rank int) string {
	switch {
	case r.result.Ranks[rank].Ended:
		return "it has ended"
	case a.lost && a.begun:
		return "its host was lost"
	case a.over():
		return "it has ended"
	case !a.started:
		return "it has not been started yet"
	}
	return ""
}

// onStacks is the answer of a rank, or of its agent. The goroutine that reads from the agent
// calls it, so what agents send is read no faster than it is worked up.
func (r *run) onStacks(m *pb.Stacks) {
	g := r.gathers.Load()
	if g == nil || g.number != m.GetNumber() {
		return
	}
	rank := int(m.GetRank())
	var all []stacks.Goroutine
	if !g.one {
		all = stacks.Parse(m.GetText())
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	at, ok := g.waiting[rank]
	if !ok {
		return
	}
	delete(g.waiting, rank)
	x := &g.ranks[at]
	x.Error = m.GetError()
	if m.GetPid() > 0 {
		x.PID = int(m.GetPid())
	}
	if g.one {
		g.text = m.GetText()
		if len(g.text) > stacksBytes {
			g.text = strings.ToValidUTF8(g.text[:stacksBytes], "")
		}
		x.Goroutines = strings.Count(g.text, "\ngoroutine ") + 1
	} else {
		x.Goroutines = len(all)
		g.groups.Add(rank, all)
	}
	if x.Error != "" {
		x.Goroutines = 0
	}
	g.check()
}

// check closes over when no rank is waited for. It is called with mu held.
func (g *gathering) check() {
	if len(g.waiting) == 0 {
		select {
		case <-g.over:
		default:
			close(g.over)
		}
	}
}

// endStacks waits for no rank any more, and says why of those that have not answered.
func (r *run) endStacks(g *gathering) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for rank, at := range g.waiting {
		g.ranks[at].Error = r.whyNoStacks(r.agents[r.plan.host[rank]], rank)
		if g.ranks[at].Error == "" {
			g.ranks[at].Error = fmt.Sprintf("it did not answer within %v: it is stopped, or in code that the Go runtime cannot interrupt, such as assembly", stacksWithin)
		}
	}
	clear(g.waiting)
}

// gathered is what has come of g.
func (r *run) gathered(g *gathering, rank int) *Stacks {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ranks == nil { // the job was ending
		for n, host := range r.plan.host {
			if rank < 0 || n == rank {
				g.waiting[n] = len(g.ranks)
				g.ranks = append(g.ranks, RankStacks{Rank: n, Host: r.plan.hosts[host].Name})
			}
		}
	}
	for _, at := range g.waiting {
		g.ranks[at].Error = "the job has ended"
	}
	clear(g.waiting)
	s := &Stacks{Job: r.result.Job, Ranks: g.ranks, Text: g.text}
	groups, more := g.groups.All()
	s.More = more
	for _, x := range groups {
		s.Groups = append(s.Groups, StackGroup{Ranks: x.Ranks, Goroutines: x.Count, State: x.State, Stack: x.Stack, Library: x.Library})
	}
	return s
}
