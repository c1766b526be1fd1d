package rendezvous

import (
	"context"
	"crypto/hmac"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/muster-mpi/muster/internal/authority"
	"github.com/muster-mpi/muster/internal/knock"
	"github.com/muster-mpi/muster/internal/queue"
	pb "github.com/muster-mpi/muster/proto"
)

// Exit codes, as of jobs that have a launcher.
const (
	exitSpawn    = 66 // ranks did not join in time
	exitProtocol = 67 // ranks of different builds or versions
	exitLost     = 71
)

// coordinator is what rank 0's process does for the job beside being a rank: it lets the
// others in, and does with them what an agent does with the ranks of its host.
type coordinator struct {
	place     *Place
	secret    secret
	authority *authority.Authority
	release   func() // of the protection of the authority's key
	linkKey   []byte
	start     time.Time
	own       *queue.Queue[item] // what rank 0 hears
	say       func(format string, args ...any)
	note      throttle // of those who are turned away

	full chan struct{} // closed once all have joined, or the job has ended
	over gate          // opened once all have left, or the job has ended
	told gate          // opened once the job has ended and all have heard of it

	mu     sync.Mutex
	seats  []seat
	joined int
	ended  *Ended // the job's end before all have left
}

// seat is what is known of one rank.
type seat struct {
	entry       *pb.Entry // nil: it has not joined
	certificate []byte
	member      *member // nil: rank 0 itself
	phase       phase
	lost        string // how it ended; under failure policy return
	told        bool   // that the job has ended
}

type phase uint8

const (
	absent phase = iota
	joined
	leaving
	drained
	left
)

// member is the connection to another rank.
type member struct {
	conn *tls.Conn
	out  *queue.Queue[*pb.ToMember]
	sent chan struct{} // closed when out has ended and all of it is written
}

func newMember(conn *tls.Conn) *member {
	m := &member{conn: conn, out: queue.New[*pb.ToMember](), sent: make(chan struct{})}
	go func() {
		defer close(m.sent)
		for {
			message, err := m.out.Next()
			if err != nil {
				return
			}
			if write(conn, message) != nil {
				m.out.Close(io.ErrClosedPipe)
				return // the reader learns it as well
			}
		}
	}()
	return m
}

func (s *seat) tell(m *pb.ToRank, own *queue.Queue[item]) {
	switch {
	case s.phase == absent || s.lost != "":
	case s.member == nil:
		own.Put(item{message: m})
	default:
		s.member.out.Put(&pb.ToMember{Kind: &pb.ToMember_Rank{Rank: m}})
	}
}

// who names a rank with host and process.
func (s *seat) who(rank int) string {
	return fmt.Sprintf("rank %d (host %s, pid %d)", rank, s.entry.GetHost(), s.entry.GetHello().GetPid())
}

// handshakeTime is how long a process that has knocked may take to say who it is.
const handshakeTime = knock.Patience

// admit lets in the process behind c, whose knock proves that it holds the token.
func (c *coordinator) admit(caller *knock.Caller) {
	rank := int(caller.Knock.From)
	if caller.Answer(knock.Accepted) != nil {
		caller.Close()
		return
	}
	conn := tls.Server(caller.Conn, c.tls())
	conn.SetDeadline(time.Now().Add(handshakeTime))
	entry, err := c.hear(conn)
	if err == nil {
		err = asTCP(caller.Conn, watch)
	}
	if err != nil {
		if errors.Is(err, errEntry) { // else it has given up, or died
			c.turnAway("%v knocked as rank %d and is not let in: %v", caller.RemoteAddr(), rank, err)
		}
		conn.Close()
		return
	}
	conn.SetDeadline(time.Time{})
	m := newMember(conn)
	if no := c.enter(rank, entry, m); no != nil {
		m.out.Put(no)
		m.out.Close(io.EOF)
		<-m.sent
		conn.Close()
		c.hasHeard(rank)
		return
	}
	c.follow(rank, m)
}

// tls is how rank 0 shows itself to those who join. They have no certificate yet, and
// prove themselves by the token.
func (c *coordinator) tls() *tls.Config {
	c.mu.Lock()
	own := c.seats[0]
	c.mu.Unlock()
	return &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{protocolName}, SessionTicketsDisabled: true,
		Certificates: []tls.Certificate{{
			Certificate: [][]byte{own.certificate, c.authority.DER()}, PrivateKey: c.secret.key,
		}},
	}
}

// errEntry is the class of errors of what cannot be an entry of a rank.
var errEntry = errors.New("no entry of a rank")

