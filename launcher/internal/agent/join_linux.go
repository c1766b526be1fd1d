package agent

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/muster-mpi/muster/internal/boot"
	"github.com/muster-mpi/muster/internal/queue"
	"github.com/muster-mpi/muster/internal/record"
	pb "github.com/muster-mpi/muster/proto"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"
)

// acceptFrom takes the processes that come through rank r's door.
func (h *host) acceptFrom(r *rankState, l *boot.Listener) {
	for {
		c, err := l.Accept()
		switch {
		case errors.Is(err, boot.ErrMessage):
			h.post(func() { h.violation(r, err.Error()) })
		case err != nil:
			return
		default:
			go h.hear(r, c)
		}
	}
}

// hear passes on what one process of rank r says, until it ends.
func (h *host) hear(r *rankState, c *boot.Conn) {
	for {
		m := new(pb.FromRank)
		files, err := c.Recv(m)
		for _, f := range files {
			f.Close() // a rank has none to give
		}
		switch {
		case errors.Is(err, boot.ErrMessage):
			h.post(func() { h.violation(r, err.Error()) })
		case err != nil:
			if !errors.Is(err, io.EOF) && !errors.Is(err, os.ErrClosed) {
				h.post(func() { h.note("rank %d: %v", r.rank, err) })
			}
			if !h.post(func() { h.onSilence(r, c) }) {
				c.Close()
			}
			return
		default:
			h.post(func() { h.onRank(r, c, m) })
		}
	}
}

// onRank is a message from a process of rank r.
func (h *host) onRank(r *rankState, c *boot.Conn, m *pb.FromRank) {
	if hello := m.GetHello(); hello != nil {
		h.onHello(r, c, hello)
		return
	}
	if c != r.conn {
		h.refuse(c, fmt.Sprintf("rank %d: a process that has not joined sent %T", r.rank, m.GetKind()))
		return
	}
	switch k := m.GetKind().(type) {
	case *pb.FromRank_Connect:
		h.onConnect(r, k.Connect)
	case *pb.FromRank_Leaving:
		if r.phase == joined {
			r.phase = leaving
			h.checkReached()
		}
	case *pb.FromRank_Drained:
		if r.phase == leaving {
			r.phase = drained
			h.checkReached()
		}
	case *pb.FromRank_Left:
		if r.phase == drained {
			r.phase = left
			r.clock(time.Now())
			h.send(&pb.FromAgent{Kind: &pb.FromAgent_Left{Left: &pb.RankLeft{Rank: int32(r.rank), Left: k.Left}}})
		}
	case *pb.FromRank_Stacks:
		h.onStacks(r, k.Stacks)
	case *pb.FromRank_Abort:
		what := "aborted the job"
		if k.Abort.GetText() != "" {
			what += ": " + k.Abort.GetText()
		}
		h.fail(failure{rank: r.rank, code: exitCode(k.Abort.GetCode()), what: what})
	default:
		h.violation(r, fmt.Sprintf("sent %T", k))
	}
}

// exitCode makes a code that a rank named one that a process can end with, and
// that is no success.
func exitCode(code int32) int {
	if code&0xff == 0 {
		return 1
	}
	return int(code & 0xff)
}

