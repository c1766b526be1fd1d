package launcher

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/muster-mpi/muster/internal/boot"
	"github.com/muster-mpi/muster/launcher/internal/agent"
	"github.com/muster-mpi/muster/launcher/internal/remote"
	pb "github.com/muster-mpi/muster/proto"
)

const (
	// atOnce is how many hosts are being reached at the same time: more would not be
	// faster, and a server may refuse them.
	atOnce = 64
	// waitingEvery is how often the user is told what the start waits for.
	waitingEvery = 3 * time.Second
)

// reachAll begins to start the agents of all hosts.
func (r *run) reachAll(ctx context.Context) {
	if os.Geteuid() == 0 && len(r.agents) > 1 && !inContainer() {
		r.say("warning: this runs as root, so a fault of a rank is one of root's on %d hosts", len(r.agents))
	}
	ctx, r.reaching = context.WithCancel(ctx)
	r.phases.begin(phaseReach)
	free := make(chan struct{}, atOnce)
	for _, a := range r.agents {
		if r.plan.local[a.number] {
			link, conn, err := startAgent(r.job.Agent)
			if err != nil {
				err = fmt.Errorf("cannot start the agent on %s: %w", boot.LocalHost(), err)
				go r.post(func() { r.onUnreached(a, err) })
				continue
			}
			a.link = link
			if err := a.connect(conn); err != nil {
				go r.post(func() { r.onUnreached(a, err) })
				continue
			}
			r.onReached(a)
			continue
		}
		a.stage = remote.StageShell
		r.reachers.Go(func() {
			free <- struct{}{}
			defer func() { <-free }()
			session, err := remote.Start(ctx, r.shellOptions(a))
			if err != nil {
				r.post(func() { r.onUnreached(a, err) })
				return
			}
			if !r.post(func() { r.onSession(a, session) }) {
				session.Close()
			}
		})
	}
}

// awaitReachers returns when nobody reaches a host any more, which was given up before.
// What was reached in that moment is abandoned.
func (r *run) awaitReachers() {
	reached := make(chan struct{})
	go func() {
		r.reachers.Wait()
		close(reached)
	}()
	for waiting := true; waiting; {
		select {
		case f := <-r.events:
			f()
		case <-reached:
			waiting = false
		}
	}
	for len(r.events) > 0 {
		(<-r.events)()
	}
}

// inContainer reports whether this process is in a container that says so, as Docker's,
// Podman's and Kubernetes' do: root there is nobody in particular.
var inContainer = func() bool {
	for _, mark := range []string{"/.dockerenv", "/run/.containerenv"} {
		if _, err := os.Stat(mark); err == nil {
			return true
		}
	}
	return os.Getenv("KUBERNETES_SERVICE_HOST") != ""
}

// shellOptions says how the host of a is reached.
func (r *run) shellOptions(a *hostAgent) remote.Options {
	o := r.job.reachOptions(a.host)
	o.OnStage = func(s remote.Stage) { r.post(func() { a.stage = s }) }
	o.Stderr = func(line string) { r.post(func() { r.say("%s: %s", a.host.Name, line) }) }
	if len(r.job.Agent) > 0 {
		o.Agent = remote.AgentBinary{Path: r.job.Agent[0], Args: r.job.Agent[1:]}
	}
	return o
}

// onSession is that the agent of a host runs there.
func (r *run) onSession(a *hostAgent, s *remote.Session) {
	a.link, a.stage = remoteAgent{s}, ""
	r.phases.reached(a.host.Name, s.Timing)
	if a.over() || r.ending || r.result.Failure != nil {
		r.abandon(a)
		return
	}
	if s.Info.Uncached != "" {
		r.say("host %s: the agent is brought there for each job anew: %s", a.host.Name, s.Info.Uncached)
	}
	if err := a.connect(s.Conn); err != nil {
		r.onUnreached(a, err)
		return
	}
	go r.beat(a)
	r.onReached(a)
}

// onReached is that a can be talked to.
func (r *run) onReached(a *hostAgent) {
	go r.receive(a)
	if len(r.agents) == 1 {
		r.phases.end(phaseReach)
		r.begin(a, nil)
	}
}

// onUnreached is that there is no agent on a host.
func (r *run) onUnreached(a *hostAgent, err error) {
	a.lost = true
	if errors.Is(err, context.Canceled) || r.ending {
		return
	}
	r.failHost(a, ExitSpawn, "%v", err)
}

// abandon gives up an agent that has not begun.
func (r *run) abandon(a *hostAgent) {
	a.lost = true
	if a.link != nil {
		go a.kill()
	}
}

// begin gives an agent its part of the job.
func (r *run) begin(a *hostAgent, peers []*pb.HostAddresses) {
	a.begun = true
	a.send(&pb.ToAgent{Kind: &pb.ToAgent_Start{Start: r.plan.start(a.number, peers, a.skew)}})
	last := r.all(func(a *hostAgent) bool { return a.begun })
	if last && r.plan.common.GetStdinRank() != stdinNone {
		go readStdin(r.job.Stdin, r.sendStdin, r.taken, r.over) // an agent knows nothing to do with input before
	}
}

