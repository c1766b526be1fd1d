package rank_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/muster-mpi/muster/rank"
)

// ranksOf lists the world ranks of g.
func ranksOf(g *rank.Group) []int {
	list := []int{}
	for r := range g.Size() {
		list = append(list, g.World(r))
	}
	return list
}

// pick returns those of a for which keep holds, in a's order.
func pick(a []int, keep func(int) bool) []int {
	list := []int{}
	for _, r := range a {
		if keep(r) {
			list = append(list, r)
		}
	}
	return list
}

// Rule 30: a union has all of the first group in order and then what the second
// has besides; intersection and difference keep the first group's order. Ranks
// translate to ranks, Null to Null, strangers to Undefined.
func TestRule30GroupsAreOrderedSets(t *testing.T) {
	s := seed(t)
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		rng := rand.New(rand.NewPCG(s, uint64(c.Rank())))
		random := func() (*rank.Group, []int) {
			list := rng.Perm(w.ranks)[:rng.IntN(w.ranks+1)]
			if rng.IntN(5) == 0 {
				list = ranksOf(c.Group()) // the world's own form
				return c.Group(), list
			}
			g, err := c.Group().Include(list...)
			ok(t, err)
			return g, list
		}
		for range 100 {
			a, al := random()
			b, bl := random()
			inA := func(r int) bool { return slices.Contains(al, r) }
			inB := func(r int) bool { return slices.Contains(bl, r) }
			not := func(f func(int) bool) func(int) bool { return func(r int) bool { return !f(r) } }
			for what, test := range map[string]struct {
				got  *rank.Group
				want []int
			}{
				"union":        {a.Union(b), slices.Concat(al, pick(bl, not(inA)))},
				"intersection": {a.Intersection(b), pick(al, inB)},
				"difference":   {a.Difference(b), pick(al, not(inB))},
			} {
				if got := ranksOf(test.got); !slices.Equal(got, test.want) {
					t.Errorf("%s of %v and %v: %v, want %v", what, al, bl, got, test.want)
				}
				if want := slices.Index(test.want, c.Rank()); test.got.Rank() != want && (want >= 0 || test.got.Rank() != rank.Undefined) {
					t.Errorf("%s of %v and %v: rank %d, want %d", what, al, bl, test.got.Rank(), want)
				}
			}
			want := rank.Unequal
			switch {
			case slices.Equal(al, bl):
				want = rank.Identical
			case len(al) == len(bl) && len(pick(al, inB)) == len(al):
				want = rank.Similar
			}
			if got := a.Compare(b); got != want {
				t.Errorf("%v and %v are %v, want %v", al, bl, got, want)
			}
			numbers := []int{rank.Null}
			translated := []int{rank.Null}
			for i, r := range al {
				numbers = append(numbers, i)
				k := slices.Index(bl, r)
				if k < 0 {
					k = rank.Undefined
				}
				translated = append(translated, k)
			}
			got, err := a.Translate(b, numbers...)
			ok(t, err)
			if !slices.Equal(got, translated) {
				t.Errorf("%v of %v in %v: %v, want %v", numbers, al, bl, got, translated)
			}
		}
	})
}

// Rule 30: ranges may go down; a rank that is not there or is named twice is an
// error.
func TestRule30RangesAndDuplicates(t *testing.T) {
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		g := c.Group()
		last := w.ranks - 1
		for _, test := range []struct {
			ranges []rank.Range
			want   []int // nil: ErrRank
		}{
			{nil, []int{}},
			{[]rank.Range{{First: 0, Last: 0, Stride: 1}}, []int{0}},
			{[]rank.Range{{First: last, Last: 0, Stride: -last}}, []int{last, 0}},
			{[]rank.Range{{First: 0, Last: last, Stride: math.MaxInt}}, []int{0}},
			{[]rank.Range{{First: 1, Last: 1, Stride: -1}, {First: 0, Last: 0, Stride: 5}}, []int{1, 0}},
			{[]rank.Range{{First: 0, Last: last, Stride: 0}}, nil},
			{[]rank.Range{{First: 0, Last: w.ranks, Stride: 1}}, nil},
			{[]rank.Range{{First: -1, Last: 0, Stride: 1}}, nil},
			{[]rank.Range{{First: 0, Last: last, Stride: -1}}, nil},
			{[]rank.Range{{First: last, Last: 0, Stride: 1}}, nil},
			{[]rank.Range{{First: 0, Last: 1, Stride: 1}, {First: 1, Last: 0, Stride: -1}}, nil},
		} {
			in, err := g.IncludeRanges(test.ranges...)
			out, xerr := g.ExcludeRanges(test.ranges...)
			if test.want == nil {
				if !errors.Is(err, rank.ErrRank) || !errors.Is(xerr, rank.ErrRank) {
					t.Errorf("%v: %v, %v; want ErrRank", test.ranges, err, xerr)
				}
				continue
			}
			ok(t, err)
			ok(t, xerr)
			rest := pick(ranksOf(g), func(r int) bool { return !slices.Contains(test.want, r) })
			if !slices.Equal(ranksOf(in), test.want) || !slices.Equal(ranksOf(out), rest) {
				t.Errorf("%v: in %v, want %v; out %v, want %v", test.ranges, ranksOf(in), test.want, ranksOf(out), rest)
			}
		}
		for _, list := range [][]int{{-1}, {w.ranks}, {0, 0}, {1, 0, 1}, {rank.Null}} {
			if _, err := g.Include(list...); !errors.Is(err, rank.ErrRank) {
				t.Errorf("Include%v: %v", list, err)
			}
			if _, err := g.Exclude(list...); !errors.Is(err, rank.ErrRank) {
				t.Errorf("Exclude%v: %v", list, err)
			}
		}
		if _, err := g.Translate(g, w.ranks); !errors.Is(err, rank.ErrRank) {
			t.Errorf("Translate: %v", err)
		}
		if g.World(-1) != rank.Undefined || g.World(w.ranks) != rank.Undefined || g.Rank() != c.Rank() {
			t.Errorf("World(-1) = %d, World(%d) = %d, Rank = %d", g.World(-1), w.ranks, g.World(w.ranks), g.Rank())
		}
	})
}