// hear makes the connection safe and receives the entry of the process behind it.
func (c *coordinator) hear(conn *tls.Conn) (*pb.Entry, error) {
	if err := conn.Handshake(); err != nil {
		return nil, err
	}
	state := conn.ConnectionState()
	if err := write(conn, c.secret.proof(state, proofOfFirst)); err != nil {
		return nil, err
	}
	entry := new(pb.Entry)
	if err := read(conn, entry, strangerBytes); err != nil {
		return nil, err
	}
	if !hmac.Equal(entry.GetProof().GetMac(), c.secret.proof(state, proofOfEntry).GetMac()) {
		return nil, fmt.Errorf("%w: it does not hold the token", errEntry)
	}
	if !validHost(entry.GetHost()) {
		return nil, fmt.Errorf("%w: %q is no host name", errEntry, entry.GetHost())
	}
	if err := validAddresses(entry.GetAddresses()); err != nil {
		return nil, fmt.Errorf("%w: %w", errEntry, err)
	}
	return entry, nil
}

// enter takes a process in as rank, or returns the answer that turns it away.
func (c *coordinator) enter(rank int, e *pb.Entry, m *member) *pb.ToMember {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended != nil {
		return c.ended.message()
	}
	reason := c.enterLocked(rank, e, m)
	if reason == "" {
		return nil
	}
	return &pb.ToMember{Kind: &pb.ToMember_Refused{Refused: &pb.Refused{Reason: reason}}}
}

// enterLocked takes a process in as rank, or says why not.
func (c *coordinator) enterLocked(rank int, e *pb.Entry, m *member) string {
	who := fmt.Sprintf("process %d of host %s", e.GetHello().GetPid(), e.GetHost())
	switch {
	case int(e.GetSize()) != len(c.seats):
		return fmt.Sprintf("%s says that the job has %d ranks, rank 0 that it has %d", who, e.GetSize(), len(c.seats))
	case int(e.GetRank()) != rank || rank < 0 || rank >= len(c.seats):
		return fmt.Sprintf("%s says that it is rank %d of %d and knocked as rank %d", who, e.GetRank(), len(c.seats), rank)
	}
	s := &c.seats[rank]
	if s.phase != absent {
		reason := fmt.Sprintf("%s cannot join as rank %d: process %d of host %s has done so before it",
			who, rank, s.entry.GetHello().GetPid(), s.entry.GetHost())
		c.turnAway("%s", reason)
		return reason
	}
	if reason := differs(rank, e, c.seats[0].entry); reason != "" {
		s.told = true
		c.failLocked(exitProtocol, "%s cannot join: %s", who, reason)
		return reason
	}
	public, err := x509.ParsePKIXPublicKey(e.GetPublicKey())
	if err == nil {
		s.certificate, err = c.authority.Certify(rank, public)
	}
	if err != nil {
		return fmt.Sprintf("%s cannot be certified: %v", who, err)
	}
	s.entry, s.member, s.phase = e, m, joined
	c.countLocked()
	return ""
}

// differs says how a rank does not fit to rank 0; empty if it does.
func differs(rank int, e, first *pb.Entry) string {
	mine, theirs := e.GetHello(), first.GetHello()
	if mine.GetProtocol() != theirs.GetProtocol() {
		return fmt.Sprintf("rank %d speaks version %d of the control protocol, rank 0 version %d; build them from one version",
			rank, mine.GetProtocol(), theirs.GetProtocol())
	}
	a, b := mine.GetBuild(), theirs.GetBuild()
	if a.GetByteOrder() != b.GetByteOrder() || a.GetIntBytes() != b.GetIntBytes() || a.GetArch() != b.GetArch() {
		return fmt.Sprintf("rank %d is %s, %s-endian, int of %d bytes; rank 0 is %s, %s-endian, int of %d bytes", rank,
			a.GetArch(), a.GetByteOrder(), a.GetIntBytes(), b.GetArch(), b.GetByteOrder(), b.GetIntBytes())
	}
	if a.GetProgram() != b.GetProgram() {
		return fmt.Sprintf("rank %d runs build %s of the program, rank 0 runs build %s", rank, a.GetProgram(), b.GetProgram())
	}
	return ""
}

// countLocked counts one more that has joined, and begins the job with the last.
func (c *coordinator) countLocked() {
	if c.joined++; c.joined < len(c.seats) {
		return
	}
	c.authority.Forget() // nobody else can join
	c.release()
	hosts, cores := c.hosts()
	members := make([]*pb.Member, len(c.seats))
	for r := range c.seats {
		e := c.seats[r].entry
		members[r] = &pb.Member{
			Addresses: e.GetAddresses(), Incarnation: e.GetIncarnation(), Host: e.GetHost(), Pid: e.GetHello().GetPid(),
		}
	}
	for r := range c.seats {
		a := &pb.Admission{Welcome: c.welcome(r, hosts, cores), LinkKey: c.linkKey, Members: members}
		if m := c.seats[r].member; m != nil {
			m.out.Put(&pb.ToMember{Kind: &pb.ToMember_Admission{Admission: a}})
		} else {
			c.own.Put(item{admission: a})
		}
	}
	close(c.full)
}

