package main

import (
	"math"
	"testing"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/rank"
)

func TestNearestAreTheNearestOfAll(t *testing.T) {
	const n, cols, wanted = 11, 3, 4
	all := randomRows(n, cols, 0, 1)
	copy(rowOf(all, 7), rowOf(all, 2)) // equal: the lower place first
	clear(rowOf(all, 5))               // zero: at an angle of 90° to everything
	onRanks(t, func(t *testing.T, c *rank.Comm) {
		for q := range n {
			cuts := randomCuts(n, c.Size(), uint64(q))
			got, err := mostLike(t.Context(), c, rowsOf(all, cuts[c.Rank()], cuts[c.Rank()+1]), cuts, q, wanted)
			if err != nil {
				t.Fatal(err)
			}
			if c.Rank() != 0 {
				if len(got) > 0 {
					t.Fatalf("rank %d has %v", c.Rank(), got)
				}
				continue
			}
			taken := map[int64]bool{int64(q): true}
			for place := range wanted {
				want := collectives.Located[float64]{Value: math.Inf(-1)}
				for i := range int64(n) {
					dot, a, b := 0.0, 0.0, 0.0
					for j := range cols {
						x, y := rowOf(all, int(i))[j], rowOf(all, q)[j]
						dot, a, b = dot+x*y, a+x*x, b+y*y
					}
					v := 0.0
					if a*b > 0 {
						v = dot / math.Sqrt(a*b)
					}
					if !taken[i] && v > want.Value+1e-15 {
						want = collectives.Located[float64]{Value: v, Index: i}
					}
				}
				taken[want.Index] = true
				if got[place].Index != want.Index || math.Abs(got[place].Value-want.Value) > 1e-15 {
					t.Errorf("cuts %v, document %d: place %d is %v, want %v", cuts, q, place, got[place], want)
				}
			}
		}
	})
}

func TestFewerDocumentsThanWantedAreAllThereAre(t *testing.T) {
	onRanks(t, func(t *testing.T, c *rank.Comm) {
		cuts := randomCuts(2, c.Size(), 1)
		own := rowsOf(randomRows(2, 2, 0, 1), cuts[c.Rank()], cuts[c.Rank()+1])
		got, err := mostLike(t.Context(), c, own, cuts, 1, 5)
		if err != nil || c.Rank() == 0 && (len(got) != 1 || got[0].Index != 0) {
			t.Errorf("rank %d: %v, %v", c.Rank(), got, err)
		}
	})
}
