package engine

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"

	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/wire"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "run the random program of this seed only")
	seedsFlag = flag.Uint64("seeds", 800, "how many random programs to run")
)

// Random programs over a simulated network agree with a sequential model of
// matching, complete every operation exactly once, and leave nothing behind.
func TestRandomProgramsFollowTheModel(t *testing.T) {
	runSeeds(t, "TestRandomProgramsFollowTheModel", false)
}

// The same while ranks are lost: what did not involve them still follows the
// model, and the rest completes, well or with ErrFailed.
func TestRandomProgramsSurviveLostRanks(t *testing.T) {
	runSeeds(t, "TestRandomProgramsSurviveLostRanks", true)
}

func runSeeds(t *testing.T, name string, losses bool) {
	first, last := uint64(1), *seedsFlag
	if testing.Short() || raceEnabled {
		last = min(last, 300)
	}
	if *seedFlag != 0 {
		first, last = *seedFlag, *seedFlag
	}
	synctest.Test(t, func(t *testing.T) {
		for seed := first; seed <= last; seed++ {
			if err := runProgram(t, seed, losses); err != nil {
				t.Fatalf("seed %d: %v\nagain: go test ./internal/engine -run '^%s$' -seed %d", seed, err, name, seed)
			}
		}
	})
}

// program is one random run: what the ranks have started, and the model.
type program struct {
	*simNet
	t        testing.TB
	contexts [][]*Context // by context, rank
	sends    []*letter    // by number-1
	recvs    []*receiving
	spaces   map[spaceKey]*modelSpace
	byOp     map[[2]uint64]*letter // by sender, its operation
	lastSeen map[[3]int]uint32     // by sender, receiver, context: last message to arrive
	dropped  map[*Context]bool     // the model has seen it freed
	lost     map[int]bool
	err      error
}

func runProgram(t testing.TB, seed uint64, losses bool) error {
	rng := rand.New(rand.NewPCG(seed, 1))
	n := 1 + rng.IntN(4)
	p := &program{
		t:        t,
		spaces:   make(map[spaceKey]*modelSpace),
		byOp:     make(map[[2]uint64]*letter),
		lastSeen: make(map[[3]int]uint32),
		dropped:  make(map[*Context]bool),
		lost:     make(map[int]bool),
	}
	window := []int64{0, 600, 3000, 1 << 20}[rng.IntN(4)]
	p.simNet = newSimNet(rng, n, func(c *Config) {
		c.EagerBytes = 64
		c.UnexpectedBytes = max(1, window*int64(n))
	})
	for _, e := range p.engines {
		e.chunk = 50
	}
	p.arrive = p.arrived
	p.contexts = append(p.contexts, p.open(t, WorldID))
	for range rng.IntN(3) {
		p.contexts = append(p.contexts, p.open(t, p.engines[rng.IntN(n)].NextID()))
	}
	for range 20 + rng.IntN(150) {
		p.act(losses)
		for range rng.IntN(4) {
			p.step()
			p.dropFreed()
		}
		p.collect(rng.IntN(4))
		if p.err != nil {
			return p.err
		}
	}
	return p.finish()
}

func (p *program) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
}

// act starts something.
func (p *program) act(losses bool) {
	rng := p.rng
	rank, ctx := rng.IntN(len(p.engines)), rng.IntN(len(p.contexts))
	space := []wire.Space{wire.User, wire.Collective}[rng.IntN(2)]
	if p.lost[rank] {
		return
	}
	switch k := rng.IntN(100); {
	case k < 40:
		p.send(rank, rng.IntN(len(p.engines)), ctx, space)
	case k < 75:
		source, tag := rng.IntN(len(p.engines)+1)-1, rng.IntN(4)-1
		p.recv(rank, ctx, space, source, tag, []int{0, 30, 64, 500}[rng.IntN(4)])
	case k < 80 && len(p.recvs) > 0:
		p.cancel(p.recvs[rng.IntN(len(p.recvs))])
	case k < 85 && len(p.sends) > 0:
		p.withdraw(p.sends[rng.IntN(len(p.sends))])
	case k < 90:
		p.probe(rank, ctx, space, rng.IntN(len(p.engines)+1)-1, rng.IntN(4)-1)
	case k < 96:
		p.matchedProbe(rank, ctx, space, rng.IntN(len(p.engines)+1)-1, rng.IntN(4)-1)
	case k < 97 && ctx > 0:
		p.contexts[ctx][rank].Free()
	case k < 98:
		id := p.engines[rank].NextID()
		p.contexts = append(p.contexts, p.open(p.t, id))
	case k == 99 && losses && len(p.lost)+1 < len(p.engines):
		p.loseRank(rank)
	}
	p.dropFreed()
}

