package schedule

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// Link is what messages between two ranks cost, in the terms of LogGP.
type Link struct {
	Latency  time.Duration // L: from when a message begins to go out until it begins to come in
	Overhead time.Duration // o: of the processor, for each message sent and received
	Gap      time.Duration // g: from the beginning of a message to that of the next, out of or into a rank
	PerByte  float64       // G: nanoseconds for each byte, out of and into a rank
}

// Params is what steps cost.
type Params struct {
	Local, Remote Link    // between ranks of one host, and of different ones
	Reduce        float64 // γ: nanoseconds for each byte of a Combine's result
	Copy          float64 // nanoseconds for each byte of a Move
}

// Estimate is what a call costs.
type Estimate struct {
	Time     time.Duration // until the last rank has finished
	Steps    int           // messages in the longest chain of messages that need each other
	Sent     int64         // bytes that the rank that sends most sends
	Messages int           // messages that the rank that sends most of them sends
}

// ErrStuck is in the chain of errors by Cost for schedules that wait for ever.
var ErrStuck = errors.New("schedule: cost of schedules that wait for messages nobody sends")

// Cost returns what a call costs under p with elements of elemBytes bytes, by a walk
// through the schedules of all ranks as the executor takes them: in order, waiting
// where After says so and at the end, with all ranks starting at once.
//
// A message occupies the sender's processor for o and then its way out for the
// larger of g and n·G; L later it begins to come in, which takes as long, after what
// the receiver has waited for before has come in; then it costs the receiver o. Ways
// out and in are one for local and one for remote messages of each rank. A send's
// buffer is free when its message is out: that a large one also waits for its
// receive to start is left out, as is that ranks of a host share its network.
//
// turns says that the schedule of rank r is that of rank 0 with r added to every
// rank, modulo the size, if all pieces are of one length. Then only rank 0's is
// built and walked; a distance counts as remote if any two ranks that far apart are
// on different hosts, blocks as being as long as the longest that rank 0 knows, and
// a vector as of the next length that can be divided among the ranks.
//
// Cost: a few hundred nanoseconds a step beyond building; in memory, some 30 bytes
// for each step that was not taken, after a rank has begun.
func Cost(call func(rank int) Call, build func(*Schedule, *Call), turns bool, p *Params, elemBytes int) (Estimate, error) {
	c := call(0)
	if turns {
		c.even()
		call = func(int) Call { return c }
	}
	ranks := c.Size
	w := &walk{
		params: p, bytes: elemBytes, size: c.Size, hosts: c.Hosts, turns: turns,
		sent:    make(map[route]envelope),
		blocked: make(map[route]int32),
		far:     make(map[int]bool),
	}
	if turns {
		ranks = 1
		w.oneHost = !slices.ContainsFunc(c.Hosts, func(h int) bool { return h != c.Hosts[0] })
	}
	w.ranks = make([]walker, ranks)
	scratch := New(c)
	for r := range w.ranks {
		c := call(r)
		scratch.Reset(c)
		build(scratch, &c)
		w.ranks[r] = compact(scratch)
		w.run(int32(r))
	}
	return w.estimate()
}

// estimate sums up a walk that has come as far as it can.
func (w *walk) estimate() (Estimate, error) {
	var e Estimate
	latest := 0.0
	for r := range w.ranks {
		k := &w.ranks[r]
		if k.next < len(k.steps) || k.finishing < len(k.steps) {
			return Estimate{}, fmt.Errorf("%w: rank %d of %d", ErrStuck, r, w.size)
		}
		latest = max(latest, k.now)
		e.Steps = max(e.Steps, int(k.depth))
		e.Sent = max(e.Sent, k.sent*int64(w.bytes))
		e.Messages = max(e.Messages, int(k.messages))
	}
	e.Time = time.Duration(math.Round(latest))
	return e, nil
}

// even makes all pieces of c one length, where none is shorter than it was.
func (c *Call) even() {
	switch c.Op {
	case Bcast, Reduce, AllReduce, Scan, ExScan:
		c.Count = (c.Count + c.Size - 1) / c.Size * c.Size
	}
	for _, b := range []*Blocks{&c.Of, &c.From, &c.To} {
		if len(b.Counts) > 0 {
			c.Count = max(c.Count, slices.Max(b.Counts))
		}
		*b = Blocks{}
	}
}

// route is the way and the number of a message.
type route struct{ from, to, number int32 }

// envelope is a message on its way.
type envelope struct {
	in    float64 // when it begins to come in
	depth int32
}

// walk is one Cost.
type walk struct {
	params  *Params
	bytes   int
	size    int
	hosts   []int
	turns   bool
	oneHost bool
	ranks   []walker
	sent    map[route]envelope
	blocked map[route]int32 // who waits for a message
	ready   []int32
	far     map[int]bool // with turns, whether a distance is remote
}

// walker is where one rank is. Times are in nanoseconds.
type walker struct {
	steps     []costStep
	after     []int32
	next      int // the first step that was not taken
	finishing int // when all are taken, the first that may not be complete

	now      float64
	out, in  [2]float64 // when the way out or in is free: local, remote
	depth    int32
	messages int32
	sent     int64 // elements
}

