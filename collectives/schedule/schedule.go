// Package schedule describes what one rank does in a collective operation: steps
// over spans of its buffers. A description is made by a pure function of the call
// (package algo has them) and can be run, printed (Schedule.String), drawn (Draw),
// checked (Check) and costed (Cost); it knows nothing of types, pointers or networks.
//
// Steps are written down in the order in which a single thread would take them.
// What may happen at the same time follows from the spans: a step waits for the
// earlier ones that write what it reads or touch what it writes, and for nothing
// else. So pipelining needs no rounds and no edges written by hand.
//
// The k-th message from rank a to rank b carries k, and is received by b's k-th
// receive from a, whichever is sent first.
package schedule

// Buffer is one of the pieces of memory that a rank's spans lie in.
type Buffer uint8

const (
	In      Buffer = iota // what the caller gives; only read
	Out                   // what the caller gets; in place, also what it gives
	Temp                  // scratch memory, Schedule.Temp elements
	Buffers               // how many there are
)

var bufferNames = [Buffers]string{"in", "out", "temp"}

// String returns the name of b.
func (b Buffer) String() string { return bufferNames[b] }

// Span is a run of elements.
type Span struct {
	Buf      Buffer
	Off, Len int
}

// Part returns the n elements of s from off on.
func (s Span) Part(off, n int) Span {
	if off < 0 || n < 0 || off+n > s.Len {
		panic("schedule: part of a span beyond its end")
	}
	return Span{s.Buf, s.Off + off, n}
}

// Overlaps reports whether s and t share elements.
func (s Span) Overlaps(t Span) bool {
	return s.Buf == t.Buf && s.Len > 0 && t.Len > 0 && s.Off < t.Off+t.Len && t.Off < s.Off+s.Len
}

// Kind is what a step does.
type Kind uint8

const (
	SendTo   Kind = iota // A goes to Peer
	RecvFrom             // Dst comes from Peer
	Combine              // Dst = A ⊕ B, A from lower ranks than B
	Move                 // Dst = A
)

// Step is one thing that a rank does.
type Step struct {
	Kind   Kind
	Peer   int   // SendTo, RecvFrom
	Number int   // SendTo, RecvFrom: which message to or from Peer, from 0
	Dst    Span  // written: RecvFrom, Combine, Move
	A, B   Span  // read: SendTo and Move A, Combine both
	After  []int // earlier steps that this one waits for, ascending
}

// Schedule is what one rank does. The zero Schedule is that of a rank that does
// nothing; a builder adds steps with Send, Recv, Reduce and Copy, which leave out
// those of no elements, and panics if a span is not what the step needs: the
// builder is wrong then, whatever the data.
type Schedule struct {
	Call  Call
	Temp  int // elements of scratch memory
	Steps []Step

	peers   []int       // what the builder calls rank i is rank peers[i]; nil: i
	sent    map[int]int // messages to each peer so far
	taken   map[int]int // messages from each peer so far
	touched touched     // who wrote and read what
	after   []int       // where the Afters of Steps lie
	asked   int         // see Asked
	most    int         // see Bound; 0: none
}

// New returns an empty schedule for c.
func New(c Call) *Schedule {
	return &Schedule{Call: c, sent: make(map[int]int), taken: make(map[int]int)}
}

// Reset makes s an empty schedule for c that uses s's memory.
func (s *Schedule) Reset(c Call) {
	s.Call, s.Temp, s.Steps, s.peers, s.after, s.asked = c, 0, s.Steps[:0], nil, s.after[:0], 0
	clear(s.sent)
	clear(s.taken)
	s.touched.reset()
}

// Asked returns how many steps the builder asked for, with those of no elements: what
// building takes grows with it.
func (s *Schedule) Asked() int { return s.asked }

// Bound has s leave out the steps after the first most that are asked for, in this
// schedule and after Reset: to find out cheaply whether there are more.
func (s *Schedule) Bound(most int) { s.most = most }

// Scratch returns n elements of scratch memory that no other call has returned.
func (s *Schedule) Scratch(n int) Span {
	t := Span{Temp, s.Temp, n}
	s.Temp += n
	return t
}

// Among runs build with the ranks of a group called 0, 1, …: what Send and Recv
// call rank i is ranks[i] in s. Groups nest.
func (s *Schedule) Among(ranks []int, build func()) {
	outer := s.peers
	inner := make([]int, len(ranks))
	for i, r := range ranks {
		inner[i] = s.name(r)
	}
	s.peers = inner
	build()
	s.peers = outer
}

// name returns the rank of the whole that the builder calls r.
func (s *Schedule) name(r int) int {
	if s.peers == nil {
		return r
	}
	return s.peers[r]
}

// Send sends a to peer.
func (s *Schedule) Send(peer int, a Span) {
	s.asked++
	if a.Len == 0 {
		return
	}
	peer = s.name(peer)
	s.add(Step{Kind: SendTo, Peer: peer, Number: s.sent[peer], A: a})
	s.sent[peer]++
}

// Recv receives dst from peer.
func (s *Schedule) Recv(peer int, dst Span) {
	s.asked++
	if dst.Len == 0 {
		return
	}
	peer = s.name(peer)
	s.add(Step{Kind: RecvFrom, Peer: peer, Number: s.taken[peer], Dst: dst})
	s.taken[peer]++
}

// Reduce combines a, which comes from lower ranks, and b into dst, which may be
// either of them but overlap them in no other way.
func (s *Schedule) Reduce(dst, a, b Span) {
	s.asked++
	if dst.Len != a.Len || dst.Len != b.Len {
		panic("schedule: a reduction of spans of different lengths")
	}
	if dst != a && dst.Overlaps(a) || dst != b && dst.Overlaps(b) {
		panic("schedule: a reduction whose result overlaps an operand in part")
	}
	if dst.Len > 0 {
		s.add(Step{Kind: Combine, Dst: dst, A: a, B: b})
	}
}

// Copy copies a to dst; nothing is done if they are the same.
func (s *Schedule) Copy(dst, a Span) {
	s.asked++
	switch {
	case dst.Len != a.Len:
		panic("schedule: a copy between spans of different lengths")
	case dst == a || dst.Len == 0:
	case dst.Overlaps(a):
		panic("schedule: a copy onto a part of itself")
	default:
		s.add(Step{Kind: Move, Dst: dst, A: a})
	}
}

// Token returns one element of scratch memory for messages that hold nothing but
// their coming: a chain of Recv and Send of a token is ordered as data is.
func (s *Schedule) Token() Span { return s.Scratch(1) }

// add appends a step and finds what it waits for.
func (s *Schedule) add(t Step) {
	if s.most > 0 && s.asked > s.most {
		return
	}
	i := len(s.Steps)
	switch t.Kind {
	case SendTo, Move:
		s.touched.read(i, t.A)
	case Combine:
		s.touched.read(i, t.A)
		s.touched.read(i, t.B)
	}
	if t.Kind != SendTo {
		if t.Dst.Buf == In && t.Dst.Len > 0 {
			panic("schedule: a step writes to the caller's input")
		}
		s.touched.write(i, t.Dst)
	}
	from := len(s.after)
	s.after = s.touched.waits(i, s.after)
	t.After = s.after[from:len(s.after):len(s.after)]
	s.Steps = append(s.Steps, t)
}