func (p *program) send(from, to, ctx int, space wire.Space) {
	rng := p.rng
	m := &letter{
		number: uint32(len(p.sends) + 1), from: from, to: to, ctx: ctx, tag: rng.IntN(3), space: space,
		mode: []Mode{Standard, Standard, Synchronous, Ready}[rng.IntN(4)],
	}
	m.want = pattern(m.number, []int{0, 1, 30, 64, 65, 200, 333}[rng.IntN(7)])
	m.buf = bytes.Clone(m.want)
	e := p.engines[from]
	ref, err := e.Isend(&Envelope{
		Context: p.contexts[ctx][from], Space: space, Mode: m.mode,
		Peer: to, Tag: int64(m.tag), Layout: m.number, Buf: layout.Of(m.buf),
	})
	if err != nil {
		freed := p.contexts[ctx][from].freeing.Load()
		if !(errors.Is(err, ErrFreed) && freed) && !(errors.Is(err, ErrFailed) && p.lost[to]) {
			p.fail("message %d from %d to %d refused: %v", m.number, from, to, err)
		}
		return
	}
	m.ref = ref
	op := ref.op
	m.eager = m.mode == Standard && (op.eager || op.phase == complete)
	if op.phase != complete {
		p.byOp[[2]uint64{uint64(from), op.id}] = m
	}
	p.sends = append(p.sends, m)
}

func (p *program) recv(rank, ctx int, space wire.Space, source, tag, room int) *receiving {
	r := &receiving{rank: rank, ctx: ctx, space: space, source: source, tag: tag, room: room, buf: pattern(0, room+canaryBytes)}
	ref, err := p.engines[rank].Irecv(&Envelope{
		Context: p.contexts[ctx][rank], Space: space, Peer: source, Tag: int64(tag), Buf: layout.Of(r.buf[:room]),
	})
	if err != nil {
		if !errors.Is(err, ErrFreed) || !p.contexts[ctx][rank].freeing.Load() {
			p.fail("receive at %d refused: %v", rank, err)
		}
		return nil
	}
	r.ref = ref
	p.recvs = append(p.recvs, r)
	s := p.space(rank, ctx, space)
	for i, m := range s.messages {
		if m.matches(r) {
			s.messages = append(s.messages[:i], s.messages[i+1:]...)
			m.fate, r.got = matched, m
			return r
		}
	}
	if !p.unreachable(source) {
		s.receives = append(s.receives, r)
	}
	return r
}

func (p *program) cancel(r *receiving) {
	if r.done || p.lost[r.rank] {
		return
	}
	if err := p.engines[r.rank].Cancel(r.ref); err != nil {
		p.fail("cancel at %d: %v", r.rank, err)
	}
	p.engines[r.rank].Idle()
	s := p.space(r.rank, r.ctx, r.space)
	for i := range s.receives {
		if s.receives[i] == r {
			s.receives = append(s.receives[:i], s.receives[i+1:]...)
			r.cancelled = true
			return
		}
	}
}

// withdraw does what the end of a blocking send's context does.
func (p *program) withdraw(m *letter) {
	if m.done || m.asked || p.lost[m.from] {
		return
	}
	m.asked = true
	e := p.engines[m.from]
	e.mu.Lock()
	if op := m.ref.live(); op != nil && op.phase != complete {
		e.cancel(op)
	}
	e.mu.Unlock()
	e.Idle()
}

