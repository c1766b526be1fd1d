package schedule

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// element is one element of the plain memory that runs are compared with.
type element struct {
	val value
	at  int
}

// unwritten reports whether list holds what nobody has written.
func unwritten(list []element, v *values) bool {
	return slices.ContainsFunc(list, func(e element) bool { return e.val == v.garbage() })
}

func TestRunsHoldWhatPlainMemoryHolds(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 2))
		v := new(values)
		v.reset(3)
		n := 1 + rng.IntN(40)
		var m memory
		m.fill(n, value(1), 5)
		plain := make([]element, n)
		for i := range plain {
			plain[i] = element{1, 5 + i}
		}
		span := func(n int) Span {
			return Span{Out, rng.IntN(len(plain) - n + 1), n}
		}
		for step := range 60 {
			k := 1 + rng.IntN(n)
			a, b, dst := span(k), span(k), span(k)
			list := v.load(&m, a, nil)
			want := append([]element(nil), plain[a.Off:a.Off+k]...)
			switch rng.IntN(4) {
			case 0:
				list = []piece{{k, v.garbage(), 0}}
				for i := range want {
					want[i] = element{v.garbage(), 0}
				}
			case 1:
				list = []piece{{k, 2, 7}}
				for i := range want {
					want[i] = element{2, 7 + i}
				}
			case 2:
				if unwritten(plain[a.Off:a.Off+k], v) || unwritten(plain[b.Off:b.Off+k], v) {
					continue // what is combined with garbage has no index either
				}
				list = v.merge(list, v.load(&m, b, nil), nil)
				for i := range want {
					x, y := want[i], plain[b.Off+i]
					want[i] = element{v.combine(x.val, y.val, y.at-x.at), x.at}
				}
			}
			v.store(&m, dst, list)
			copy(plain[dst.Off:], want)
			i := 0
			for _, p := range v.load(&m, Span{Out, 0, n}, nil) {
				for range p.n {
					if got := (element{p.val, p.at}); got != plain[i] {
						t.Fatalf("seed %d, step %d: element %d of %d is %v, want %v", seed, step, i, n, got, plain[i])
					}
					i++
					if p.val != v.garbage() {
						p.at++
					}
				}
			}
			if i != n {
				t.Fatalf("seed %d, step %d: %d elements, want %d", seed, step, i, n)
			}
		}
	}
}
