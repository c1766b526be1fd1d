package schedule_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/muster-mpi/muster/collectives/algo"
	"github.com/muster-mpi/muster/collectives/schedule"
	"github.com/muster-mpi/muster/collectives/schedule/scheduletest"
)

// again writes steps down anew, so that numbers and Afters follow from them.
func again(s *schedule.Schedule, steps []schedule.Step) *schedule.Schedule {
	n := schedule.New(s.Call)
	n.Scratch(s.Temp)
	for _, t := range steps {
		switch t.Kind {
		case schedule.SendTo:
			n.Send(t.Peer, t.A)
		case schedule.RecvFrom:
			n.Recv(t.Peer, t.Dst)
		case schedule.Combine:
			n.Reduce(t.Dst, t.A, t.B)
		case schedule.Move:
			n.Copy(t.Dst, t.A)
		}
	}
	return n
}

// pick returns a step of s that is, or −1.
func pick(s *schedule.Schedule, rng *rand.Rand, is func(i int) bool) int {
	var list []int
	for i := range s.Steps {
		if is(i) {
			list = append(list, i)
		}
	}
	if len(list) == 0 {
		return -1
	}
	return list[rng.IntN(len(list))]
}

// mutation makes s, a copy of the schedule of one rank, wrong, or returns nil where
// it has no place to. It may panic as a builder does.
type mutation func(s *schedule.Schedule, a *algo.Algorithm, rng *rand.Rand) *schedule.Schedule

// edit returns a mutation of a step of one of kinds, whose Afters stay or follow.
func edit(follow bool, change func(t *schedule.Step, s *schedule.Schedule, rng *rand.Rand), kinds ...schedule.Kind) mutation {
	return func(s *schedule.Schedule, _ *algo.Algorithm, rng *rand.Rand) *schedule.Schedule {
		i := pick(s, rng, func(i int) bool { return slices.Contains(kinds, s.Steps[i].Kind) })
		if i < 0 {
			return nil
		}
		change(&s.Steps[i], s, rng)
		if follow {
			return again(s, s.Steps)
		}
		return s
	}
}

// reorder returns a mutation of the list of steps at a step that is.
func reorder(is func(s *schedule.Schedule, i int) bool, change func(steps []schedule.Step, i int) []schedule.Step) mutation {
	return func(s *schedule.Schedule, _ *algo.Algorithm, rng *rand.Rand) *schedule.Schedule {
		i := pick(s, rng, func(i int) bool { return is(s, i) })
		if i < 0 {
			return nil
		}
		return again(s, change(s.Steps, i))
	}
}

func anyStep(*schedule.Schedule, int) bool { return true }

// shift moves a by its length or by one element, either way, within its buffer.
func shift(a *schedule.Span, rng *rand.Rand) {
	a.Off = max(0, a.Off+[]int{1, -1, a.Len, -a.Len}[rng.IntN(4)])
}

// other returns a rank that is not t's peer.
func other(t *schedule.Step, s *schedule.Schedule, rng *rand.Rand) int {
	return (t.Peer + 1 + rng.IntN(s.Call.Size-1)) % s.Call.Size
}

