package schedule_test

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"github.com/muster-mpi/muster/collectives/schedule"
)

// tree is what an element holds: element index of rank's input, or l ⊕ r.
type tree struct {
	rank, index int
	l, r        *tree
}

// garbage is what memory holds that nobody has written.
var garbage = &tree{rank: -1}

func (t *tree) String() string {
	switch {
	case t == garbage:
		return "garbage"
	case t.l != nil:
		return "(" + t.l.String() + "+" + t.r.String() + ")"
	}
	return fmt.Sprintf("%d.%d", t.rank, t.index)
}

// unturned spells t so that it does not show which operand is left.
func (t *tree) unturned() string {
	if t.l == nil {
		return t.String()
	}
	a, b := t.l.unturned(), t.r.unturned()
	return "(" + min(a, b) + "+" + max(a, b) + ")"
}

// leaves returns what t holds from left to right.
func (t *tree) leaves() []*tree {
	if t.l == nil {
		return []*tree{t}
	}
	return append(t.l.leaves(), t.r.leaves()...)
}

// whole returns the tree of contiguous halves over leaves.
func whole(leaves []*tree) *tree {
	if len(leaves) == 1 {
		return leaves[0]
	}
	return &tree{l: whole(leaves[:len(leaves)/2]), r: whole(leaves[len(leaves)/2:])}
}

// canonical returns the canonical value of element index over ranks 0 to n−1.
func canonical(prefix bool, n, index int) *tree {
	var leaves []*tree
	for r := range n {
		leaves = append(leaves, &tree{rank: r, index: index})
	}
	m := 1 << (bits.Len(uint(n)) - 1)
	if prefix {
		if m == n {
			return whole(leaves)
		}
		return &tree{l: whole(leaves[:m]), r: rest(leaves[m:])}
	}
	folded := []*tree{}
	for i := range n - m {
		folded = append(folded, &tree{l: leaves[2*i], r: leaves[2*i+1]})
	}
	return whole(append(folded, leaves[2*(n-m):]...))
}

// rest returns the canonical prefix over what the largest block leaves.
func rest(leaves []*tree) *tree {
	m := 1 << (bits.Len(uint(len(leaves))) - 1)
	if m == len(leaves) {
		return whole(leaves)
	}
	return &tree{l: whole(leaves[:m]), r: rest(leaves[m:])}
}

// judge decides what Check decides, element by element, pair of steps by pair of
// steps, and for one execution after another. The calls are right.
type judge struct {
	all  []*schedule.Schedule
	rule schedule.Bracketing
	mem  [][schedule.Buffers]map[int]*tree
	size [][schedule.Buffers]int
	want []map[int]func(t *tree) bool
}

