package transporttest

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/transport"
	"github.com/muster-mpi/muster/internal/wire"
)

// node is one rank of the suite: the Handler, and an outbox for each peer that
// is drained the way an engine does it, by whoever has something to send and by
// Idle. It holds the transport to the contract and keeps the first breach.
type node struct {
	tb   testing.TB
	self int
	conn transport.Conn

	// expect returns the frame that must come next from peer; nil accepts none.
	expect func(peer int, index uint64, h *wire.Header) *frame
	// arrived is called with no lock held once a frame is complete, inside
	// Deliver.
	arrived func(f *frame)

	closed atomic.Bool   // Close has returned
	stop   chan struct{} // closed: poll is to end
	polls  sync.WaitGroup
	peers  []peerState
}

type peerState struct {
	inCall atomic.Int32 // Handler calls under way for this peer

	mu       sync.Mutex
	outbox   []*frame
	sending  bool
	blocked  bool // Full, and no Writable since
	refused  error
	token    uint64
	held     map[uint64][]byte // payloads by token
	early    map[uint64]bool   // Sent before Send returned
	fulls    int
	writable int
	sent     uint64 // frames taken or held
	received uint64 // frames complete
	piece    int    // bytes of the unfinished Bulk frame
	current  *frame
	lost     bool
	cause    error
	changed  chan struct{} // closed and replaced at every change
}

func newNode(tb testing.TB, self, n int) *node {
	nd := &node{tb: tb, self: self, peers: make([]peerState, n), stop: make(chan struct{})}
	for i := range nd.peers {
		p := &nd.peers[i]
		p.held, p.early = map[uint64][]byte{}, map[uint64]bool{}
		p.changed = make(chan struct{})
	}
	return nd
}

func (n *node) breach(peer int, format string, args ...any) {
	n.tb.Errorf("rank %d, peer %d: %s", n.self, peer, fmt.Sprintf(format, args...))
}

// enter checks what holds for every Handler call.
func (n *node) enter(peer int, call string) *peerState {
	p := &n.peers[peer]
	if p.inCall.Add(1) != 1 {
		n.breach(peer, "%s while another call for this peer is under way", call)
	}
	if n.closed.Load() {
		n.breach(peer, "%s after Close returned", call)
	}
	p.mu.Lock()
	if p.lost {
		n.breach(peer, "%s after Lost", call)
	}
	return p
}

func (p *peerState) leave() {
	close(p.changed)
	p.changed = make(chan struct{})
	p.mu.Unlock()
	p.inCall.Add(-1)
}

func (n *node) Deliver(peer int, h *wire.Header, payload layout.Buffer) {
	p := n.enter(peer, "Deliver")
	done, err := n.take(peer, p, h, payload)
	p.leave()
	if err != nil {
		n.breach(peer, "%v", err)
	}
	if done != nil && n.arrived != nil {
		n.arrived(done)
	}
}

// take checks what is delivered against the frame that is due. It returns that
// frame once it is complete.
func (n *node) take(peer int, p *peerState, h *wire.Header, payload layout.Buffer) (*frame, error) {
	f := p.current
	if f == nil {
		if n.expect == nil {
			return nil, nil
		}
		if f = n.expect(peer, p.received, h); f == nil {
			return nil, fmt.Errorf("unexpected frame %+v", *h)
		}
		p.current, p.piece = f, 0
	}
	want := f.header()
	if f.kind == wire.Bulk {
		want.Arg += uint64(p.piece)
		want.Bytes = uint64(payload.Len())
	} else if payload.Len() != f.size {
		return nil, fmt.Errorf("%v: %d bytes delivered, must come whole", f, payload.Len())
	}
	if *h != want {
		return nil, fmt.Errorf("%v at byte %d: header\n got %+v\nwant %+v", f, p.piece, *h, want)
	}
	if p.piece+payload.Len() > f.size {
		return nil, fmt.Errorf("%v: %d bytes delivered behind %d", f, payload.Len(), p.piece)
	}
	if err := f.check(payload, p.piece); err != nil {
		return nil, fmt.Errorf("%v: %w", f, err)
	}
	p.piece += payload.Len()
	if p.piece < f.size {
		return nil, nil
	}
	p.current = nil
	p.received++
	return f, nil
}

func (n *node) Sent(peer int, token uint64) {
	p := n.enter(peer, "Sent")
	defer p.leave()
	if mem, ok := p.held[token]; ok {
		delete(p.held, token)
		clear(mem)
		return
	}
	if token != p.token || p.early[token] {
		n.breach(peer, "Sent(%d), a token not held (last used %d)", token, p.token)
	}
	p.early[token] = true
}

func (n *node) Writable(peer int) {
	p := n.enter(peer, "Writable")
	p.writable++
	p.blocked = false
	p.leave()
}

func (n *node) Lost(peer int, cause error) {
	p := n.enter(peer, "Lost")
	if cause == nil {
		n.breach(peer, "Lost without a cause")
	}
	p.lost, p.cause = true, cause
	p.held = map[uint64][]byte{}
	p.leave()
}