// mutations are the ways to make a schedule wrong.
var mutations = map[string]mutation{
	"dropped dependency": func(s *schedule.Schedule, _ *algo.Algorithm, rng *rand.Rand) *schedule.Schedule {
		i := pick(s, rng, func(i int) bool { return len(s.Steps[i].After) > 0 })
		if i < 0 {
			return nil
		}
		t := &s.Steps[i]
		k := rng.IntN(len(t.After))
		j := t.After[k]
		t.After = slices.Delete(t.After, k, k+1)
		if reaches(s.Steps, i, j) {
			return nil
		}
		return s
	},
	"no dependencies": edit(false, func(t *schedule.Step, _ *schedule.Schedule, _ *rand.Rand) { t.After = nil },
		schedule.SendTo, schedule.RecvFrom, schedule.Combine, schedule.Move),
	"wrong number": edit(false, func(t *schedule.Step, _ *schedule.Schedule, _ *rand.Rand) { t.Number++ },
		schedule.SendTo, schedule.RecvFrom),
	"wrong peer": edit(true, func(t *schedule.Step, s *schedule.Schedule, rng *rand.Rand) { t.Peer = other(t, s, rng) },
		schedule.SendTo, schedule.RecvFrom),
	"wrong chunk sent": edit(true, func(t *schedule.Step, _ *schedule.Schedule, rng *rand.Rand) { shift(&t.A, rng) }, schedule.SendTo),
	"wrong place received": edit(true, func(t *schedule.Step, _ *schedule.Schedule, rng *rand.Rand) { shift(&t.Dst, rng) },
		schedule.RecvFrom),
	"wrong place received, dependencies as before": edit(false, func(t *schedule.Step, _ *schedule.Schedule, rng *rand.Rand) {
		shift(&t.Dst, rng)
	}, schedule.RecvFrom),
	"wrong operand": edit(true, func(t *schedule.Step, _ *schedule.Schedule, rng *rand.Rand) {
		shift([]*schedule.Span{&t.A, &t.B}[rng.IntN(2)], rng)
	}, schedule.Combine),
	"wrong place of a result": edit(true, func(t *schedule.Step, _ *schedule.Schedule, rng *rand.Rand) { shift(&t.Dst, rng) },
		schedule.Combine, schedule.Move),
	"wrong source of a copy": edit(true, func(t *schedule.Step, _ *schedule.Schedule, rng *rand.Rand) { shift(&t.A, rng) },
		schedule.Move),
	"out for temp": edit(true, func(t *schedule.Step, _ *schedule.Schedule, _ *rand.Rand) {
		t.Dst.Buf = schedule.Out + schedule.Temp - max(t.Dst.Buf, schedule.Out)
	}, schedule.RecvFrom, schedule.Move),
	"input written": edit(false, func(t *schedule.Step, _ *schedule.Schedule, _ *rand.Rand) { t.Dst.Buf = schedule.In },
		schedule.RecvFrom, schedule.Combine, schedule.Move),
	"one element less": edit(true, func(t *schedule.Step, _ *schedule.Schedule, _ *rand.Rand) {
		t.A.Len, t.B.Len, t.Dst.Len = t.A.Len-1, t.B.Len-1, t.Dst.Len-1
	}, schedule.SendTo, schedule.RecvFrom, schedule.Combine, schedule.Move),
	"swapped operands": edit(true, func(t *schedule.Step, _ *schedule.Schedule, _ *rand.Rand) { t.A, t.B = t.B, t.A }, schedule.Combine),
	"reduction is a copy": edit(true, func(t *schedule.Step, _ *schedule.Schedule, _ *rand.Rand) {
		t.Kind = schedule.Move
		if t.A == t.Dst {
			t.A = t.B
		}
	}, schedule.Combine),
	"doubled reduction": reorder(func(s *schedule.Schedule, i int) bool { return s.Steps[i].Kind == schedule.Combine },
		func(steps []schedule.Step, i int) []schedule.Step { return slices.Insert(steps, i, steps[i]) }),
	"missing step": reorder(anyStep, func(steps []schedule.Step, i int) []schedule.Step { return slices.Delete(steps, i, i+1) }),
	"missing last step": reorder(func(s *schedule.Schedule, i int) bool { return i == len(s.Steps)-1 },
		func(steps []schedule.Step, i int) []schedule.Step { return steps[:i] }),
	"step done twice": reorder(anyStep, func(steps []schedule.Step, i int) []schedule.Step { return slices.Insert(steps, i, steps[i]) }),
	"step too early": reorder(func(s *schedule.Schedule, i int) bool { return slices.Contains(s.Steps[i].After, i-1) },
		func(steps []schedule.Step, i int) []schedule.Step {
			steps[i], steps[i-1] = steps[i-1], steps[i]
			return steps
		}),
	"send before what it sends is there": reorder(func(s *schedule.Schedule, i int) bool {
		return s.Steps[i].Kind == schedule.SendTo && len(s.Steps[i].After) > 0
	}, func(steps []schedule.Step, i int) []schedule.Step {
		t, j := steps[i], steps[i].After[len(steps[i].After)-1]
		return slices.Insert(slices.Delete(steps, i, i+1), j, t)
	}),
	"last step first": reorder(func(s *schedule.Schedule, i int) bool { return i > 0 && i == len(s.Steps)-1 },
		func(steps []schedule.Step, i int) []schedule.Step {
			return append([]schedule.Step{steps[i]}, steps[:i]...)
		}),
	"messages to one peer swapped": func(s *schedule.Schedule, _ *algo.Algorithm, rng *rand.Rand) *schedule.Schedule {
		kind := []schedule.Kind{schedule.SendTo, schedule.RecvFrom}[rng.IntN(2)]
		next := func(i int) int {
			return slices.IndexFunc(s.Steps, func(t schedule.Step) bool {
				return t.Kind == kind && t.Peer == s.Steps[i].Peer && t.Number == s.Steps[i].Number+1
			})
		}
		i := pick(s, rng, func(i int) bool { return s.Steps[i].Kind == kind && next(i) >= 0 })
		if i < 0 {
			return nil
		}
		a, b := &s.Steps[i], &s.Steps[next(i)]
		a.A, b.A, a.Dst, b.Dst = b.A, a.A, b.Dst, a.Dst
		return again(s, s.Steps)
	},
	"root off by one": func(s *schedule.Schedule, a *algo.Algorithm, _ *rand.Rand) *schedule.Schedule {
		if !a.Op.Rooted() {
			return nil
		}
		c := s.Call
		c.Root = (c.Root + 1) % c.Size
		n := schedule.New(c)
		a.Build(n, &c)
		n.Call = s.Call
		return n
	},
	"neighbour's steps": func(s *schedule.Schedule, a *algo.Algorithm, _ *rand.Rand) *schedule.Schedule {
		c := s.Call
		c.Rank = (c.Rank + 1) % c.Size
		n := schedule.New(c)
		a.Build(n, &c)
		n.Call = s.Call
		return n
	},
	"last rank left out": func(s *schedule.Schedule, a *algo.Algorithm, _ *rand.Rand) *schedule.Schedule {
		c := s.Call
		if c.Size--; c.Rank >= c.Size || c.Root >= c.Size {
			return nil
		}
		n := schedule.New(c)
		a.Build(n, &c)
		n.Call = s.Call
		return n
	},
}

