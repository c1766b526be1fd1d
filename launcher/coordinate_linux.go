package launcher

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	pb "github.com/muster-mpi/muster/proto"
)

// The launcher is where the hosts of a job come together: it knows who has joined, when
// all may leave, and which failure came first.

// joinedAs is how the first rank of an application joined.
type joinedAs struct {
	rank  int32
	build *pb.Build
}

// appOf returns the application of a rank.
func (r *run) appOf(rank int32) int {
	n := int32(0)
	for i, app := range r.plan.apps {
		if n += int32(app.Ranks); rank < n {
			return i
		}
	}
	return len(r.plan.apps) - 1
}

// onJoined is that a rank has joined. Agents compare neighbours of a host that are of one
// run of ranks; what differs otherwise, on one host or between them, is found here.
func (r *run) onJoined(a *hostAgent, m *pb.RankJoined) {
	r.joined++
	r.result.Ranks[m.GetRank()].joined = true
	first := &r.builds[r.appOf(m.GetRank())]
	if r.joined == 1 {
		r.phases.begin(phaseJoin)
		for _, other := range r.agents {
			if other != a {
				other.send(&pb.ToAgent{Kind: &pb.ToAgent_FirstJoined{FirstJoined: &pb.FirstJoined{Rank: m.GetRank()}}})
			}
		}
	}
	if r.joined == len(r.result.Ranks) {
		r.phases.end(phaseJoin)
		r.showTiming()
	}
	for i := range r.builds {
		known := &r.builds[i]
		if known.build == nil {
			continue
		}
		if what := differ(known, m, known == first); what != "" {
			r.fail(&Failure{Rank: int(m.GetRank()), Host: a.host.Name, PID: int(m.GetPid()), What: what, Time: time.Now()}, ExitProtocol, nil)
			return
		}
	}
	if first.build == nil {
		*first = joinedAs{m.GetRank(), m.GetBuild()}
	}
}

// differ says how a rank does not fit to one that has joined; empty if it does.
func differ(known *joinedAs, m *pb.RankJoined, sameApp bool) string {
	x, y := m.GetBuild(), known.build
	if x.GetByteOrder() != y.GetByteOrder() || x.GetIntBytes() != y.GetIntBytes() || x.GetArch() != y.GetArch() {
		return fmt.Sprintf("cannot join: it is %s, %s-endian, int of %d bytes; rank %d is %s, %s-endian, int of %d bytes",
			x.GetArch(), x.GetByteOrder(), x.GetIntBytes(), known.rank, y.GetArch(), y.GetByteOrder(), y.GetIntBytes())
	}
	if sameApp && x.GetProgram() != y.GetProgram() {
		return fmt.Sprintf("cannot join: it runs build %s of the program, rank %d runs build %s", x.GetProgram(), known.rank, y.GetProgram())
	}
	return ""
}

// checkStage lets all ranks go on once those of all hosts have come to a stage.
func (r *run) checkStage() {
	lowest := pb.Stage_DRAINED
	for _, a := range r.agents {
		if !a.over() {
			lowest = min(lowest, a.reached)
		}
	}
	for r.stage < lowest {
		r.stage++
		r.tell(&pb.ToAgent{Kind: &pb.ToAgent_AllReached{AllReached: &pb.AllReached{Stage: r.stage}}})
	}
}

// onRankLost is that the job goes on without a rank.
func (r *run) onRankLost(a *hostAgent, m *pb.RankLost) {
	f := m.GetFailure()
	if r.lost == nil {
		r.lost = r.failureFrom(a, f)
	}
	r.say("rank %d%s (pid %d) %s; the job goes on without it", f.GetRank(), r.on(a), f.GetPid(), f.GetWhat())
	for _, other := range r.agents {
		if other != a && !other.over() {
			other.send(&pb.ToAgent{Kind: &pb.ToAgent_Lost{Lost: m}})
		}
	}
}

