package agent

import (
	"encoding/hex"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/muster-mpi/muster/internal/boot"
	"github.com/muster-mpi/muster/internal/queue"
	"github.com/muster-mpi/muster/internal/record"
	"github.com/muster-mpi/muster/internal/segment"
	"github.com/muster-mpi/muster/internal/tcpwatch"
	pb "github.com/muster-mpi/muster/proto"
	"golang.org/x/sys/unix"
)

// host is the job on this host. One goroutine, run, owns every field below
// events; other goroutines post to it.
type host struct {
	start        *pb.Start
	jobName      string
	procsPerRank int         // GOMAXPROCS
	usable       int         // CPUs, in hundredths
	cpus         int         // the same rounded up
	affinity     unix.CPUSet // the CPUs that the agent may use
	apps         []*application
	ranks        []*rankState // of this host, in order
	byRank       map[int]*rankState
	table        *table
	outbox       *queue.Queue[*pb.FromAgent]
	stdin        *queue.Queue[*pb.StdinData]
	over         chan struct{} // closed when run has returned
	abandoned    chan struct{} // closed when the launcher is dead
	events       chan func()

	spawned   bool // no rank is started any more
	live      int  // ranks whose process runs
	joined    int
	deaths    []death       // not judged yet, in the order of the ends
	firstIn   time.Duration // awake time of the first Join
	awake     awake
	memory    memoryLog
	links     links
	net       network
	programs  map[string]string         // path by digest, of those that the launcher provides
	news      *queue.Queue[programNews] // of programs that are missing
	scratch   []string                  // directories made for this job alone
	store     *store                    // held for as long as programs are started from it
	peerWatch *tcpwatch.Watch
	shared    *os.File   // memory of all ranks here, once the first has joined; nil: none
	absent    *rankState // one that ended with success and without joining

	elsewhere bool         // a rank of another host has joined
	lostRanks map[int]bool // of other hosts, under the failure policy return
	// obituaries are for ranks that join after the death of one of another host.
	obituaries []*pb.ToRank
	reached    pb.Stage // by all ranks here

	ending    bool // ranks were told to end
	killed    bool // and killed
	suspended bool // stopped by the launcher's wish
	reporting bool // a failure is on its way to the launcher
	gone      bool // the launcher is dead
	strays    int
	survivors []int64
	finishing bool
	drained   bool
}

type phase uint8

const (
	running phase = iota
	joined
	leaving
	drained
	left
)

// rankState is what the agent knows of one rank of its host.
type rankState struct {
	rank, local int
	app         *application
	credit      *credit

	birth                    // its fields are nil until it was started
	early         []func()   // what happened to it before its birth was announced
	conn          *boot.Conn // of the process that joined; nil until one did
	pid           int        // that process
	joinedAt      time.Time
	inJob, waited time.Duration // until it left or ended
	bell          bell          // that its peers ring
	out           *queue.Queue[packet]
	reader        *record.Reader
	phase         phase
	exited        *pb.Exited
	unmet         bool   // it has been told that it waits in vain
	lost          string // how it died, if the job goes on

	build  *pb.Build
	group  string      // its memory cgroup when it joined
	silent bool        // its connection has ended, and it had not left
	stacks *stacksText // that have come so far; nil: none are asked for

	stopped   bool
	stoppedAt time.Duration // awake time
}

// packet is a message to a rank with the descriptors it carries, which are
// closed once it was sent or cannot be.
type packet struct {
	m     *pb.ToRank
	files []*os.File
	sent  func() // called then, not by run; may be nil
}

func newHost(start *pb.Start) *host {
	h := &host{
		start:     start,
		jobName:   hex.EncodeToString(start.GetJob()),
		byRank:    make(map[int]*rankState),
		table:     newTable(),
		outbox:    queue.New[*pb.FromAgent](),
		stdin:     queue.New[*pb.StdinData](),
		over:      make(chan struct{}),
		abandoned: make(chan struct{}),
		events:    make(chan func(), 64),
		memory:    make(memoryLog),
		links:     newLinks(),
		net:       newNetwork(),
		news:      queue.New[programNews](),
		lostRanks: make(map[int]bool),
		usable:    usableCPUs(),
	}
	h.cpus = ceil(h.usable, 100)
	unix.SchedGetaffinity(0, &h.affinity)
	if start.Settings == nil {
		start.Settings = new(pb.Settings)
	}
	for _, run := range start.GetApps() {
		app := newApplication(run)
		h.apps = append(h.apps, app)
		for i := range app.GetCount() {
			r := &rankState{
				rank: int(app.GetFirst() + i), local: len(h.ranks), app: app,
				credit: newCredit(start.GetOutputWindow()),
			}
			h.ranks = append(h.ranks, r)
			h.byRank[r.rank] = r
		}
	}
	h.links.most = linksUnderWay(len(h.ranks), h.strangersRoom()+h.guestsRoom())
	h.procsPerRank = max(1, h.cpus/max(1, len(h.ranks)))
	h.table.ended = func(p *process, e ending) {
		r := h.rank(p.rank)
		h.post(func() { r.afterBirth(func() { h.onExit(r, p, e) }) })
	}
	h.table.moved = func(p *process, sig syscall.Signal) {
		r := h.rank(p.rank)
		h.post(func() { r.afterBirth(func() { h.onMoved(r, p, sig) }) })
	}
	return h
}

func (h *host) rank(n int) *rankState { return h.byRank[n] }

func (h *host) readsStdin(rank int) bool {
	return int(h.start.GetStdinRank()) == rank || h.start.GetStdinRank() == stdinAll
}