func verdict(all []*schedule.Schedule, rule schedule.Bracketing) error {
	j := &judge{all: all, rule: rule}
	j.read()
	for _, f := range []func() error{j.spans, j.messages, j.order, j.strict, j.everybody} {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

// read finds what the calls say.
func (j *judge) read() {
	for r, s := range j.all {
		j.mem = append(j.mem, [schedule.Buffers]map[int]*tree{{}, {}, {}})
		j.size = append(j.size, [schedule.Buffers]int{0, 0, s.Temp})
		j.want = append(j.want, map[int]func(*tree) bool{})
		c := &s.Call
		index := 0
		bring := func(s schedule.Span) {
			for i := range s.Len {
				j.mem[r][s.Buf][s.Off+i] = &tree{rank: r, index: index}
				index++
			}
			j.size[r][s.Buf] = max(j.size[r][s.Buf], s.Off+s.Len)
		}
		switch c.Op {
		case schedule.Bcast:
			if r == c.Root {
				bring(c.Output())
			}
		case schedule.Scatter, schedule.ReduceScatter:
			for q := range c.Size {
				if c.Op == schedule.ReduceScatter || r == c.Root {
					bring(c.Block(q))
				}
			}
		case schedule.AllToAll:
			for q := range c.Size {
				bring(c.FromBlock(q))
			}
		default:
			bring(c.Input())
		}
		j.wants(r, c)
	}
}

// wants notes what rank r shall hold.
func (j *judge) wants(r int, c *schedule.Call) {
	leaf := func(s schedule.Span, from, index int) {
		for i := range s.Len {
			j.want[r][s.Off+i] = func(t *tree) bool {
				return t.l == nil && t.rank == from && t.index == index+i
			}
		}
		j.size[r][s.Buf] = max(j.size[r][s.Buf], s.Off+s.Len)
	}
	sum := func(s schedule.Span, until, index int) {
		for i := range s.Len {
			j.want[r][s.Off+i] = func(t *tree) bool { return j.sum(t, c.Op, until, index+i) }
		}
		j.size[r][s.Buf] = max(j.size[r][s.Buf], s.Off+s.Len)
	}
	before := func(n int, length func(q int) int) (total int) {
		for q := range n {
			total += length(q)
		}
		return total
	}
	switch c.Op {
	case schedule.Bcast:
		leaf(c.Output(), c.Root, 0)
	case schedule.Scatter:
		leaf(c.Output(), c.Root, before(r, c.BlockLen))
	case schedule.Gather, schedule.AllGather:
		for q := range c.Size {
			if c.Op == schedule.AllGather || r == c.Root {
				leaf(c.Block(q), q, 0)
			}
		}
	case schedule.AllToAll:
		for q := range c.Size {
			leaf(c.ToBlock(q), q, before(r, func(k int) int { return j.all[q].Call.FromBlock(k).Len }))
		}
	case schedule.ReduceScatter:
		sum(c.Output(), c.Size, before(r, c.BlockLen))
	case schedule.Reduce, schedule.AllReduce:
		sum(c.Output(), c.Size, 0)
	case schedule.Scan:
		sum(c.Output(), r+1, 0)
	case schedule.ExScan:
		if r > 0 {
			sum(c.Output(), r, 0)
		}
		j.size[r][schedule.Out] = c.Count
	}
}

// sum reports whether t is what combining element index of ranks 0 to n−1 gives.
func (j *judge) sum(t *tree, op schedule.Operation, n, index int) bool {
	if j.rule == schedule.Canonical {
		return t.String() == canonical(op == schedule.Scan || op == schedule.ExScan, n, index).String()
	}
	var ranks []int
	for _, leaf := range t.leaves() {
		if leaf.index != index {
			return false
		}
		ranks = append(ranks, leaf.rank)
	}
	if j.rule == schedule.Unordered {
		slices.Sort(ranks)
	}
	for i, r := range ranks {
		if r != i {
			return false
		}
	}
	return len(ranks) == n
}

// touches returns what a step reads and writes.
func touches(t *schedule.Step) (reads, writes []schedule.Span) {
	switch t.Kind {
	case schedule.SendTo:
		return []schedule.Span{t.A}, nil
	case schedule.RecvFrom:
		return nil, []schedule.Span{t.Dst}
	case schedule.Combine:
		return []schedule.Span{t.A, t.B}, []schedule.Span{t.Dst}
	}
	return []schedule.Span{t.A}, []schedule.Span{t.Dst}
}

func (j *judge) spans() error {
	for r, s := range j.all {
		for i := range s.Steps {
			reads, writes := touches(&s.Steps[i])
			n := append(reads, writes...)[0].Len
			for _, a := range append(reads, writes...) {
				if a.Len != n || n < 1 || a.Off < 0 || a.Off+a.Len > j.size[r][a.Buf] {
					return fmt.Errorf("rank %d step %d: bad span", r, i)
				}
			}
			for _, a := range writes {
				for off := a.Off; off < a.Off+a.Len; off++ {
					if a.Buf == schedule.In || a.Buf == schedule.Out && j.want[r][off] == nil {
						return fmt.Errorf("rank %d step %d: must not write", r, i)
					}
				}
				for _, b := range reads {
					if a.Overlaps(b) && (a != b || s.Steps[i].Kind == schedule.Move) {
						return fmt.Errorf("rank %d step %d: overlap", r, i)
					}
				}
			}
		}
	}
	return nil
}

func (j *judge) messages() error {
	type pair struct{ from, to int }
	sends, recvs := map[pair][]int{}, map[pair][]int{}
	for r, s := range j.all {
		for _, t := range s.Steps {
			if (t.Kind == schedule.SendTo || t.Kind == schedule.RecvFrom) && (t.Peer < 0 || t.Peer >= len(j.all)) {
				return fmt.Errorf("rank %d: no such peer", r)
			}
			switch p := (pair{r, t.Peer}); t.Kind {
			case schedule.SendTo:
				if t.Number != len(sends[p]) {
					return fmt.Errorf("rank %d: number", r)
				}
				sends[p] = append(sends[p], t.A.Len)
			case schedule.RecvFrom:
				p = pair{t.Peer, r}
				if t.Number != len(recvs[p]) {
					return fmt.Errorf("rank %d: number", r)
				}
				recvs[p] = append(recvs[p], t.Dst.Len)
			}
		}
	}
	for from := range j.all {
		for to := range j.all {
			if p := (pair{from, to}); !slices.Equal(sends[p], recvs[p]) {
				return fmt.Errorf("messages from %d to %d: %v and %v", from, to, sends[p], recvs[p])
			}
		}
	}
	return nil
}

// reaches reports whether step i waits for step k, at whatever distance.
func reaches(steps []schedule.Step, i, k int) bool {
	return slices.ContainsFunc(steps[i].After, func(x int) bool { return x == k || x > k && reaches(steps, x, k) })
}

func (j *judge) order() error {
	for r, s := range j.all {
		for i := range s.Steps {
			for k := range i {
				ri, wi := touches(&s.Steps[i])
				rk, wk := touches(&s.Steps[k])
				conflict := false
				for _, w := range wi {
					conflict = conflict || slices.ContainsFunc(append(rk, wk...), w.Overlaps)
				}
				for _, w := range wk {
					conflict = conflict || slices.ContainsFunc(ri, w.Overlaps)
				}
				if conflict && !reaches(s.Steps, i, k) {
					return fmt.Errorf("rank %d: step %d does not wait for step %d", r, i, k)
				}
			}
		}
	}
	return nil
}

// execute carries out what it can until nothing changes; strict: in order, and
// sends complete with their receives only. The rank absent never starts. It returns
// which ranks have completed all.
func (j *judge) execute(strict bool, absent int) []bool {
	started, ended := map[[2]int]bool{}, map[[2]int]bool{}
	held := map[[3]int][]*tree{}
	for change := true; change; {
		change = false
		for r, s := range j.all {
			for i := range s.Steps {
				me, t := [2]int{r, i}, &s.Steps[i]
				may := r != absent && !slices.ContainsFunc(t.After, func(k int) bool { return !ended[[2]int{r, k}] })
				if !started[me] && strict && i > 0 && !started[[2]int{r, i - 1}] {
					may = false
				}
				if !started[me] && may {
					started[me], change = true, true
					switch t.Kind {
					case schedule.SendTo:
						held[[3]int{r, t.Peer, t.Number}] = j.load(r, t.A)
						ended[me] = !strict
					case schedule.Combine:
						a, b := j.load(r, t.A), j.load(r, t.B)
						for x := range a {
							a[x] = &tree{l: a[x], r: b[x]}
						}
						j.store(r, t.Dst, a)
						ended[me] = true
					case schedule.Move:
						j.store(r, t.Dst, j.load(r, t.A))
						ended[me] = true
					}
				}
				if data := held[[3]int{t.Peer, r, t.Number}]; t.Kind == schedule.RecvFrom && started[me] && !ended[me] && data != nil {
					j.store(r, t.Dst, data)
					ended[me], change = true, true
					for k, u := range j.all[t.Peer].Steps {
						if u.Kind == schedule.SendTo && u.Peer == r && u.Number == t.Number {
							ended[[2]int{t.Peer, k}] = true
						}
					}
				}
			}
		}
	}
	all := make([]bool, len(j.all))
	for r, s := range j.all {
		all[r] = true
		for i := range s.Steps {
			all[r] = all[r] && ended[[2]int{r, i}]
		}
	}
	return all
}

func (j *judge) at(r int, b schedule.Buffer, off int) *tree {
	if t := j.mem[r][b][off]; t != nil {
		return t
	}
	return garbage
}

func (j *judge) load(r int, s schedule.Span) []*tree {
	list := []*tree{}
	for off := s.Off; off < s.Off+s.Len; off++ {
		list = append(list, j.at(r, s.Buf, off))
	}
	return list
}

func (j *judge) store(r int, s schedule.Span, list []*tree) {
	for i, x := range list {
		j.mem[r][s.Buf][s.Off+i] = x
	}
}

func (j *judge) strict() error {
	if slices.Contains(j.execute(true, -1), false) {
		return fmt.Errorf("deadlock")
	}
	for r := range j.all {
		for off, right := range j.want[r] {
			if got := j.at(r, schedule.Out, off); !right(got) {
				return fmt.Errorf("rank %d: out[%d] is %v", r, off, got)
			}
		}
	}
	if c := &j.all[0].Call; c.Op == schedule.AllReduce {
		for r := range j.all {
			for off := range c.Count {
				a, b := j.at(0, schedule.Out, off).unturned(), j.at(r, schedule.Out, off).unturned()
				if a != b {
					return fmt.Errorf("rank %d: out[%d] is %s, rank 0's %s", r, off, b, a)
				}
			}
		}
	}
	return nil
}

// everybody checks that no rank leaves a Barrier that one has not entered.
func (j *judge) everybody() error {
	if j.all[0].Call.Op != schedule.Barrier {
		return nil
	}
	for absent := range j.all {
		for r, through := range j.execute(false, absent) {
			if through && r != absent {
				return fmt.Errorf("rank %d leaves without rank %d", r, absent)
			}
		}
	}
	return nil
}

// spell prints all schedules.
func spell(all []*schedule.Schedule) string {
	var b strings.Builder
	for _, s := range all {
		b.WriteString(s.String())
	}
	return b.String()
}
