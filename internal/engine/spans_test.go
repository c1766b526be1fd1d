package engine

import (
	"math/rand/v2"
	"testing"
)

// A set of ranges is a set of numbers.
func TestSpansAreASet(t *testing.T) {
	for seed := range uint64(2000) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var s spans
		twin := make([]bool, 40)
		for range 30 {
			from := rng.IntN(len(twin) - 1)
			to := from + 1 + rng.IntN(min(6, len(twin)-from-1)+1)
			to = min(to, len(twin))
			fits := true
			for n := from; n < to; n++ {
				fits = fits && !twin[n]
			}
			if got := s.add(uint64(from), uint64(to)); got != fits {
				t.Fatalf("seed %d: add [%d, %d) to %v: %v, want %v", seed, from, to, s, got, fits)
			}
			for n := from; n < to && fits; n++ {
				twin[n] = true
			}
			for n, want := range twin {
				if s.has(uint64(n)) != want {
					t.Fatalf("seed %d: %v has %d: %v, want %v", seed, s, n, !want, want)
				}
			}
			for i := 1; i < len(s); i++ {
				if s[i-1].to >= s[i].from {
					t.Fatalf("seed %d: ranges touch: %v", seed, s)
				}
			}
		}
	}
}