// costStep is a Step without what does not matter here.
type costStep struct {
	kind     Kind
	done     bool // of a receive: it was waited for
	peer     int32
	number   int32
	afterEnd int32 // where its After ends in walker.after, and that of the next begins
	n        int
	ends     float64 // of a send: when its buffer is free
}

// compact returns what Cost needs of s, which shares no memory with s.
func compact(s *Schedule) walker {
	k := walker{steps: make([]costStep, len(s.Steps)), after: make([]int32, 0, len(s.after))}
	for i := range s.Steps {
		t := &s.Steps[i]
		for _, j := range t.After {
			// What a single thread does itself is complete when it goes on.
			if kind := s.Steps[j].Kind; kind == SendTo || kind == RecvFrom {
				k.after = append(k.after, int32(j))
			}
		}
		n := t.Dst.Len
		if t.Kind == SendTo {
			n = t.A.Len
		}
		k.steps[i] = costStep{kind: t.Kind, peer: int32(t.Peer), number: int32(t.Number), n: n, afterEnd: int32(len(k.after))}
	}
	return k
}

// run takes the steps of rank r, and then of those that this lets go on, as far as
// they go.
func (w *walk) run(r int32) {
	w.ready = append(w.ready, r)
	for len(w.ready) > 0 {
		r := w.ready[len(w.ready)-1]
		w.ready = w.ready[:len(w.ready)-1]
		w.advance(r)
	}
}

// advance takes rank r's steps until one waits for a message that was not sent.
func (w *walk) advance(r int32) {
	k := &w.ranks[r]
	for ; k.next < len(k.steps); k.next++ {
		from := int32(0)
		if k.next > 0 {
			from = k.steps[k.next-1].afterEnd
		}
		t := &k.steps[k.next]
		for _, j := range k.after[from:t.afterEnd] {
			if !w.await(r, k, &k.steps[j]) {
				return
			}
		}
		n := float64(t.n) * float64(w.bytes)
		switch t.kind {
		case SendTo:
			w.send(r, k, t, n)
		case Combine:
			k.now += n * w.params.Reduce
		case Move:
			k.now += n * w.params.Copy
		}
	}
	for ; k.finishing < len(k.steps); k.finishing++ {
		if !w.await(r, k, &k.steps[k.finishing]) {
			return
		}
	}
	if !w.turns && len(k.steps) > 0 {
		k.steps, k.after, k.next, k.finishing = nil, nil, 0, 0 // nobody looks at them again
	}
}

// link returns what messages from rank a to b cost, and 0 for local, 1 for remote.
func (w *walk) link(a, b int32) (*Link, int) {
	remote := w.hosts != nil && w.hosts[a] != w.hosts[b]
	if w.turns && w.hosts != nil {
		remote = !w.oneHost && w.distant((int(b)-int(a)+w.size)%w.size)
	}
	if remote {
		return &w.params.Remote, 1
	}
	return &w.params.Local, 0
}

// distant reports whether any two ranks d apart are on different hosts.
func (w *walk) distant(d int) bool {
	far, known := w.far[d]
	if !known {
		for r := 0; r < w.size && !far; r++ {
			far = w.hosts[r] != w.hosts[(r+d)%w.size]
		}
		w.far[d] = far
	}
	return far
}

// send takes a send of n bytes.
func (w *walk) send(r int32, k *walker, t *costStep, n float64) {
	l, way := w.link(r, t.peer)
	k.now += float64(l.Overhead)
	begin := max(k.now, k.out[way])
	t.ends = begin + n*l.PerByte
	k.out[way] = max(begin+float64(l.Gap), t.ends)
	k.messages++
	k.sent += int64(t.n)
	to := route{r, t.peer, t.number}
	if w.turns { // as all ranks send what rank 0 does, this also comes to rank 0
		to = route{(int32(w.size) - t.peer) % int32(w.size), 0, t.number}
	}
	w.sent[to] = envelope{begin + float64(l.Latency), k.depth + 1}
	if waiting, ok := w.blocked[to]; ok {
		delete(w.blocked, to)
		w.ready = append(w.ready, waiting)
	}
}

// await has rank r wait for t, and returns false if t is a receive of what was not
// sent yet.
func (w *walk) await(r int32, k *walker, t *costStep) bool {
	switch {
	case t.kind == SendTo:
		k.now = max(k.now, t.ends)
		return true
	case t.kind != RecvFrom || t.done:
		return true
	}
	from := route{t.peer, r, t.number}
	e, ok := w.sent[from]
	if !ok {
		w.blocked[from] = r
		return false
	}
	delete(w.sent, from)
	t.done = true
	l, way := w.link(t.peer, r)
	n := float64(t.n) * float64(w.bytes)
	begin := max(e.in, k.in[way])
	ends := begin + n*l.PerByte
	k.in[way] = max(begin+float64(l.Gap), ends)
	k.now = max(k.now, ends) + float64(l.Overhead)
	k.depth = max(k.depth, e.depth)
	return true
}