// copyOf returns a schedule that shares nothing with s that mutations change.
func copyOf(s *schedule.Schedule) *schedule.Schedule {
	n := *s
	n.Steps = slices.Clone(s.Steps)
	for i := range n.Steps {
		n.Steps[i].After = slices.Clone(n.Steps[i].After)
	}
	return &n
}

// mutate returns all with one rank's schedule mutated; nil: it has no place for it,
// or the builder of it panics.
func mutate(all []*schedule.Schedule, m mutation, a *algo.Algorithm, rng *rand.Rand) (mutant []*schedule.Schedule) {
	defer func() {
		if recover() != nil {
			mutant = nil
		}
	}()
	r := rng.IntN(len(all))
	s := m(copyOf(all[r]), a, rng)
	if s == nil || s.String() == all[r].String() {
		return nil
	}
	mutant = slices.Clone(all)
	mutant[r] = s
	return mutant
}

// subject returns the schedules of a call of a that seed chooses.
func subject(a *algo.Algorithm, rng *rand.Rand) (all []*schedule.Schedule, name string) {
	for range 1000 {
		size := 2 + rng.IntN(7)
		root := rng.IntN(size)
		shapes := scheduletest.Shapes(a.Op, size, root)
		shape := shapes[rng.IntN(len(shapes))]
		if c := shape.Call(0); a.Refuses == nil || a.Refuses(&c) == "" {
			name = fmt.Sprintf("%v %s, size %d, root %d, %s", a.Op, a.Name, size, root, shape.Name)
			return schedule.All(nil, shape.Call, a.Build), name
		}
	}
	panic(fmt.Sprintf("%v %s refuses 1000 calls", a.Op, a.Name))
}

// TestMutantsAreFound makes schedules of all algorithms wrong and has Check and
// judge, which share no code, decide about each. A mutant that both let pass does
// what the original does.
func TestMutantsAreFound(t *testing.T) {
	var unkind []uint64
	for seed := range uint64(32) {
		unkind = append(unkind, seed)
	}
	found, same := map[string]int{}, map[string]int{}
	alone, races := 0, 0 // dropped dependencies, and how many of them an execution shows
	seed := uint64(0)
	for i := range algo.All {
		a := &algo.All[i]
		for _, kind := range slices.Sorted(maps.Keys(mutations)) {
			for range 10 {
				seed++
				rng := rand.New(rand.NewPCG(seed, 0))
				all, name := subject(a, rng)
				mutant := mutate(all, mutations[kind], a, rng)
				if mutant == nil {
					continue
				}
				got, want := schedule.Check(mutant, a.Bracketing, unkind...), verdict(mutant, a.Bracketing)
				if (got == nil) != (want == nil) {
					t.Fatalf("seed %d: %s, %s: got %v, want %v\n%s", seed, name, kind, got, want, spell(mutant))
				}
				if got == nil {
					same[kind]++
					continue
				}
				found[kind]++
				if kind == "dropped dependency" {
					races++
					if schedule.Shuffle(mutant, a.Bracketing, unkind) != nil {
						alone++
					}
				}
			}
		}
	}
	total := 0
	for _, kind := range slices.Sorted(maps.Keys(mutations)) {
		t.Logf("%s: %d found, %d do what the original does", kind, found[kind], same[kind])
		if total += found[kind]; found[kind] == 0 {
			t.Errorf("%s: none found", kind)
		}
	}
	t.Logf("%d mutants found; of %d dropped dependencies executions alone show %d", total, races, alone)
	if total < 50*len(algo.All) {
		t.Errorf("%d mutants of %d algorithms were found, want 50 of each", total, len(algo.All))
	}
	if same["dropped dependency"] > 0 || 2*alone < races {
		t.Errorf("of %d dropped dependencies executions alone show %d, want half", races, alone)
	}
}

// TestJudgeAgreesWithCheck is TestMutantsAreFound for what is right.
func TestJudgeAgreesWithCheck(t *testing.T) {
	for i := range algo.All {
		a := &algo.All[i]
		for seed := range uint64(20) {
			all, name := subject(a, rand.New(rand.NewPCG(seed, 1)))
			got, want := schedule.Check(all, a.Bracketing, seed), verdict(all, a.Bracketing)
			if got != nil || want != nil {
				t.Fatalf("seed %d: %s: got %v, want %v\n%s", seed, name, got, want, spell(all))
			}
		}
	}
}