// failureFrom is what an agent reports.
func (r *run) failureFrom(a *hostAgent, f *pb.Failure) *Failure {
	x := &Failure{
		Rank: int(f.GetRank()), PID: int(f.GetPid()), What: f.GetWhat(), Phase: f.GetPhase(),
		Last: f.GetLast(), Panic: f.GetPanic(), Time: time.Unix(0, f.GetUnixNanos()).Add(-a.skew),
		code: int(f.GetCode()), echo: f.GetEcho(),
	}
	if e := f.GetExited(); e != nil {
		x.Time = time.Unix(0, e.GetUnixNanos()).Add(-a.skew)
	}
	if x.Rank >= 0 {
		x.Host = r.result.Ranks[x.Rank].Host
	}
	if size := len(r.result.Ranks); f.GetStarting() && x.Phase == "" {
		switch {
		case r.joined > 0 && r.joined < size:
			x.Phase = fmt.Sprintf("during startup, %d of %d joined", r.joined, size)
		case r.joined == 0 && size > 1:
			x.Phase = "before any rank joined"
		}
	}
	for _, o := range f.GetOthers() {
		x.Others = append(x.Others, stateFrom(o))
	}
	return x
}

func stateFrom(o *pb.RankState) RankState {
	return RankState{Rank: int(o.GetRank()), PID: int(o.GetPid()), Phase: o.GetPhase(), Blocked: o.GetBlocked(), Last: o.GetLast()}
}

// onFailure is what the agent of a host reports as the job's end.
func (r *run) onFailure(a *hostAgent, m *pb.Failure) {
	r.fail(r.failureFrom(a, m), int(m.GetCode()), a)
}

// failHost ends the job because of a host, and no rank in particular.
func (r *run) failHost(a *hostAgent, code int, format string, args ...any) {
	r.fail(&Failure{Rank: -1, Host: a.host.Name, What: fmt.Sprintf(format, args...), Time: time.Now()}, code, nil)
}

// fail ends the job because of f, which the agent from has reported and ends its own ranks
// for; from is nil if the launcher has found it.
// Of several failures the first cause is shown: the one that came first by the hosts'
// clocks, unless it may be no more than what another has brought about.
func (r *run) fail(f *Failure, code int, from *hostAgent) {
	f.code = code
	old := r.result.Failure
	if old == nil {
		if r.code == 0 {
			r.code = code
		}
		r.result.Failure = f
		if !r.ending { // else they have been told, and for how long ranks may take
			r.endAgents(&pb.EndJob{GraceNanos: int64(failGrace), States: true}, from)
		}
		return
	}
	first, later := old, f
	if old.echo && !f.echo || old.echo == f.echo && f.Time.Before(old.Time) && f.Time.After(old.Time.Add(-sameMoment)) {
		first, later = f, old
		if r.code == old.code {
			r.code = code
		}
	}
	first.Others = slices.DeleteFunc(append(first.Others, later.Others...), func(s RankState) bool { return s.Rank == first.Rank })
	r.result.Failure = first
	r.sortStates()
}

// sameMoment is by how much, on the hosts' clocks, a failure may precede the one heard of
// first and still take its place: a larger difference is one of clocks, not of causes.
const sameMoment = 200 * time.Millisecond

// failGrace is how long ranks may react to SIGTERM after a failure on another host.
const failGrace = 100 * time.Millisecond

// addStates adds to the report what ranks of another host were doing.
func (r *run) addStates(all []*pb.RankState) {
	f := r.result.Failure
	if f == nil {
		return
	}
	for _, o := range all {
		if int(o.GetRank()) != f.Rank {
			f.Others = append(f.Others, stateFrom(o))
		}
	}
	r.sortStates()
}

func (r *run) sortStates() {
	f := r.result.Failure
	slices.SortStableFunc(f.Others, func(a, b RankState) int { return cmp.Compare(a.Rank, b.Rank) })
	f.Others = slices.CompactFunc(f.Others, func(a, b RankState) bool { return a.Rank == b.Rank })
}
