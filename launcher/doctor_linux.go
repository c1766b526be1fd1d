package launcher

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/muster-mpi/muster/internal/boot"
	"github.com/muster-mpi/muster/launcher/internal/remote"
	pb "github.com/muster-mpi/muster/proto"
	"google.golang.org/grpc/status"
)

// How long the steps of an examination may take.
const (
	resolveTime = 5 * time.Second
	examineTime = 10 * time.Second
	expectTime  = 5 * time.Second
	dialTime    = 3 * time.Second
	measureTime = dialTime + 10*time.Second
	closeTime   = 5 * time.Second
)

// patient is a host under examination.
type patient struct {
	number int
	host   Host
	local  bool
	agent  *hostAgent // nil: there is none

	shellName  string // of the program by which it is reached
	target     remote.Target
	addresses  []netip.Addr
	resolveErr error

	reachErr error // *remote.Error of another host
	info     remote.Info
	timing   map[remote.Stage]time.Duration
	lostErr  error // the agent ran, and did not answer

	findings  *pb.Findings
	offset    time.Duration
	roundTrip time.Duration // 0: unknown

	doors   []*pb.Door
	doorErr error
}

// way is from one patient to another.
type way struct {
	from, to *patient
	measured *pb.Measured
	err      error
}

// Examine looks at everything that a job on these hosts needs. It starts an agent on
// each as a job does, and leaves nothing there but what a job does: the agent's binary in the
// cache. The error is for what keeps it from examining any host; what is wrong with hosts is in
// the Diagnosis.
func Examine(ctx context.Context, e Exam) (Diagnosis, error) {
	begin := time.Now()
	hosts := e.Hosts
	if len(hosts) == 0 {
		hosts = []Host{{Name: boot.LocalHost()}}
	}
	var all []*patient
	for i, h := range hosts {
		all = append(all, &patient{number: i, host: h, local: isLocal(h)})
	}
	defer each(all, len(all), (*patient).release)
	each(all, atOnce, func(p *patient) { p.examine(ctx, e, len(all)) })
	ways, chosen := examineNetwork(ctx, e, all)
	if ctx.Err() != nil {
		return Diagnosis{}, context.Cause(ctx)
	}
	d := judge(all, ways)
	d.Here, d.Chosen, d.Elapsed = boot.LocalHost(), chosen, time.Since(begin)
	return d, nil
}

// each calls f for all, at most n at a time.
func each[T any](all []T, n int, f func(T)) {
	free := make(chan struct{}, max(1, n))
	var calls sync.WaitGroup
	for _, x := range all {
		free <- struct{}{}
		calls.Go(func() {
			defer func() { <-free }()
			f(x)
		})
	}
	calls.Wait()
}

// examine finds out what can be found out about one host by itself.
func (p *patient) examine(ctx context.Context, e Exam, hosts int) {
	resolved := make(chan struct{})
	go func() {
		defer close(resolved)
		p.resolve(ctx, e)
	}()
	p.reach(ctx, e)
	<-resolved
	if p.agent == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, examineTime)
	defer cancel()
	client := pb.NewAgentClient(p.agent.conn)
	if p.lostErr = p.hear(ctx); p.lostErr != nil {
		return
	}
	if !p.local {
		p.readClock(ctx, client)
	}
	p.findings, p.lostErr = client.Examine(ctx, &pb.ExamineHost{Ranks: int32(p.host.Slots)})
}

// resolve finds out where the host's name leads.
func (p *patient) resolve(ctx context.Context, e Exam) {
	ctx, cancel := context.WithTimeout(ctx, resolveTime)
	defer cancel()
	p.target = remote.Target{Name: p.host.Name}
	if !p.local {
		o := e.options(p.host)
		p.shellName = o.Shell.Argv[0]
		if p.target, p.resolveErr = o.Resolve(ctx); p.resolveErr != nil {
			return
		}
	}
	p.addresses, p.resolveErr = net.DefaultResolver.LookupNetIP(ctx, "ip", p.target.Name)
	for i, a := range p.addresses {
		p.addresses[i] = a.Unmap()
	}
	slices.SortFunc(p.addresses, netip.Addr.Compare)
	p.addresses = slices.Compact(p.addresses)
}

// options says how h is reached.
func (e *Exam) options(h Host) remote.Options {
	job := Job{Shell: e.Shell}
	o := job.reachOptions(h)
	if len(e.Agent) > 0 {
		o.Agent = remote.AgentBinary{Path: e.Agent[0], Args: e.Agent[1:]}
	}
	if e.Timeout > 0 {
		o.Timeout = e.Timeout
	}
	return o
}

// reach starts the host's agent.
func (p *patient) reach(ctx context.Context, e Exam) {
	a := &hostAgent{number: p.number, host: p.host}
	var conn net.Conn
	if p.local {
		link, c, err := startAgent(e.Agent)
		if err != nil {
			p.reachErr = err
			return
		}
		a.link, conn = link, c
	} else {
		s, err := remote.Start(ctx, e.options(p.host))
		if err != nil {
			p.reachErr = err
			return
		}
		a.link, conn = remoteAgent{s}, s.Conn
		p.info, p.timing = s.Info, s.Timing
	}
	p.agent = a
	p.lostErr = a.connect(conn)
}

// hear waits for the agent's first word.
func (p *patient) hear(ctx context.Context) error {
	if p.lostErr != nil {
		return p.lostErr
	}
	stop := context.AfterFunc(ctx, p.agent.cancel)
	defer stop()
	m, err := p.agent.stream.Recv()
	if err != nil {
		return err
	}
	if p.agent.ready = m.GetReady(); p.agent.ready == nil {
		return fmt.Errorf("its first word is %T, expected Ready", m.GetKind())
	}
	return nil
}

