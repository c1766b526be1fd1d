package algo_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/muster-mpi/muster/collectives/algo"
	"github.com/muster-mpi/muster/collectives/schedule"
)

// An element is what the schedules move here: sum says which elements of which
// ranks were added, text in which order and with which brackets.
type element struct {
	sum  uint64
	text string
}

var untouched = element{0xdead, "?"}

// given is element i of what rank brings.
func given(rank, i int) element {
	return element{scramble(uint64(rank)<<32 | uint64(i)), letter(rank)}
}

// scramble is the mixing step of SplitMix64: sums of its values do not agree by chance.
func scramble(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

var letters = func() (list [128]string) {
	for i := range list {
		list[i] = string(rune(0x4e00 + i))
	}
	return list
}()

func letter(rank int) string { return letters[rank] }

func combine(a, b element, texts bool) element {
	if !texts {
		return element{sum: a.sum + b.sum}
	}
	return element{a.sum + b.sum, "(" + a.text + b.text + ")"}
}

// canonical is the text of ranks lo to hi−1 in the canonical brackets of a vector,
// by the words of algo.Canonical.
func canonical(lo, hi int) string {
	var left []string
	for r := lo; r < hi; r++ {
		left = append(left, letter(r))
	}
	m := 1
	for 2*m <= len(left) {
		m *= 2
	}
	for i := range len(left) - m {
		left = slices.Replace(left, i, i+2, "("+left[i]+left[i+1]+")")
	}
	for len(left) > 1 {
		for i := range len(left) / 2 {
			left = slices.Replace(left, i, i+2, "("+left[i]+left[i+1]+")")
		}
	}
	return left[0]
}

// canonicalPrefix is the text of ranks 0 to n−1 in the canonical brackets of a scan.
func canonicalPrefix(n int) string {
	text := ""
	for end := n; end > 0; {
		block := end & -end
		if b := canonical(end-block, end); text == "" {
			text = b
		} else {
			text = "(" + b + text + ")"
		}
		end -= block
	}
	return text
}

// A world has the schedules of all ranks and what their buffers hold.
type world struct {
	schedules []*schedule.Schedule
	memory    [][schedule.Buffers][]element
	texts     bool
	rng       *rand.Rand
}

func (w *world) at(rank int, s schedule.Span) []element {
	return w.memory[rank][s.Buf][s.Off : s.Off+s.Len]
}

// local carries out a step that is no message.
func (w *world) local(rank int, t *schedule.Step) {
	dst, a := w.at(rank, t.Dst), w.at(rank, t.A)
	if t.Kind == schedule.Move {
		copy(dst, a)
		return
	}
	b := w.at(rank, t.B)
	for i := range dst {
		dst[i] = combine(a[i], b[i], w.texts)
	}
}

type message struct{ from, to, number int }

func messageOf(rank int, t *schedule.Step) message {
	if t.Kind == schedule.SendTo {
		return message{rank, t.Peer, t.Number}
	}
	return message{t.Peer, rank, t.Number}
}

// inOrder takes each rank's steps as written; a send never waits.
func (w *world) inOrder() error {
	next := make([]int, len(w.schedules))
	mail := make(map[message][]element)
	for moved := true; moved; {
		moved = false
		for r, s := range w.schedules {
			for ; next[r] < len(s.Steps); next[r]++ {
				t := &s.Steps[next[r]]
				switch m := messageOf(r, t); t.Kind {
				case schedule.SendTo:
					mail[m] = slices.Clone(w.at(r, t.A))
				case schedule.RecvFrom:
					data, ok := mail[m]
					if !ok {
						goto wait
					}
					if len(data) != t.Dst.Len {
						return fmt.Errorf("rank %d step %d: %d elements came for %v", r, next[r], len(data), *t)
					}
					copy(w.at(r, t.Dst), data)
					delete(mail, m)
				default:
					w.local(r, t)
				}
				moved = true
			}
		wait:
		}
	}
	for r, s := range w.schedules {
		if next[r] < len(s.Steps) {
			return fmt.Errorf("rank %d waits for ever in step %d: %v", r, next[r], s.Steps[next[r]])
		}
	}
	for m := range mail {
		return fmt.Errorf("nobody received %+v", m)
	}
	return nil
}

type place struct{ rank, step int }

// shuffled takes steps in any order that they allow; a send waits until it is
// received. It returns which ranks' coming each rank has heard of at the end.
func (w *world) shuffled() (heard [][]bool, err error) {
	waits := make([][]int, len(w.schedules))
	next := make([][][]int, len(w.schedules))
	knows := make(map[place][]bool)
	var ready []place
	for r, s := range w.schedules {
		waits[r], next[r] = make([]int, len(s.Steps)), make([][]int, len(s.Steps))
		for i, t := range s.Steps {
			if waits[r][i] = len(t.After); len(t.After) == 0 {
				ready = append(ready, place{r, i})
			}
			for _, j := range t.After {
				next[r][j] = append(next[r][j], i)
			}
		}
	}
	barrier := w.schedules[0].Call.Op == schedule.Barrier
	know := func(p, also place) {
		if !barrier {
			return
		}
		set := make([]bool, len(w.schedules))
		set[p.rank] = true
		for _, j := range w.schedules[p.rank].Steps[p.step].After {
			for r, k := range knows[place{p.rank, j}] {
				set[r] = set[r] || k
			}
		}
		for r, k := range knows[also] {
			set[r] = set[r] || k
		}
		knows[p] = set
	}
	done := 0
	finish := func(p place) {
		done++
		for _, i := range next[p.rank][p.step] {
			if waits[p.rank][i]--; waits[p.rank][i] == 0 {
				ready = append(ready, place{p.rank, i})
			}
		}
	}
	offered := make(map[message]place)
	for len(ready) > 0 {
		k := w.rng.IntN(len(ready))
		p := ready[k]
		ready[k] = ready[len(ready)-1]
		ready = ready[:len(ready)-1]
		t := &w.schedules[p.rank].Steps[p.step]
		if t.Kind != schedule.SendTo && t.Kind != schedule.RecvFrom {
			w.local(p.rank, t)
			know(p, p)
			finish(p)
			continue
		}
		m := messageOf(p.rank, t)
		other, ok := offered[m]
		if !ok {
			offered[m] = p
			continue
		}
		send, recv := p, other
		if t.Kind == schedule.RecvFrom {
			send, recv = other, p
		}
		a, dst := w.schedules[send.rank].Steps[send.step].A, w.schedules[recv.rank].Steps[recv.step].Dst
		if a.Len != dst.Len {
			return nil, fmt.Errorf("%+v: %d elements came for %d", m, a.Len, dst.Len)
		}
		copy(w.at(recv.rank, dst), w.at(send.rank, a))
		know(send, send)
		know(recv, send)
		finish(send)
		finish(recv)
		delete(offered, m)
	}
	for m, p := range offered {
		return nil, fmt.Errorf("rank %d waits for ever in step %d: %+v", p.rank, p.step, m)
	}
	heard = make([][]bool, len(w.schedules))
	for r := range heard {
		heard[r] = make([]bool, len(w.schedules))
		heard[r][r] = true
	}
	for p, set := range knows {
		for r, k := range set {
			heard[p.rank][r] = heard[p.rank][r] || k
		}
	}
	return heard, nil
}

// extent returns how many elements the buffer that Of divides has.
func extent(c *schedule.Call) int {
	n := 0
	for r := range c.Size {
		b := c.Block(r)
		n = max(n, b.Off+b.Len)
	}
	return n
}

// newWorld builds a's schedules for c on all ranks and fills their buffers. layout
// gives a rank's displacements, if any.
func newWorld(a algo.Algorithm, c schedule.Call, layout func(rank int) []int) *world {
	w := &world{texts: a.Bracketing != algo.Unordered}
	for r := range c.Size {
		c := c
		c.Rank = r
		if layout != nil {
			c.Of.Displs = layout(r)
		}
		s := schedule.New(c)
		a.Build(s, &c)
		w.schedules = append(w.schedules, s)
		w.memory = append(w.memory, memoryOf(s, &c))
	}
	return w
}

// memoryOf fills a rank's buffers before the call: with what it brings, and all else
// with untouched.
func memoryOf(s *schedule.Schedule, c *schedule.Call) (m [schedule.Buffers][]element) {
	n := c.Count
	if c.Op == schedule.ReduceScatter {
		n = extent(c)
	}
	for b, size := range [schedule.Buffers]int{n, n, s.Temp} {
		m[b] = slices.Repeat([]element{untouched}, size)
	}
	if c.Op == schedule.ReduceScatter {
		i := 0
		for r := range c.Size {
			b := c.Block(r)
			for k := range b.Len {
				m[b.Buf][b.Off+k] = given(c.Rank, i)
				i++
			}
		}
		return m
	}
	if in := c.Input(); c.Op != schedule.Bcast || c.Rank == c.Root {
		for i := range in.Len {
			m[in.Buf][in.Off+i] = given(c.Rank, i)
		}
	}
	return m
}

// defined reports whether expected knows the operation.
func defined(op schedule.Operation) bool {
	return op.Reduces() || op == schedule.Barrier || op == schedule.Bcast
}

// expected returns what rank c.Rank's Out holds after the call by the definition of
// the operation, given what it held before.
func expected(a algo.Algorithm, c *schedule.Call, before []element) []element {
	out := slices.Clone(before)
	lo, hi, first := 0, c.Size, 0 // whose elements are added; index of the first
	n, text := c.Count, canonical
	switch c.Op {
	case schedule.Barrier:
		return out
	case schedule.Bcast:
		lo, hi = c.Root, c.Root+1
	case schedule.Reduce:
		if c.Rank != c.Root {
			return out
		}
	case schedule.ReduceScatter:
		n = c.BlockLen(c.Rank)
		for r := range c.Rank {
			first += c.BlockLen(r)
		}
	case schedule.Scan, schedule.ExScan:
		if hi = c.Rank; c.Op == schedule.Scan {
			hi++
		}
		if hi == 0 {
			return out
		}
		text = func(_, n int) string { return canonicalPrefix(n) }
	}
	for i := range n {
		out[i].sum = 0
		for r := lo; r < hi; r++ {
			out[i].sum += given(r, first+i).sum
		}
	}
	for i := range n {
		out[i].text = ""
	}
	if n > 0 && (a.Bracketing != algo.Unordered || c.Op == schedule.Bcast) {
		all := text(lo, hi)
		for i := range n {
			out[i].text = all
		}
	}
	return out
}

var brackets = strings.NewReplacer("(", "", ")", "")

// differ says where the buffers of rank differ from what they should be.
func differ(a algo.Algorithm, c *schedule.Call, got, before [schedule.Buffers][]element) error {
	for i, e := range before[schedule.In] {
		if got[schedule.In][i] != e {
			return fmt.Errorf("rank %d: the caller's input was written at %d", c.Rank, i)
		}
	}
	for i, want := range expected(a, c, before[schedule.Out]) {
		have := got[schedule.Out][i]
		switch {
		case a.Bracketing == algo.Ordered:
			have.text, want.text = brackets.Replace(have.text), brackets.Replace(want.text)
		case a.Bracketing == algo.Unordered && c.Op.Reduces() && want != before[schedule.Out][i]:
			have.text = want.text
		}
		if have != want {
			return fmt.Errorf("rank %d: out[%d] is %v, want %v", c.Rank, i, have, want)
		}
	}
	return nil
}

// check runs one call both ways.
func check(t *testing.T, a algo.Algorithm, c schedule.Call, layout func(rank int) []int, seed uint64) {
	t.Helper()
	if a.Refuses != nil && a.Refuses(&c) != "" {
		return
	}
	w := newWorld(a, c, layout)
	w.rng = rand.New(rand.NewPCG(seed, 0))
	before := w.memory
	for _, way := range []string{"in order", "shuffled"} {
		w.memory = make([][schedule.Buffers][]element, c.Size)
		for r := range before {
			for b, m := range before[r] {
				w.memory[r][b] = slices.Clone(m)
			}
		}
		var err error
		if way == "in order" {
			err = w.inOrder()
		} else {
			var heard [][]bool
			heard, err = w.shuffled()
			for r := range heard {
				if i := slices.Index(heard[r], false); err == nil && c.Op == schedule.Barrier && i >= 0 {
					err = fmt.Errorf("rank %d leaves before rank %d has come", r, i)
				}
			}
		}
		for r := 0; r < c.Size && err == nil; r++ {
			err = differ(a, &w.schedules[r].Call, w.memory[r], before[r])
		}
		if err != nil {
			t.Fatalf("%v %s, %s, size %d root %d count %d counts %v in place %v segment %d seed %d: %v",
				c.Op, a.Name, way, c.Size, c.Root, c.Count, c.Of.Counts, c.InPlace, c.Segment, seed, err)
		}
	}
}

// worldSizes returns the sizes that are tried.
func worldSizes() []int {
	var sizes []int
	for p := 1; p <= 17; p++ {
		sizes = append(sizes, p)
	}
	if raceEnabled {
		return sizes
	}
	return append(sizes, 24, 31, 32, 33, 64, 75)
}

// roots returns the roots that are tried: all, or both ends, the odd one of a pair
// that folds, and the middle.
func roots(op schedule.Operation, p int) []int {
	var all []int
	for r := range p {
		all = append(all, r)
	}
	switch {
	case !op.Rooted():
		return all[:1]
	case p <= 9:
		return all
	}
	return []int{0, 1, p / 2, p - 1}
}

// TestAlgorithmsGiveWhatTheirOperationIs compares every algorithm with the definition of
// its operation, taking steps as written and in any order that they allow.
func TestAlgorithmsGiveWhatTheirOperationIs(t *testing.T) {
	for _, a := range algo.All {
		if !defined(a.Op) {
			continue
		}
		t.Run(a.Op.String()+"/"+a.Name, func(t *testing.T) {
			t.Parallel()
			seed := uint64(0)
			for _, p := range worldSizes() {
				for _, root := range roots(a.Op, p) {
					for _, inPlace := range []bool{false, true} {
						if inPlace && !a.Op.Reduces() {
							continue
						}
						c := schedule.Call{Op: a.Op, Size: p, Root: root, InPlace: inPlace}
						for _, segment := range []int{0, 1, 3} {
							if p > 6 && segment != 3 {
								continue
							}
							c.Segment = segment
							each(&c, func(layout func(int) []int) {
								check(t, a, c, layout, seed)
								seed++
							})
						}
					}
				}
			}
		})
	}
}

// each calls f with c of every length that is tried.
func each(c *schedule.Call, f func(layout func(int) []int)) {
	p := c.Size
	lengths := []int{0, 1, p - 1, p, p + 1, 2*p + 3}
	switch {
	case c.Op == schedule.Barrier:
		lengths = []int{0}
	case c.Op == schedule.ReduceScatter:
		lengths = []int{0, 1, 3}
	case p > 17:
		lengths = []int{0, p - 1, p + 1}
	}
	slices.Sort(lengths)
	for _, n := range slices.Compact(lengths) {
		c.Count = n
		f(nil)
	}
	if c.Op != schedule.ReduceScatter {
		return
	}
	c.Count = 0
	for _, count := range []func(r int) int{
		func(r int) int { return (4 + r*7) % 5 },
		func(r int) int { return r % 2 * 4 },
		func(r int) int { return (r + 1) / p * 7 },
		func(r int) int { return (p - r) / p * 7 },
	} {
		c.Of.Counts = make([]int, p)
		for r := range p {
			c.Of.Counts[r] = count(r)
		}
		f(nil)
		f(func(rank int) []int { // the blocks backwards, with holes as large as the rank
			displs, off := make([]int, p), 0
			for r := p - 1; r >= 0; r-- {
				displs[r] = off
				off += c.Of.Counts[r] + rank%3
			}
			return displs
		})
	}
	c.Of.Counts = nil
}