// onHello takes a process in as rank r, or refuses it.
func (h *host) onHello(r *rankState, c *boot.Conn, m *pb.Hello) {
	pid := c.PeerPID()
	if pid == 0 {
		pid = int(m.GetPid())
	}
	if c == r.conn {
		h.violation(r, "said Hello twice")
		return
	}
	if r.conn != nil {
		reason := fmt.Sprintf("process %d cannot join as rank %d: process %d has done so before it", pid, r.rank, r.pid)
		h.refuse(c, reason)
		h.note("%s", reason)
		return
	}
	if reason := h.differs(r, m); reason != "" {
		h.refuse(c, reason)
		h.fail(failure{rank: r.rank, code: ExitProtocol, what: "cannot join: " + reason})
		return
	}
	r.conn, r.pid, r.phase, r.joinedAt = c, pid, joined, time.Now()
	welcome, files, err := h.welcome(r)
	if err != nil {
		h.fail(failure{rank: r.rank, code: ExitResource, what: "cannot join: " + err.Error()})
	}
	h.loosen(r)
	r.build = m.GetBuild()
	r.out = queue.New[packet]()
	go converse(c, r.out)
	r.tell(&pb.ToRank{Kind: &pb.ToRank_Welcome{Welcome: welcome}}, files...)
	for _, other := range h.ranks {
		if other.lost != "" {
			r.tell(obituary(other.rank, other.lost))
		}
	}
	for _, m := range h.obituaries {
		r.tell(m)
	}
	r.group = memoryGroup(pid)
	h.memory.seen(r.group, readMemoryState)
	h.joined++
	if h.joined == 1 && !h.elsewhere {
		h.firstIn = h.awake.total
	}
	h.send(&pb.FromAgent{Kind: &pb.FromAgent_Joined{Joined: &pb.RankJoined{Rank: int32(r.rank), Pid: int64(pid), Build: r.build}}})
	h.linkWanted(r)
	h.handOverParked(r)
	if h.absent != nil {
		h.failAbsent(h.absent)
	}
}

// onFirstJoined is that a rank of another host has joined.
func (h *host) onFirstJoined() {
	h.elsewhere = true
	if h.joined == 0 {
		h.firstIn = h.awake.total
	}
	if h.absent != nil {
		h.failAbsent(h.absent)
	}
}

func (h *host) refuse(c *boot.Conn, reason string) {
	out := queue.New[packet]()
	go converse(c, out)
	out.Put(packet{m: &pb.ToRank{Kind: &pb.ToRank_Refused{Refused: &pb.Refused{Reason: reason}}}})
	out.Close(io.EOF)
}

// differs says how a rank does not fit to those that have joined; empty if it
// does. Programs may differ between the applications of a job, what they say to
// each other may not.
func (h *host) differs(r *rankState, m *pb.Hello) string {
	if m.GetProtocol() != boot.Protocol {
		return fmt.Sprintf("it speaks version %d of the control protocol and muster runs version %d; build the program and muster from one version",
			m.GetProtocol(), boot.Protocol)
	}
	mine := m.GetBuild()
	for _, other := range h.ranks {
		if other.build == nil {
			continue
		}
		theirs := other.build
		if mine.GetByteOrder() != theirs.GetByteOrder() || mine.GetIntBytes() != theirs.GetIntBytes() || mine.GetArch() != theirs.GetArch() {
			return fmt.Sprintf("rank %d is %s, %s-endian, int of %d bytes; rank %d is %s, %s-endian, int of %d bytes",
				r.rank, mine.GetArch(), mine.GetByteOrder(), mine.GetIntBytes(),
				other.rank, theirs.GetArch(), theirs.GetByteOrder(), theirs.GetIntBytes())
		}
		if other.app == r.app && mine.GetProgram() != theirs.GetProgram() {
			return fmt.Sprintf("rank %d runs build %s of the program, rank %d runs build %s",
				r.rank, mine.GetProgram(), other.rank, theirs.GetProgram())
		}
	}
	return ""
}

