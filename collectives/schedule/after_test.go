package schedule

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// conflict reports whether t and u touch an element that one of them writes.
func conflict(t, u *Step) bool {
	var roomT, roomU [3]Span
	a, writesA := t.spans(&roomT)
	b, writesB := u.spans(&roomU)
	for i, s := range a {
		for j, q := range b {
			if s.Overlaps(q) && (writesA && i == 0 || writesB && j == 0) {
				return true
			}
		}
	}
	return false
}

// path reports whether step i waits for step j, at whatever distance.
func path(steps []Step, i, j int) bool {
	for _, k := range steps[i].After {
		if k == j || k > j && path(steps, k, j) {
			return true
		}
	}
	return false
}

// scribble adds a step that take, which returns a number below its argument,
// chooses: over spans of cells elements, of which many are used by several steps.
func scribble(s *Schedule, cells int, take func(n int) int) {
	span := func(n int) Span {
		return Span{Buffer(take(int(Buffers))), take(cells - n + 1), n}
	}
	n := take(min(4, cells) + 1)
	dst := span(n)
	if dst.Buf == In {
		dst.Buf = Out
	}
	a, b := span(n), span(n)
	switch take(4) {
	case 0:
		s.Send(take(3), a)
	case 1:
		s.Recv(take(3), dst)
	case 2:
		if (dst == a || !dst.Overlaps(a)) && (dst == b || !dst.Overlaps(b)) {
			s.Reduce(dst, a, b)
		}
	case 3:
		if dst == a || !dst.Overlaps(a) {
			s.Copy(dst, a)
		}
	}
}

// checkAfter compares the Afters of s with all pairs of steps.
func checkAfter(t *testing.T, s *Schedule) {
	t.Helper()
	for i := range s.Steps {
		after := s.Steps[i].After
		if !slices.IsSorted(after) || len(slices.Compact(slices.Clone(after))) != len(after) {
			t.Fatalf("step %d waits for %v, not ascending\n%v", i, after, s)
		}
		for j := range i {
			if c := conflict(&s.Steps[i], &s.Steps[j]); c && !path(s.Steps, i, j) {
				t.Fatalf("step %d does not wait for step %d\n%v", i, j, s)
			} else if !c && slices.Contains(after, j) {
				t.Fatalf("step %d waits for step %d for nothing\n%v", i, j, s)
			}
		}
		if slices.ContainsFunc(after, func(j int) bool { return j >= i }) {
			t.Fatalf("step %d waits for itself or later steps\n%v", i, s)
		}
	}
}

func TestStepsWaitForThoseThatTheirSpansConflictWith(t *testing.T) {
	s := New(Call{Size: 3})
	for seed := range uint64(3000) {
		rng := rand.New(rand.NewPCG(seed, 1))
		s.Reset(Call{Size: 3})
		for range rng.IntN(30) {
			scribble(s, 1+int(seed%12), rng.IntN)
		}
		checkAfter(t, s)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func TestAStepDoesNotWaitForAWriterWhoseReadersItWaitsFor(t *testing.T) {
	s := New(Call{Size: 2})
	x := s.Scratch(4)
	s.Recv(1, x)
	s.Send(1, x)
	s.Send(1, x)
	s.Recv(1, x.Part(0, 2))
	s.Recv(1, x.Part(0, 2))
	for i, want := range [][]int{nil, {0}, {0}, {1, 2}, {3}} {
		if got := s.Steps[i].After; !slices.Equal(got, want) {
			t.Errorf("step %d waits for %v, want %v", i, got, want)
		}
	}
}

func FuzzAfter(f *testing.F) {
	f.Add([]byte{9, 3, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1, 1, 2, 0, 3, 3})
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 300 {
			return
		}
		take := taker(&data)
		s := New(Call{Size: 3})
		cells := 1 + take(20)
		for len(data) > 0 && len(s.Steps) < 18 {
			scribble(s, cells, take)
		}
		checkAfter(t, s)
	})
}

// taker returns a source of choices that are read off data; 0 when it is used up.
func taker(data *[]byte) func(n int) int {
	return func(n int) int {
		if len(*data) == 0 {
			return 0
		}
		x := int((*data)[0]) % n
		*data = (*data)[1:]
		return x
	}
}
