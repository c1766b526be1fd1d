// Package transporttest is the suite that every transport passes: Run holds it
// to the contract in package transport, Bench measures it.
package transporttest

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/muster-mpi/muster/internal/transport"
	"github.com/muster-mpi/muster/internal/wire"
)

// Opener returns len(hs) Conns of one process that are linked with each other;
// the calls for Conn i go to hs[i]. It may connect them as lazily as it likes.
// A Conn that is a transport.Poller is polled without a pause; with a Driver
// around it nobody polls until it asks for that. What the Opener needs to end
// after the Conns were closed it gives to tb.Cleanup.
type Opener func(tb testing.TB, hs []transport.Handler) []transport.Conn

// Run holds the transport that open makes to the contract. It asks for 1 to 5
// ranks at a time. With -short it stays below 4 MiB a message.
func Run(t *testing.T, open Opener) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Opener)
	}{
		{"FramesArriveOnceInOrderUnchanged", inOrder},
		{"AnySizeArrives", anySize},
		{"EmptyPayloadsArrive", empty},
		{"StridedPayloadsArrivePacked", stridedPayloads},
		{"FullEndsWithWritable", flood},
		{"FullLoadBothWaysDoesNotDeadlock", echo},
		{"CloseFlushesWhatWasTaken", closeFlushes},
		{"NoCallAfterClose", closeUnderLoad},
		{"UnusedLinksCloseToo", unused},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := transportGoroutines()
			c.test(t, open)
			leaked(t, before)
		})
	}
}

// world opens n ranks. gen says which frame comes as the index-th from one rank
// to another.
func world(tb testing.TB, n int, open Opener, gen func(from, to int, index uint64) *frame) []*node {
	nodes, hs := make([]*node, n), make([]transport.Handler, n)
	for i := range nodes {
		nodes[i] = newNode(tb, i, n)
		hs[i] = nodes[i]
		if gen != nil {
			nodes[i].expect = func(peer int, index uint64, h *wire.Header) *frame {
				return at(gen(peer, i, index), peer, i, index)
			}
		}
	}
	for i, c := range open(tb, hs) {
		nodes[i].start(c)
	}
	return nodes
}

func at(f *frame, from, to int, index uint64) *frame {
	if f != nil {
		f.from, f.to, f.index = from, to, index
	}
	return f
}

func closeAll(nodes []*node) {
	var wg sync.WaitGroup
	for _, n := range nodes {
		wg.Go(n.close)
	}
	wg.Wait()
}

// random returns the frame that the suite sends as the index-th: mostly small
// ones of all kinds, some long, some strided.
func random(from, to int, index uint64) *frame {
	rnd := rand.New(rand.NewPCG(uint64(from)<<8|uint64(to), index))
	kinds := []wire.Kind{wire.Eager, wire.Bulk, wire.Offer, wire.Credit, wire.FirstUser + 3}
	f := &frame{kind: kinds[rnd.IntN(len(kinds))]}
	switch p := rnd.IntN(100); {
	case p < 60:
		f.size = rnd.IntN(65)
	case p < 85:
		f.size = rnd.IntN(4 << 10)
	case p < 96:
		f.size = rnd.IntN(64 << 10)
	default:
		f.size = rnd.IntN(600 << 10)
	}
	if rnd.IntN(4) == 0 {
		f.stride = 1 + f.size/(1+rnd.IntN(20))
	}
	return f
}

func inOrder(t *testing.T, open Opener) {
	const n = 4
	count := uint64(300)
	if Short() {
		count = 60
	}
	nodes := world(t, n, open, random)
	var wg sync.WaitGroup
	for _, nd := range nodes {
		for peer := range nodes {
			if peer == nd.self {
				continue
			}
			wg.Go(func() {
				for range count {
					nd.postNext(peer, random)
					nd.drain(peer)
				}
			})
		}
	}
	wg.Wait()
	for _, nd := range nodes {
		for peer := range nodes {
			if peer != nd.self {
				nd.flushed(peer)
				nd.has(peer, count)
			}
		}
	}
	closeAll(nodes)
	for _, nd := range nodes {
		for peer := range nodes {
			if p := &nd.peers[peer]; peer != nd.self && p.received != count {
				t.Errorf("rank %d received %d frames from %d, want %d", nd.self, p.received, peer, count)
			}
		}
	}
}

// list sends the frames of a list from rank 0 to 1 and awaits them there.
func list(t *testing.T, open Opener, frames []frame) {
	nodes := world(t, 2, open, func(_, _ int, index uint64) *frame {
		if index < uint64(len(frames)) {
			f := frames[index]
			return &f
		}
		return nil
	})
	for i := range frames {
		f := frames[i]
		f.from, f.to = 0, 1
		nodes[0].post(&f)
	}
	nodes[0].drain(1)
	nodes[0].flushed(1)
	nodes[1].has(0, uint64(len(frames)))
	closeAll(nodes)
}

func anySize(t *testing.T, open Opener) {
	sizes := []int{1, 2, 7, 8, 9, 47, 48, 49, 1023, 1024, 4096, 16<<10 - 1, 16 << 10, 16<<10 + 1,
		64<<10 - 1, 64 << 10, 64<<10 + 1, 256<<10 - 57, 256 << 10, 256<<10 + 1, 1<<20 - 1, 1<<20 + 1, 3<<20 + 17}
	if !Short() {
		sizes = append(sizes, 16<<20+5, 64<<20)
	}
	var frames []frame
	for _, size := range sizes {
		frames = append(frames, frame{kind: wire.Eager, size: size}, frame{kind: wire.Bulk, size: size}, frame{kind: wire.Ack})
	}
	list(t, open, frames)
}