// welcome makes the answer to rank r's Hello and the descriptors that come with
// it: of the memory for its records, of its bell, of the memory of all ranks here, and
// of the places of all ranks where these are many.
func (h *host) welcome(r *rankState) (*pb.Welcome, []*os.File, error) {
	settings := proto.CloneOf(h.start.GetSettings())
	settings.Cores = int32(h.procsPerRank)
	// Rounded up: one rank too many for the cores is too many.
	settings.RanksPerCoreHundredths = int32(ceil(100*100*len(h.ranks), max(1, h.usable)))
	w := &pb.Welcome{
		Job: h.start.GetJob(), Rank: int32(r.rank), Size: h.start.GetSize(), Incarnation: 1,
		StartUnixNanos: h.start.GetStartUnixNanos(),
		Settings:       settings,
	}
	if c := h.start.GetCredentials(); r.local < len(c) {
		w.Credentials, c[r.local] = c[r.local], nil // nobody else joins as r
	}
	if r.vouched() {
		w.AgentPid = int64(os.Getpid())
	}
	var files []*os.File
	if memory := h.records(r); memory != nil {
		w.Records = true
		files = append(files, memory)
	}
	if settings.GetTransport() == sharedMemory {
		f, err := r.hangBell()
		if err != nil {
			return w, files, err
		}
		w.Bell = true
		files = append(files, f)
		if f := h.sharedFile(); f != nil {
			w.Memory = true
			files = append(files, f)
		}
	}
	places, err := boot.SetPlaces(w, h.start.GetHosts(), func() (*os.File, error) {
		fd, err := unix.MemfdCreate("muster-hosts", unix.MFD_CLOEXEC)
		return os.NewFile(uintptr(max(fd, 0)), "muster-hosts"), os.NewSyscallError("memfd_create", err)
	})
	if places != nil {
		files = append(files, places)
	}
	return w, files, err
}

// records makes the memory for rank r's operation records and opens it for
// reading; nil if there can be none, which costs reports some of their text.
func (h *host) records(r *rankState) *os.File {
	memory, err := record.Create()
	if err == nil {
		if r.reader, err = record.Open(memory); err == nil {
			return memory
		}
		memory.Close()
	}
	if h.joined == 0 {
		h.note("no operation records, so a failure cannot show what ranks were doing: %v", err)
	}
	return nil
}

// tell sends m to the process that joined as r. It owns files.
func (r *rankState) tell(m *pb.ToRank, files ...*os.File) { r.put(packet{m: m, files: files}) }

// put reports false if p cannot be sent any more.
func (r *rankState) put(p packet) bool {
	if r.out == nil || !r.out.Put(p) {
		closeAll(p.files)
		return false
	}
	return true
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// converse sends what is put into out, and closes c when out is closed.
func converse(c *boot.Conn, out *queue.Queue[packet]) {
	defer c.Close()
	for {
		packets := out.Take()
		if packets == nil {
			return
		}
		for _, p := range packets {
			err := c.Send(p.m, p.files...)
			// The kernel limits how many descriptors are on their way. Those that
			// are get there soon.
			for errors.Is(err, unix.ETOOMANYREFS) {
				time.Sleep(5 * time.Millisecond)
				err = c.Send(p.m, p.files...)
			}
			closeAll(p.files)
			if p.sent != nil {
				p.sent()
			}
			// An error means that the process has ended, which its parent, the
			// agent, learns for certain.
		}
	}
}

// checkReached tells the launcher once all ranks of this host have come to a stage,
// or are dead. It lets all of the job go on when those of all hosts have.
func (h *host) checkReached() {
	lowest := pb.Stage_DRAINED
	for _, r := range h.ranks {
		switch {
		case r.lost != "":
		case r.phase < leaving:
			return
		case r.phase < drained:
			lowest = pb.Stage_LEAVING
		}
	}
	if lowest > h.reached {
		h.reached = lowest
		h.send(&pb.FromAgent{Kind: &pb.FromAgent_Reached{Reached: &pb.Reached{Stage: lowest}}})
	}
}

// onAllReached lets the ranks drain their links once all are leaving, and close them
// once nothing is under way.
func (h *host) onAllReached(s pb.Stage) {
	m := &pb.ToRank{Kind: &pb.ToRank_AllLeaving{AllLeaving: &pb.AllLeaving{}}}
	if s == pb.Stage_DRAINED {
		m = &pb.ToRank{Kind: &pb.ToRank_AllDrained{AllDrained: &pb.AllDrained{}}}
	}
	for _, r := range h.ranks {
		r.tell(m)
	}
}

// violation ends the job because of what rank r sent.
func (h *host) violation(r *rankState, what string) {
	h.fail(failure{rank: r.rank, code: ExitProtocol, what: "broke the control protocol: " + what})
}