func (n *node) Idle() {
	if n.closed.Load() {
		n.breach(n.self, "Idle after Close returned")
	}
	for peer := range n.peers {
		n.drain(peer)
	}
}

// post puts frames in the outbox and sends what it can.
func (n *node) post(f *frame) {
	p := &n.peers[f.to]
	p.mu.Lock()
	f.index = p.sent + uint64(len(p.outbox))
	p.outbox = append(p.outbox, f)
	p.mu.Unlock()
}

// drain sends from the outbox until the link is full. One goroutine at a time
// sends to a peer, the others leave their frames to it.
func (n *node) drain(peer int) {
	p := &n.peers[peer]
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sending {
		return
	}
	p.sending = true
	for len(p.outbox) > 0 && !p.blocked && !p.lost && p.refused == nil {
		n.sendLocked(p, p.outbox[0])
	}
	p.sending = false
}

func (n *node) sendLocked(p *peerState, f *frame) {
	h := f.header()
	if f.mem == nil {
		f.data, f.mem = f.payload()
	}
	payload, mem := f.data, f.mem
	p.token++
	token, writable := p.token, p.writable
	p.mu.Unlock()
	res, err := n.conn.Send(f.to, &h, payload, token)
	h = wire.Header{Kind: wire.Bye, Tag: -1} // reused at once
	p.mu.Lock()
	if err != nil {
		p.refused = err
		close(p.changed)
		p.changed = make(chan struct{})
		return
	}
	switch res {
	case transport.Full:
		p.fulls++
		p.blocked = p.writable == writable
		return
	case transport.Taken:
		if p.early[token] {
			n.breach(f.to, "Sent(%d) for a payload that was Taken", token)
		}
		clear(mem)
	case transport.Held:
		if f.kind != wire.Bulk {
			n.breach(f.to, "%v is Held, which only Bulk may be", f)
		}
		if p.early[token] {
			delete(p.early, token)
			clear(mem)
		} else if !p.lost {
			p.held[token] = mem
		}
	}
	// A lost frame may have been posted behind, so the queue is cut in place.
	p.outbox = p.outbox[1:]
	p.sent++
	close(p.changed)
	p.changed = make(chan struct{})
}

// patience is how long the suite waits for progress before it calls it a
// deadlock.
const patience = 60 * time.Second

var errPatience = errors.New("no progress")

// await waits until ok holds for the state of peer, or nothing has changed for
// as long as patience lasts.
func (n *node) await(peer int, what string, ok func(p *peerState) bool) {
	n.tb.Helper()
	if err := n.wait(peer, ok); err != nil {
		p := &n.peers[peer]
		p.mu.Lock()
		defer p.mu.Unlock()
		n.tb.Fatalf("rank %d waits for %s, peer %d: %v; sent %d, %d in outbox, blocked %t after %d Full and %d Writable, %d held, received %d and %d bytes, lost %t (%v), refused: %v",
			n.self, what, peer, err, p.sent, len(p.outbox), p.blocked, p.fulls, p.writable, len(p.held), p.received, p.piece, p.lost, p.cause, p.refused)
	}
}

func (n *node) wait(peer int, ok func(p *peerState) bool) error {
	p := &n.peers[peer]
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		p.mu.Lock()
		done, changed := ok(p), p.changed
		p.mu.Unlock()
		if done {
			return nil
		}
		if n.tb.Failed() {
			return errors.New("the test has failed already")
		}
		select {
		case <-changed:
			timer.Reset(patience)
		case <-timer.C:
			return errPatience
		}
	}
}

// flushed waits until everything posted for peer was accepted and released.
func (n *node) flushed(peer int) {
	n.tb.Helper()
	n.await(peer, "its frames to be taken and released", func(p *peerState) bool {
		return p.refused != nil || len(p.outbox) == 0 && len(p.held) == 0
	})
	if err := n.peers[peer].refused; err != nil {
		n.tb.Fatalf("rank %d: Send to %d: %v", n.self, peer, err)
	}
}

// has waits until count frames from peer are complete.
func (n *node) has(peer int, count uint64) {
	n.tb.Helper()
	n.await(peer, fmt.Sprint(count, " frames"), func(p *peerState) bool { return p.received >= count })
}

// start has the links driven, if they are of the kind that must be.
func (n *node) start(c transport.Conn) {
	n.conn = c
	if p, ok := c.(transport.Poller); ok {
		n.polls.Go(func() { n.poll(p) })
	}
}

// poll drives the links without a pause, as a rank that waits does.
func (n *node) poll(p transport.Poller) {
	for {
		select {
		case <-n.stop:
			return
		default:
		}
		if p.Poll(n) {
			n.Idle()
		} else {
			runtime.Gosched()
		}
	}
}

// close closes the Conn and from then on accepts no call.
func (n *node) close() {
	if err := n.hangUp(); err != nil {
		n.tb.Errorf("rank %d: Close: %v", n.self, err)
	}
}

func (n *node) hangUp() error {
	close(n.stop)
	n.polls.Wait()
	defer n.closed.Store(true)
	return n.conn.Close()
}