// share is how a host's ranks and cores stand to each other.
type share struct{ ranks, cores int }

// hosts returns the runs of ranks on one host, and each rank's host's share.
func (c *coordinator) hosts() (runs []*pb.HostRun, shares []share) {
	number := make(map[string]int32)
	ranks := make(map[string]int)
	cores := make(map[string]map[int32]bool)
	for r := range c.seats {
		e := c.seats[r].entry
		d := e.GetDomain()
		n, ok := number[d]
		if !ok {
			n = int32(len(number))
			number[d], cores[d] = n, make(map[int32]bool)
		}
		ranks[d]++
		for _, cpu := range e.GetCpus() {
			cores[d][cpu] = true
		}
		if last := len(runs) - 1; last >= 0 && runs[last].Host == n {
			runs[last].Count++
		} else {
			runs = append(runs, &pb.HostRun{Name: e.GetHost(), Host: n, First: int32(r), Count: 1})
		}
	}
	for r := range c.seats {
		d := c.seats[r].entry.GetDomain()
		shares = append(shares, share{ranks[d], len(cores[d])})
	}
	return runs, shares
}

func (c *coordinator) welcome(r int, hosts []*pb.HostRun, shares []share) *pb.Welcome {
	w := &pb.Welcome{
		Job: c.secret.job[:], Rank: int32(r), Size: int32(len(c.seats)),
		Incarnation: c.seats[r].entry.GetIncarnation(), Hosts: hosts, StartUnixNanos: c.start.UnixNano(),
		Settings:    &pb.Settings{Transport: "tcp", ReturnFailures: c.place.returns},
		Credentials: &pb.Credentials{Authority: c.authority.DER(), Certificate: c.seats[r].certificate},
	}
	if s := shares[r]; s.cores > 0 {
		w.Settings.Cores = int32(max(1, s.cores/s.ranks))
		w.Settings.RanksPerCoreHundredths = int32((100*s.ranks + s.cores - 1) / s.cores) // rounded up: one too many is too many
	}
	return w
}

// follow hears what a rank says until it ends.
func (c *coordinator) follow(rank int, m *member) {
	for {
		message := new(pb.FromRank)
		err := read(m.conn, message, strangerBytes)
		if err == nil {
			err = c.onRank(rank, message)
		}
		if err != nil {
			c.onSilence(rank, err)
			m.out.Close(io.ErrClosedPipe)
			<-m.sent
			m.conn.Close()
			return
		}
	}
}

// onRank is a message from a rank that has joined, rank 0 included.
func (c *coordinator) onRank(rank int, m *pb.FromRank) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &c.seats[rank]
	switch k := m.GetKind().(type) {
	case *pb.FromRank_Leaving:
		if s.phase == joined {
			s.phase = leaving
			c.checkLocked(leaving)
		}
	case *pb.FromRank_Drained:
		if s.phase == leaving {
			s.phase = drained
			c.checkLocked(drained)
		}
	case *pb.FromRank_Left:
		if s.phase == drained {
			s.phase = left
			c.checkLocked(left)
		}
	case *pb.FromRank_Abort:
		text := k.Abort.GetText()
		if text != "" {
			text = ": " + text
		}
		code := int(k.Abort.GetCode()) & 0xff
		if code == 0 {
			code = 1 // none is success
		}
		c.failLocked(code, "%s aborted the job%s", s.who(rank), text)
	default:
		return fmt.Errorf("%w: %T", errMessage, k)
	}
	return nil
}

// checkLocked tells all that all have reached a phase, if they have and it is their
// least.
func (c *coordinator) checkLocked(reached phase) {
	least := left
	for r := range c.seats {
		if c.seats[r].lost == "" {
			least = min(least, c.seats[r].phase)
		}
	}
	if least != reached {
		return
	}
	var m *pb.ToRank
	switch reached {
	case leaving:
		m = &pb.ToRank{Kind: &pb.ToRank_AllLeaving{AllLeaving: &pb.AllLeaving{}}}
	case drained:
		m = &pb.ToRank{Kind: &pb.ToRank_AllDrained{AllDrained: &pb.AllDrained{}}}
	default:
		c.over.open()
		return
	}
	for r := range c.seats {
		c.seats[r].tell(m, c.own)
	}
}

// onSilence hears that nothing comes from a rank any more.
func (c *coordinator) onSilence(rank int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &c.seats[rank]
	if s.phase == left || s.lost != "" || c.ended != nil {
		return
	}
	cause := fmt.Sprintf("%s %s", s.who(rank), fate(err))
	if c.joined == len(c.seats) && c.place.returns {
		s.lost = cause
		c.say("%s", cause)
		for r := range c.seats {
			c.seats[r].tell(&pb.ToRank{Kind: &pb.ToRank_Failed{Failed: &pb.RankFailed{Rank: int32(rank), Cause: cause}}}, c.own)
		}
		for p := leaving; p <= left; p++ { // what only waited for it
			c.checkLocked(p)
		}
		return
	}
	c.failLocked(exitLost, "%s", cause)
}