// readClock compares the host's clock with this machine's: it was read in the middle of
// a round trip, and of several the shortest knows best.
func (p *patient) readClock(ctx context.Context, client pb.AgentClient) {
	const rounds = 8
	stream, err := client.Beat(ctx)
	if err != nil {
		return
	}
	for n := range rounds {
		sent := time.Now()
		if stream.Send(&pb.Pulse{Number: uint64(n + 1)}) != nil {
			return
		}
		m, err := stream.Recv()
		if err != nil {
			return
		}
		took := time.Since(sent)
		if p.roundTrip == 0 || took < p.roundTrip {
			p.roundTrip = took
			p.offset = time.Unix(0, m.GetUnixNanos()).Sub(sent.Add(took / 2))
		}
	}
	stream.CloseSend()
}

// release ends the agent, and waits for it.
func (p *patient) release() {
	a := p.agent
	if a == nil {
		return
	}
	a.hangUp()
	switch l := a.link.(type) {
	case remoteAgent:
		l.Close()
	case *localAgent:
		select {
		case <-l.ended:
		case <-time.After(closeTime):
			l.kill()
		}
	}
}

// well reports whether the host can be asked for more.
func (p *patient) well() bool { return p.agent != nil && p.lostErr == nil }

// examineNetwork measures the ways between hosts, and says which it has measured if not
// all.
func examineNetwork(ctx context.Context, e Exam, all []*patient) (ways []*way, chosen string) {
	var well []*patient
	for _, p := range all {
		if p.well() {
			well = append(well, p)
		}
	}
	if len(all) < 2 {
		return nil, ""
	}
	n := &network{job: make([]byte, 16), key: make([]byte, 32), networks: networks(e.Iface, e.Subnet)}
	rand.Read(n.job)
	rand.Read(n.key)
	each(well, len(well), func(p *patient) { n.expect(ctx, p, well) })
	well = slices.DeleteFunc(well, func(p *patient) bool { return p.doorErr != nil })
	pairs, chosen := choosePairs(len(well))
	for _, p := range pairs {
		ways = append(ways, &way{from: well[p[0]], to: well[p[1]]})
	}
	each(ways, len(ways), func(w *way) { n.measure(ctx, w, false) })
	var open []*way
	for _, w := range ways {
		if w.measured.GetAddress() != "" {
			open = append(open, w)
		}
	}
	for _, round := range rounds(open) {
		each(round, len(round), func(w *way) { n.measure(ctx, w, true) })
	}
	// What seems slow may have been so for a moment: the better of two counts.
	var again []*way
	for i, d := range judgeWays(open) {
		if d.Verdict == Warning && d.BytesPerSecond > 0 {
			again = append(again, open[i])
		}
	}
	for _, round := range rounds(again) {
		each(round, len(round), func(w *way) {
			before := w.measured
			n.measure(ctx, w, true)
			if after := w.measured; w.err != nil || after.GetError() != "" || rateOf(after) < rateOf(before) {
				w.measured, w.err = before, nil
			}
		})
	}
	return ways, chosen
}

// network is what the hosts under examination know each other by.
type network struct {
	job, key []byte
	networks []string
}

// expect has a host open its port.
func (n *network) expect(ctx context.Context, p *patient, all []*patient) {
	ctx, cancel := context.WithTimeout(ctx, expectTime)
	defer cancel()
	m := &pb.ExpectPeers{Job: n.job, LinkKey: n.key, Networks: n.networks}
	for _, other := range all {
		if other != p {
			m.Peers = append(m.Peers, &pb.HostAddresses{
				Host: int32(other.number), Name: other.host.Name, Addresses: candidates(other.agent.ready),
			})
		}
	}
	if len(m.Peers) == 0 {
		p.doorErr = errAlone
		return
	}
	answer, err := pb.NewAgentClient(p.agent.conn).Expect(ctx, m)
	if err != nil {
		p.doorErr = errors.New(status.Convert(err).Message())
		return
	}
	p.doors = answer.GetDoors()
}

// errAlone is the reason for no port where no other host could be reached.
var errAlone = errors.New("no other host could be reached")

// What a transfer is bounded by.
const (
	transferBytes = 16 << 20
	transferTime  = 300 * time.Millisecond
)

// measure goes a way: only to see whether it is open, or to measure the best road.
func (n *network) measure(ctx context.Context, w *way, transfer bool) {
	ctx, cancel := context.WithTimeout(ctx, measureTime)
	defer cancel()
	m := &pb.MeasureWay{
		Job: n.job, LinkKey: n.key, From: int32(w.from.number), To: int32(w.to.number), PatienceNanos: int64(dialTime),
	}
	for _, d := range w.to.doors {
		m.Addresses = append(m.Addresses, d.GetAddress())
	}
	if transfer {
		m.Addresses = []string{w.measured.GetAddress()}
		m.TransferBytes, m.TransferNanos = transferBytes, int64(transferTime)
	}
	answer, err := pb.NewAgentClient(w.from.agent.conn).Measure(ctx, m)
	if err != nil {
		w.err = errors.New(status.Convert(err).Message())
		return
	}
	if transfer {
		// What all roads are like is known from before.
		if answer.Address == "" {
			answer.Error = "it could be connected to once, and then not again"
			if len(answer.Roads) > 0 {
				answer.Error += ": " + answer.Roads[0].GetError()
			}
		}
		answer.Roads = w.measured.Roads
	}
	w.measured = answer
}