func (p *program) probe(rank, ctx int, space wire.Space, source, tag int) {
	st, ok, err := p.engines[rank].Find(p.contexts[ctx][rank], space, source, int64(tag))
	_, m := p.space(rank, ctx, space).first(source, tag)
	switch {
	case err != nil:
		if !errors.Is(err, ErrFreed) {
			p.fail("probe at %d: %v", rank, err)
		}
	case ok != (m != nil):
		p.fail("probe at %d for source %d tag %d found %v, the model %v", rank, source, tag, ok, m)
	case ok && (st.Layout != m.number || st.Source != m.from || st.Tag != int64(m.tag) || st.Bytes != len(m.want)):
		p.fail("probe at %d found %+v, want message %d", rank, st, m.number)
	}
}

func (p *program) matchedProbe(rank, ctx int, space wire.Space, source, tag int) {
	msg, err := p.engines[rank].Take(p.contexts[ctx][rank], space, source, int64(tag))
	s := p.space(rank, ctx, space)
	i, m := s.first(source, tag)
	switch {
	case err != nil:
		if !errors.Is(err, ErrFreed) {
			p.fail("matched probe at %d: %v", rank, err)
		}
		return
	case (msg != nil) != (m != nil):
		p.fail("matched probe at %d found %v, the model %v", rank, msg, m)
		return
	case msg == nil:
		return
	}
	s.messages = append(s.messages[:i], s.messages[i+1:]...)
	m.fate = matched
	for range p.rng.IntN(4) { // the world goes on between probe and receive
		p.step()
		p.dropFreed()
	}
	r := &receiving{rank: rank, ctx: ctx, space: space, room: 500, buf: pattern(0, 500+canaryBytes), got: m}
	r.ref, err = p.engines[rank].Imrecv(msg, &Envelope{Buf: layout.Of(r.buf[:500])})
	if err != nil {
		p.fail("receive of a probed message at %d: %v", rank, err)
		return
	}
	p.recvs = append(p.recvs, r)
}

func (p *program) loseRank(rank int) {
	p.lost[rank] = true
	p.lose(rank)
	for key, s := range p.spaces {
		if p.lost[key.rank] {
			continue
		}
		s.receives = keep(s.receives, func(r *receiving) bool { return !p.unreachable(r.source) })
		s.messages = keep(s.messages, func(m *letter) bool { return m.from != rank || m.eagerAtReceiver() })
	}
}

// collect tests n operations at random, or all of them if n is negative.
func (p *program) collect(n int) {
	if n < 0 {
		for _, m := range p.sends {
			p.testSend(m)
		}
		for _, r := range p.recvs {
			p.testRecv(r)
		}
		return
	}
	for range n {
		if len(p.sends) > 0 {
			p.testSend(p.sends[p.rng.IntN(len(p.sends))])
		}
		if len(p.recvs) > 0 {
			p.testRecv(p.recvs[p.rng.IntN(len(p.recvs))])
		}
	}
}

func (p *program) testSend(m *letter) {
	if m.done || p.lost[m.from] {
		return
	}
	_, done, err := p.engines[m.from].Test(m.ref)
	if !done {
		if err != nil {
			p.fail("test of message %d: %v", m.number, err)
		}
		return
	}
	m.done = true
	for i := range m.buf { // it is the program's again
		m.buf[i] = 0xdd
	}
	if _, _, again := p.engines[m.from].Test(m.ref); !errors.Is(again, ErrStale) {
		p.fail("message %d can be waited for twice: %v", m.number, again)
	}
	ok := false
	switch {
	case err == nil:
		ok = m.eager || m.fate == matched
	case errors.Is(err, ErrCancelled):
		ok = m.asked && (m.fate == withdrawn || m.fate == underWay)
	case errors.Is(err, ErrFreed):
		ok = m.fate == refused && !m.eager
	case errors.Is(err, ErrNotReady):
		ok = m.fate == unready
	case errors.Is(err, ErrFailed):
		ok = p.lost[m.to]
	}
	if !ok && !p.lost[m.to] {
		p.fail("%v: completes with %v", m, err)
	}
}

