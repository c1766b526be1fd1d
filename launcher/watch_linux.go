package launcher

import (
	"context"
	"fmt"
	"time"

	"github.com/muster-mpi/muster/internal/boot"
	pb "github.com/muster-mpi/muster/proto"
)

// leaseAfter is how much longer than the launcher waits for a host an agent waits for its
// launcher, before it may think that it is cut off.
const leaseAfter = 2 * time.Second

// beat watches the agent of another host: it sends pulses, and gives the agent up when
// nothing at all has come from it for the time that Job.NetTimeout allows. Whatever
// comes counts, so a slow line is none that is cut. Time that passes while this
// process is stopped, or the machine sleeps, does not count.
func (r *run) beat(a *hostAgent) {
	limit := netTimeout(&r.job)
	step := min(250*time.Millisecond, limit/8)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stream, err := pb.NewAgentClient(a.conn).Beat(ctx)
	if err != nil {
		return // the connection has ended, which Recv of the other stream sees as well
	}
	go func() { // what comes is counted where it is read
		for {
			if _, err := stream.Recv(); err != nil {
				return
			}
		}
	}()
	pulses := make(chan *pb.Pulse, 1)
	defer close(pulses)
	go func() {
		for p := range pulses {
			stream.Send(p) // may wait for as long as the line is full
		}
	}()
	tick := time.NewTicker(step)
	defer tick.Stop()
	var silent time.Duration
	seen, last := a.heard.bytes.Load(), time.Now()
	for number := uint64(1); ; number++ {
		select {
		case pulses <- &pb.Pulse{Number: number, LeaseNanos: int64(limit + leaseAfter)}:
		default:
		}
		select {
		case <-tick.C:
		case <-r.over:
			return
		}
		now := time.Now()
		silent += min(now.Sub(last), 2*step)
		last = now
		if n := a.heard.bytes.Load(); n != seen {
			seen, silent = n, 0
		}
		if silent > limit {
			r.post(func() {
				if !a.over() {
					a.silent = true
					r.lose(a, fmt.Sprintf("nothing was heard of it for %v", limit))
				}
			})
			return
		}
	}
}

// onGone is the end of the connection to an agent.
func (r *run) onGone(a *hostAgent) {
	if !a.over() {
		r.lose(a, "")
	}
}

// lose goes on without the agent of a host. The job fails, unless all had joined and the
// failure policy is return: then only the ranks of that host are lost. why is empty if the
// way it ended says more.
func (r *run) lose(a *hostAgent, why string) {
	a.lost = true
	r.takesNoInput(a)
	a.kill()
	if a.link != nil && why == "" {
		why = a.link.deathText()
	}
	if r.plan.local[a.number] {
		if l, ok := a.link.(*localAgent); ok {
			r.result.Survivors = append(r.result.Survivors, killOrphans(l.process.Pid, boot.EnvJob+"="+r.result.Job)...)
		}
	} else if a.begun {
		a.swept = r.sweep(a)
	}
	defer r.checkStage()
	defer r.checkWhere()
	// What others see of a host that is cut off is not the cause.
	known := r.result.Failure != nil && !(r.result.Failure.echo && a.silent)
	if known || r.ending && r.code != 0 && r.started {
		return
	}
	if r.job.OnFailure == ReturnOnFailure && r.joined == len(r.result.Ranks) {
		r.loseRanks(a, why)
		return
	}
	switch l, local := a.link.(*localAgent); {
	case !r.started && local:
		r.failHost(a, ExitSpawn, "the agent on host %s (pid %d) ended before it had started the job: %s", a.host.Name, l.process.Pid, why)
	case !r.started:
		r.failHost(a, ExitSpawn, "the agent on host %s ended before it had started the job: %s", a.host.Name, why)
	case local:
		r.failHost(a, ExitLost, "the agent of host %s (pid %d) was lost: %s; its ranks died with it", a.host.Name, l.process.Pid, why)
	default:
		r.failHost(a, ExitLost, "host %s was lost, with ranks %s: %s", a.host.Name, r.ranksOf(a.number), why)
	}
}

// loseRanks goes on without the ranks of a host that is lost.
func (r *run) loseRanks(a *hostAgent, why string) {
	for rank, host := range r.plan.host {
		if x := &r.result.Ranks[rank]; host == a.number && !x.Ended {
			f := &pb.Failure{
				Rank: int32(rank), Pid: int64(x.PID), Code: ExitLost, UnixNanos: time.Now().Add(a.skew).UnixNano(),
				What: "was lost with its host: " + why,
			}
			r.onRankLost(a, &pb.RankLost{Failure: f})
		}
	}
}

// closeAgents ends the connections, and what of the agents is left.
func (r *run) closeAgents() {
	done := make(chan struct{}, len(r.agents))
	for _, a := range r.agents {
		go func() {
			a.kill() // after Done it has nothing left to do
			done <- struct{}{}
		}()
		if a.done != nil {
			r.result.Strays += int(a.done.GetStrays())
			for _, pid := range a.done.GetSurvivors() {
				r.result.Survivors = append(r.result.Survivors, int(pid))
			}
		}
	}
	for range r.agents {
		<-done
	}
}

// awaitSweeps waits for those who look after lost hosts, and tells of what they cannot
// vouch for.
func (r *run) awaitSweeps() (unswept []string) {
	for _, a := range r.agents {
		if a.swept == nil {
			continue
		}
		if err := <-a.swept; err != nil {
			unswept = append(unswept, a.host.Name)
			r.say("host %s could not be reached again to see that nothing is left there; an agent that still runs ends its ranks within %v",
				a.host.Name, max(2*(netTimeout(&r.job)+leaseAfter), time.Minute)) // as the agent's lease
		}
	}
	return unswept
}

// judgeLost fails a job that went on without ranks until none was left.
func (r *run) judgeLost() {
	if r.lost != nil && !r.left && !r.ending && r.result.Failure == nil {
		r.result.Failure = r.lost
		r.code = r.lost.code
	}
}