// post makes run call f. It reports false when run has returned.
func (h *host) post(f func()) bool {
	select {
	case h.events <- f:
		return true
	case <-h.over:
		return false
	}
}

// send tells the launcher. What ranks write and files are called need not be text.
func (h *host) send(m *pb.FromAgent) {
	if m.GetOutput() == nil {
		boot.Legible(m)
	}
	h.outbox.Put(m)
}

func (h *host) note(format string, args ...any) {
	h.send(&pb.FromAgent{Kind: &pb.FromAgent_Note{Note: &pb.Note{Text: fmt.Sprintf(format, args...)}}})
}

// run returns when nothing of the job is left and Done is on its way.
func (h *host) run() {
	defer close(h.over)
	err := checkDescriptors(len(h.ranks), min(leastRoom, h.strangersRoom()))
	if err == nil {
		err = h.chooseTransport(segment.Probe)
	}
	if err == nil && h.hasPort() {
		err = h.openPort()
	}
	if err != nil {
		h.spawned = true
		h.fail(failure{rank: -1, code: ExitResource, what: err.Error()})
	} else {
		h.memory.seen(memoryGroup(os.Getpid()), readMemoryState)
		go h.table.reap()
		go h.stage()
	}
	var tick <-chan time.Time
	for !h.proceed() {
		if tick == nil && h.needsClock() {
			h.awake.restart()
			tick = time.After(awakeStep)
		}
		select {
		case f := <-h.events:
			f()
		case <-tick:
			tick = nil
			h.awake.advance()
			h.checkTimeouts()
		}
	}
}

// onStarted is the birth of rank r's process.
func (h *host) onStarted(r *rankState, b birth) {
	h.live++
	r.birth = b
	for _, s := range r.streams {
		go s.run()
	}
	go h.acceptFrom(r, r.listener)
	for _, f := range r.early {
		f()
	}
	r.early = nil
	if r.spread {
		time.AfterFunc(looseAfter, func() { h.post(func() { h.loosen(r) }) })
	}
	if h.ending {
		// It was born when the signal went round.
		h.table.signal(syscall.SIGKILL)
	}
}

// afterBirth calls f once the birth of rank r is known: the news of its end may
// overtake it.
func (r *rankState) afterBirth(f func()) {
	if r.proc == nil {
		r.early = append(r.early, f)
		return
	}
	f()
}

// onSpawned is called when no more ranks will be started.
func (h *host) onSpawned(err *spawnError) {
	h.spawned = true
	if h.joined == 0 && h.elsewhere {
		h.firstIn = h.awake.total // the time to join does not pass while the program is on its way
	}
	if err != nil {
		what := err.err.Error()
		if err.rank >= 0 {
			what = fmt.Sprintf("cannot start rank %d on %s: %v", err.rank, h.hostName(), err.err)
		}
		h.fail(failure{rank: err.rank, code: err.code, what: what, spawn: true})
		return
	}
	go h.feedStdin()
	started := &pb.Started{Cores: int32(h.cpus)}
	for _, r := range h.ranks {
		if r.proc == nil {
			continue
		}
		p := &pb.RankProcess{Rank: int32(r.rank), Pid: int64(r.proc.pid)}
		for _, cpu := range r.cpus {
			p.Cpus = append(p.Cpus, int32(cpu))
		}
		started.Ranks = append(started.Ranks, p)
	}
	h.send(&pb.FromAgent{Kind: &pb.FromAgent_Started{Started: started}})
}

// hasPeers reports whether ranks of this host may have to reach other hosts.
func (h *host) hasPeers() bool { return len(h.start.GetPeers()) > 0 }

// hasPort reports whether this host listens for others.
func (h *host) hasPort() bool { return h.hasPeers() && !h.start.GetByLauncher() }

func (h *host) hostName() string {
	if len(h.start.GetHosts()) == 0 {
		return boot.LocalHost()
	}
	return h.nameOf(int(h.start.GetHost()))
}

// onLauncher is a message from the launcher.
func (h *host) onLauncher(m *pb.ToAgent) {
	switch k := m.GetKind().(type) {
	case *pb.ToAgent_Signal:
		h.table.signal(syscall.Signal(k.Signal.GetSignal()))
	case *pb.ToAgent_Roster:
		h.onRoster(k.Roster)
	case *pb.ToAgent_FirstJoined:
		h.onFirstJoined()
	case *pb.ToAgent_AllReached:
		h.onAllReached(k.AllReached.GetStage())
	case *pb.ToAgent_Lost:
		h.onLostElsewhere(k.Lost.GetFailure())
	case *pb.ToAgent_Dump:
		h.dump(k.Dump)
	case *pb.ToAgent_End:
		if k.End.GetStates() && !h.ending {
			h.send(&pb.FromAgent{Kind: &pb.FromAgent_States{States: &pb.States{Ranks: h.states(nil)}}})
		}
		if k.End.GetReason() != "" {
			h.fail(failure{rank: -1, what: k.End.GetReason(), grace: time.Duration(k.End.GetGraceNanos()), stopped: true})
			return
		}
		h.end(time.Duration(k.End.GetGraceNanos()))
	case *pb.ToAgent_Suspend:
		h.suspended = true
		h.table.signal(syscall.SIGSTOP)
		h.send(&pb.FromAgent{Kind: &pb.FromAgent_Suspended{Suspended: &pb.Suspended{}}})
	case *pb.ToAgent_Continue:
		h.suspended = false
		h.table.signal(syscall.SIGCONT)
	}
}

// onLauncherGone kills all: nobody is left to report to.
func (h *host) onLauncherGone() {
	if !h.gone {
		h.gone = true
		close(h.abandoned)
	}
	h.end(0)
}