// fate says in words how a connection to a process has ended.
func fate(err error) string {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "ended without leaving the job"
	case errors.Is(err, syscall.ETIMEDOUT), errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Sprintf("is not reached any more: its host has been silent for %v", unreachable)
	case errors.Is(err, errMessage):
		return fmt.Sprintf("broke the control protocol: %v", err)
	}
	return fmt.Sprintf("is not reached any more: %v", err)
}

// fail ends the job.
func (c *coordinator) fail(code int, format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failLocked(code, format, args...)
}

// flushTime is how long the end of the job waits for the others to be told.
const flushTime = time.Second

// failLocked ends the job with an exit code and tells the other ranks, and then rank 0.
// Who has joined does not speak of it: rank 0 does that now. Who has not, as rank 0
// itself, has it as the error of Join.
func (c *coordinator) failLocked(code int, format string, args ...any) {
	if c.ended != nil {
		return
	}
	text := fmt.Sprintf(format, args...)
	c.ended = &Ended{Code: code}
	if c.joined < len(c.seats) {
		c.ended.Text = text
		close(c.full)
	} else {
		c.say("%s", text)
	}
	late := time.After(flushTime)
	var told []*member
	for r := range c.seats {
		if m := c.seats[r].member; m != nil {
			m.out.Put(c.ended.message())
			m.out.Close(io.EOF)
			told = append(told, m)
		}
	}
	for _, m := range told {
		select {
		case <-m.sent:
		case <-late:
			late = closed
		}
	}
	c.own.Close(c.ended)
	c.over.open()
	c.toldLocked()
}

// message is how other ranks are told.
func (e *Ended) message() *pb.ToMember {
	return &pb.ToMember{Kind: &pb.ToMember_End{End: &pb.JobEnd{Code: int32(e.Code), Text: e.Text}}}
}

// hasHeard notes that a rank which has not joined was told of the end, if there is one.
func (c *coordinator) hasHeard(rank int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended != nil && rank < len(c.seats) {
		c.seats[rank].told = true
		c.toldLocked()
	}
}

func (c *coordinator) toldLocked() {
	for r := range c.seats {
		if s := &c.seats[r]; s.phase == absent && !s.told {
			return
		}
	}
	c.told.open()
}

// gate is a channel that several may close: open does it once.
type gate struct {
	once sync.Once
	ch   chan struct{}
}

func (g *gate) open() { g.once.Do(func() { close(g.ch) }) }

// closed is a time that has come.
var closed = func() <-chan time.Time {
	c := make(chan time.Time)
	close(c)
	return c
}()

// turnAway says who is not let in, but not often.
func (c *coordinator) turnAway(format string, args ...any) {
	if c.note.may() {
		c.say(format, args...)
	}
}

// throttle permits something once in ten seconds.
type throttle struct {
	mu   sync.Mutex
	last time.Time
}

func (t *throttle) may() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := time.Now(); t.last.IsZero() || now.Sub(t.last) > 10*time.Second {
		t.last = now
		return true
	}
	return false
}

// await returns when all have joined. While it waits it says for whom, now and then.
func (c *coordinator) await(ctx context.Context) error {
	limit := time.NewTimer(c.place.patience)
	defer limit.Stop()
	pause := 10 * time.Second
	tell := time.NewTimer(pause)
	defer tell.Stop()
	for {
		select {
		case <-c.full:
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.ended != nil {
				return c.ended
			}
			return nil
		case <-tell.C:
			c.say("rank 0 waits: %s not joined", c.missing())
			pause = min(2*pause, time.Minute)
			tell.Reset(pause)
		case <-limit.C:
			c.fail(exitSpawn, "%s not joined within %v (%s)", c.missing(), c.place.patience, EnvStartTimeout)
		case <-ctx.Done():
			c.fail(exitLost, "rank 0 has given up joining: %v", context.Cause(ctx))
		}
	}
}

// missing names the ranks that have not joined, and ends with "has" or "have".
func (c *coordinator) missing() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []string
	n := 0
	for r := range c.seats {
		if c.seats[r].phase != absent {
			continue
		}
		if n++; n <= 10 {
			list = append(list, fmt.Sprint(r))
		}
	}
	if n > 10 {
		list = append(list, fmt.Sprintf("and %d more", n-10))
	}
	if n == 1 {
		return fmt.Sprintf("rank %s of %d has", list[0], len(c.seats))
	}
	return fmt.Sprintf("ranks %s of %d have", strings.Join(list, ", "), len(c.seats))
}