func (p *program) testRecv(r *receiving) {
	if r.done || p.lost[r.rank] {
		return
	}
	st, done, err := p.engines[r.rank].Test(r.ref)
	if !done {
		if err != nil {
			p.fail("test of a receive at %d: %v", r.rank, err)
		}
		return
	}
	r.done = true
	switch {
	case errors.Is(err, ErrFailed):
		if len(p.lost) == 0 {
			p.fail("receive at %d fails and nobody was lost: %v", r.rank, err)
		}
		return
	case errors.Is(err, ErrCancelled):
		if !r.cancelled || !st.Cancelled {
			p.fail("receive at %d is cancelled, status %+v, the model says %v", r.rank, st, r.cancelled)
		}
		return
	case r.cancelled || r.got == nil:
		p.fail("receive at %d completes with %+v, %v; the model has it cancelled (%v) or unmatched", r.rank, st, err, r.cancelled)
		return
	}
	m := r.got
	n := min(len(m.want), r.room)
	if errors.Is(err, ErrTruncated) != (n < len(m.want)) || err != nil && !errors.Is(err, ErrTruncated) {
		p.fail("receive of message %d with %d bytes into %d: %v", m.number, len(m.want), r.room, err)
	}
	if st.Layout != m.number || st.Source != m.from || st.Tag != int64(m.tag) || st.Bytes != n {
		p.fail("%v: has status %+v, which is of: %v; lost %v", r, st, p.sends[max(st.Layout, 1)-1], p.lost)
	}
	if !bytes.Equal(r.buf[:n], m.want[:n]) {
		p.fail("message %d arrives damaged", m.number)
	}
	if !bytes.Equal(r.buf[n:], pattern(0, r.room+canaryBytes)[n:]) {
		p.fail("message %d of %d bytes wrote beyond its end", m.number, n)
	}
}

// finish receives what is left, ends what cannot match, leaves and looks for
// remains.
func (p *program) finish() error {
	p.calm = true
	for range 4 { // withdrawals and frees lead to each other
		p.settle()
		p.dropFreed()
		for key, s := range p.spaces {
			for len(s.messages) > 0 && !p.lost[key.rank] && !p.contexts[key.ctx][key.rank].freeing.Load() {
				m := s.messages[0]
				if p.recv(key.rank, key.ctx, key.space, m.from, m.tag, 500) == nil {
					break
				}
			}
		}
		for _, r := range p.recvs {
			p.cancel(r)
		}
		p.settle()
		p.dropFreed()
		p.collect(-1)
	}
	if p.err != nil {
		return p.err
	}
	for _, m := range p.sends {
		if !m.done && !p.lost[m.from] {
			return fmt.Errorf("stuck in phase %d: %v", m.ref.op.phase, m)
		}
	}
	for _, r := range p.recvs {
		if !r.done && !p.lost[r.rank] {
			return fmt.Errorf("stuck in phase %d: %v", r.ref.op.phase, r)
		}
	}
	return p.leave()
}

func (p *program) leave() error {
	p.calm = false
	left := 0
	done := make(chan error, len(p.engines))
	for i, e := range p.engines {
		if !p.lost[i] {
			left++
			go func() { done <- e.Drain(context.Background()) }()
			synctest.Wait() // simNet takes one caller at a time
		}
	}
	for {
		synctest.Wait()
		if !p.settleOnce() {
			break
		}
	}
	for range left {
		select {
		case err := <-done:
			if err != nil {
				return fmt.Errorf("drain: %v", err)
			}
		default:
			return errors.New("a rank cannot leave")
		}
	}
	if len(p.lost) > 0 {
		return nil
	}
	return p.checkAtRest()
}

// settleOnce is settle, and reports whether there was anything.
func (p *program) settleOnce() bool {
	any := p.step()
	p.settle()
	return any
}