// onReady is the first word of an agent. When all have said it, they begin: so no rank
// runs where another host cannot be reached.
func (r *run) onReady(a *hostAgent, m *pb.Ready) {
	a.ready = m
	if m.GetProtocol() != agent.Protocol {
		r.failHost(a, ExitProtocol, "the agent of host %s speaks version %d of the launcher's protocol, this launcher speaks version %d",
			a.host.Name, m.GetProtocol(), agent.Protocol)
		return
	}
	if len(r.agents) == 1 {
		return
	}
	if !r.plan.local[a.number] {
		a.skew = time.Until(time.Unix(0, m.GetUnixNanos()))
		if a.skew < maxLatency && a.skew > -maxLatency {
			a.skew = 0 // which may be no more than the time the message took
		}
	}
	if !r.all(func(a *hostAgent) bool { return a.ready != nil }) || r.result.Failure != nil || r.ending {
		return
	}
	r.noteTwins()
	r.phases.end(phaseReach)
	r.phases.begin(phaseSpawn)
	for _, a := range r.agents {
		var peers []*pb.HostAddresses
		for _, other := range r.agents {
			if other != a {
				peers = append(peers, &pb.HostAddresses{
					Host: int32(other.number), Name: other.host.Name, Addresses: candidates(other.ready),
				})
			}
		}
		r.begin(a, peers)
	}
}

// maxLatency is how long a message of an agent may have been on its way: clocks closer
// to each other than that are taken for the same.
const maxLatency = 50 * time.Millisecond

// noteTwins tells of a machine that the job has under two names, whose cores and memory
// are shared then.
func (r *run) noteTwins() {
	known := make(map[machine]*hostAgent)
	for _, a := range r.agents {
		m := machineOf(a.ready)
		if other := known[m]; other != nil && m.known() {
			r.say("note: hosts %s and %s are one machine, which calls itself %s", other.host.Name, a.host.Name, m.name)
			return
		}
		known[m] = a
	}
}

// machine is what tells machines apart. Hosts of one kernel that call themselves
// differently are several, as containers are.
type machine struct{ boot, name string }

func machineOf(m *pb.Ready) machine { return machine{m.GetBoot(), m.GetHostName()} }

// known reports whether the machine can be told from others.
func (m machine) known() bool { return m.boot != "" }

// candidates are the addresses of a host, the one at which it was reached first.
func candidates(m *pb.Ready) []string {
	var all []string
	if m.GetReachedAt() != "" {
		all = append(all, m.GetReachedAt())
	}
	for _, text := range m.GetAddresses() {
		if a, err := netip.ParseAddr(text); err == nil && !slices.Contains(all, a.String()) {
			all = append(all, a.String())
		}
	}
	return all
}

// onListening is that a host's port is open. When all are, each hears of the others'.
func (r *run) onListening(a *hostAgent, m *pb.Listening) {
	a.listening = m.GetAddresses()
	if !r.all(func(a *hostAgent) bool { return a.listening != nil }) {
		return
	}
	roster := new(pb.Roster)
	for _, a := range r.agents {
		roster.Hosts = append(roster.Hosts, &pb.HostAddresses{Host: int32(a.number), Name: a.host.Name, Addresses: a.listening})
	}
	r.tell(&pb.ToAgent{Kind: &pb.ToAgent_Roster{Roster: roster}})
}

// onStarted is that all ranks of a host have their processes.
func (r *run) onStarted(a *hostAgent, m *pb.Started) {
	a.started = true
	for _, p := range m.GetRanks() {
		x := &r.result.Ranks[p.GetRank()]
		x.PID = int(p.GetPid())
		for _, cpu := range p.GetCpus() {
			x.CPUs = append(x.CPUs, int(cpu))
		}
	}
	if !r.all(func(a *hostAgent) bool { return a.started }) {
		return
	}
	r.started = true
	r.forget()
	r.phases.end(phaseSpawn)
	if r.job.ReportBind {
		r.sink.Message(r.result.bindings())
	}
}

// sayWaiting tells what the start is waiting for.
func (r *run) sayWaiting() {
	if r.ending || r.result.Failure != nil || len(r.agents) == 1 && r.joined == 0 {
		return
	}
	var waiting []string
	switch {
	case !r.started:
		for _, a := range r.agents {
			stage := string(a.stage)
			switch {
			case a.started:
				continue
			case a.begun:
				stage = "program"
			case a.ready != nil:
				continue // it waits for the others
			case stage == "":
				stage = "agent"
			}
			waiting = append(waiting, fmt.Sprintf("ranks %s on host %s: stage %s", r.ranksOf(a.number), a.host.Name, stage))
		}
	case r.joined > 0 && r.joined < len(r.result.Ranks):
		for _, a := range r.agents {
			if missing := r.notJoined(a.number); missing != "" {
				waiting = append(waiting, fmt.Sprintf("ranks %s on host %s: stage join", missing, a.host.Name))
			}
		}
	}
	if len(waiting) == 0 {
		return
	}
	const most = 8
	text := strings.Join(waiting[:min(most, len(waiting))], "; ")
	if n := len(waiting) - most; n > 0 {
		text += fmt.Sprintf("; and %s", count(n, "more host"))
	}
	r.say("waiting for %s", text)
}

// ranksOf lists the ranks of a host.
func (r *run) ranksOf(host int) string {
	var ranks []int
	for rank, h := range r.plan.host {
		if h == host {
			ranks = append(ranks, rank)
		}
	}
	return ranges(ranks)
}

// notJoined lists the ranks of a host that have not joined.
func (r *run) notJoined(host int) string {
	var ranks []int
	for rank, h := range r.plan.host {
		if h == host && !r.result.Ranks[rank].joined {
			ranks = append(ranks, rank)
		}
	}
	if len(ranks) == 0 {
		return ""
	}
	return ranges(ranks)
}