func empty(t *testing.T, open Opener) {
	var frames []frame
	for k := wire.Eager; k <= wire.Bye; k++ {
		frames = append(frames, frame{kind: k}, frame{kind: wire.FirstUser + k})
	}
	list(t, open, frames)
}

func stridedPayloads(t *testing.T, open Opener) {
	var frames []frame
	for _, size := range []int{1, 40, 1000, 30000, 100_001, 700_000} {
		for _, run := range []int{1, 8, 24, 1000, 70_000} {
			frames = append(frames, frame{kind: wire.Bulk, size: size, stride: run}, frame{kind: wire.Eager, size: size, stride: run})
		}
	}
	list(t, open, frames)
}

// flood sends faster than any link is, so that it has to refuse now and then.
func flood(t *testing.T, open Opener) {
	count := 20_000
	if Short() {
		count = 4_000
	}
	frames := make([]frame, count)
	for i := range frames {
		frames[i] = frame{kind: wire.Eager, size: 1000 + i%100}
	}
	list(t, open, frames)
}

// echo has every rank flood every other with requests, each of which is
// answered from the outbox, as long as all of it fits the links or not.
func echo(t *testing.T, open Opener) {
	const n = 3
	count := 3000
	if Short() {
		count = 500
	}
	gen := func(from, to int, index uint64) *frame {
		f := random(from, to, index)
		f.stride, f.size = 0, f.size%5000
		return f
	}
	nodes := world(t, n, open, nil)
	var answers [n][n]atomic.Int64
	for _, nd := range nodes {
		// A request is an Offer, its answer a Grant; both ends know the rest.
		nd.expect = func(peer int, index uint64, h *wire.Header) *frame {
			f := gen(peer, nd.self, index)
			if f.kind = h.Kind; f.kind != wire.Offer && f.kind != wire.Grant {
				return nil
			}
			if f.kind == wire.Grant {
				answers[nd.self][peer].Add(1)
			}
			return at(f, peer, nd.self, index)
		}
		nd.arrived = func(f *frame) {
			if f.kind == wire.Offer {
				nd.postKind(f.from, wire.Grant, gen)
			}
		}
	}
	var wg sync.WaitGroup
	for _, nd := range nodes {
		for peer := range nodes {
			if peer != nd.self {
				wg.Go(func() {
					for range count {
						nd.postKind(peer, wire.Offer, gen)
						nd.drain(peer)
					}
				})
			}
		}
	}
	wg.Wait()
	for _, nd := range nodes {
		for peer := range nodes {
			if peer != nd.self {
				nd.has(peer, uint64(2*count))
				nd.flushed(peer)
				if got := answers[nd.self][peer].Load(); got != int64(count) {
					t.Errorf("rank %d got %d answers from %d, want %d", nd.self, got, peer, count)
				}
			}
		}
	}
	closeAll(nodes)
}

// closeFlushes closes the moment the last frame was accepted.
func closeFlushes(t *testing.T, open Opener) {
	const count = 200
	nodes := world(t, 2, open, random)
	for range count {
		nodes[0].postNext(1, random)
	}
	nodes[0].drain(1)
	nodes[0].await(1, "its frames to be taken", func(p *peerState) bool { return len(p.outbox) == 0 || p.refused != nil })
	nodes[0].close()
	nodes[1].has(0, count)
	nodes[1].close()
}

// closeUnderLoad closes one rank while the others send to it with all they
// have. What becomes of their frames is their affair, but nobody may hang, and
// the closed rank is not called any more.
func closeUnderLoad(t *testing.T, open Opener) {
	const n = 5
	nodes := world(t, n, open, random)
	stop, always := make(chan struct{}), make(chan struct{})
	close(always)
	var wg sync.WaitGroup
	for _, nd := range nodes[1:] {
		wg.Go(func() {
			for {
				p := &nd.peers[0]
				p.mu.Lock()
				over, ahead, changed := p.lost || p.refused != nil, len(p.outbox), p.changed
				p.mu.Unlock()
				if over {
					return
				}
				if ahead < 10 {
					nd.postNext(0, random)
					nd.drain(0)
					changed = always
				}
				select {
				case <-stop:
					return
				case <-changed:
				}
			}
		})
	}
	for peer := 1; peer < n; peer++ {
		nodes[0].has(peer, 20)
	}
	nodes[0].close()
	close(stop)
	wg.Wait()
	var late sync.WaitGroup
	for _, nd := range nodes[1:] {
		late.Go(func() {
			nd.hangUp() // what it had for rank 0 may be lost
		})
	}
	late.Wait()
}

func unused(t *testing.T, open Opener) {
	closeAll(world(t, 3, open, nil))
	nodes := world(t, 3, open, random)
	nodes[2].postNext(1, random)
	nodes[2].drain(1)
	nodes[1].has(2, 1)
	closeAll(nodes)
}

// postNext posts the frame that gen says is the next for peer.
func (n *node) postNext(peer int, gen func(from, to int, index uint64) *frame) {
	n.postKind(peer, wire.Invalid, gen)
}

func (n *node) postKind(peer int, kind wire.Kind, gen func(from, to int, index uint64) *frame) {
	p := &n.peers[peer]
	p.mu.Lock()
	defer p.mu.Unlock()
	index := p.sent + uint64(len(p.outbox))
	f := at(gen(n.self, peer, index), n.self, peer, index)
	if kind != wire.Invalid {
		f.kind = kind
	}
	p.outbox = append(p.outbox, f)
}
