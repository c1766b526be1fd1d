package collectives_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/datatype"
	"github.com/muster-mpi/muster/rank"
	"github.com/muster-mpi/muster/rank/ranktest"
)

// columns returns a matrix of rows lines with lead elements, filled with fill, and the
// view of width columns of it from column at on.
func columns(rows, lead, at, width int, fill int64) ([]int64, datatype.View[int64]) {
	m := make([]int64, rows*lead)
	for i := range m {
		m[i] = fill
	}
	return m, datatype.Vector(m[at:], rows, width, lead)
}

// set puts f(i, j) into element i, j of the columns.
func set(m []int64, rows, lead, at, width int, f func(i, j int) int64) {
	for i := range rows {
		for j := range width {
			m[i*lead+at+j] = f(i, j)
		}
	}
}

// Calls on columns of a matrix move those and touch nothing else.
func TestCallsOnViewsMoveTheirElementsOnly(t *testing.T) {
	const rows, lead, at, width = 4, 7, 2, 3
	for _, p := range []int{1, 2, 3, 5} {
		ranktest.Run(t, p, func(t *testing.T, c *rank.Comm) {
			ctx, me := t.Context(), c.Rank()
			check := func(what string, got []int64, err error, want func(i, j int) int64) {
				t.Helper()
				expect, _ := columns(rows, lead, at, width, -1)
				set(expect, rows, lead, at, width, want)
				if err != nil || !slices.Equal(got, expect) {
					t.Fatalf("%s, rank %d of %d: got %v, %v, want %v", what, me, p, got, err, expect)
				}
			}
			mine := func(i, j int) int64 { return int64(me*100 + i*10 + j) }
			sum := func(i, j int) int64 { return int64(p*(p-1)/2*100 + p*(i*10+j)) }

			m, v := columns(rows, lead, at, width, -1)
			set(m, rows, lead, at, width, mine)
			err := collectives.BcastView(ctx, c, p-1, v)
			check("BcastView", m, err, func(i, j int) int64 { return int64((p-1)*100 + i*10 + j) })

			set(m, rows, lead, at, width, mine)
			err = collectives.AllReduceView(ctx, c, v, collectives.Sum)
			check("AllReduceView", m, err, sum)

			set(m, rows, lead, at, width, mine)
			_, err = collectives.IAllReduceView(c, v, collectives.Sum).Wait(ctx)
			check("IAllReduceView", m, err, sum)

			set(m, rows, lead, at, width, mine)
			err = collectives.ReduceView(ctx, c, 0, v, collectives.Sum)
			if me == 0 {
				check("ReduceView", m, err, sum)
			} else {
				check("ReduceView", m, err, mine)
			}

			again := collectives.AllReduceViewInit(c, v, collectives.Sum)
			for range 3 {
				set(m, rows, lead, at, width, mine)
				if _, err := again.Start(); err != nil {
					t.Fatal(err)
				}
				_, err := again.Wait(ctx)
				check("AllReduceViewInit", m, err, sum)
			}

			set(m, rows, lead, at, width, mine)
			_, err = collectives.IReduceView(c, p-1, v, collectives.Sum).Wait(ctx)
			if me == p-1 {
				check("IReduceView", m, err, sum)
			}
			set(m, rows, lead, at, width, mine)
			_, err = collectives.IBcastView(c, 0, v).Wait(ctx)
			check("IBcastView", m, err, func(i, j int) int64 { return int64(i*10 + j) })
			for _, again := range []*rank.Persistent{
				collectives.BcastViewInit(c, 0, v), collectives.ReduceViewInit(c, 0, v, collectives.Max),
			} {
				if _, err := again.Start(); err != nil {
					t.Fatal(err)
				}
				_, err := again.Wait(ctx)
				check("BcastViewInit and ReduceViewInit of equal elements", m, err, func(i, j int) int64 { return int64(i*10 + j) })
			}

			gatherAndScatter(t, c)
		})
	}
}

// gatherAndScatter brings strips of different widths together in a matrix at the root,
// and back.
func gatherAndScatter(t *testing.T, c *rank.Comm) {
	const rows = 3
	me, p, root := c.Rank(), c.Size(), c.Size()-1
	lead := p * (p + 1) / 2
	whole := make([]int64, rows*lead)
	var strips []datatype.View[int64]
	if me == root {
		off := 0
		for r := range p {
			strips = append(strips, datatype.Vector(whole[off:], rows, r+1, lead))
			off += r + 1
		}
	}
	own := vector(me, rows*(me+1))
	if err := collectives.GatherView(t.Context(), c, root, strips, datatype.Contiguous(own)); err != nil {
		t.Fatal(err)
	}
	if me == root {
		off := 0
		for r := range p {
			for k, want := range vector(r, rows*(r+1)) {
				if got := whole[k/(r+1)*lead+off+k%(r+1)]; got != want {
					t.Fatalf("%d ranks: element %d of rank %d's strip is %d, want %d", p, k, r, got, want)
				}
			}
			off += r + 1
		}
	}
	back := make([]int64, len(own))
	err := collectives.ScatterView(t.Context(), c, root, datatype.Contiguous(back), strips)
	if err != nil || !slices.Equal(back, own) {
		t.Fatalf("rank %d of %d: got %v, %v, want %v", me, p, back, err, own)
	}
}

func TestViewsThatDoNotFitAreRefused(t *testing.T) {
	ranktest.Run(t, 1, func(t *testing.T, c *rank.Comm) {
		x := make([]int64, 4)
		twice := datatype.Vector(x, 3, 2, 1)
		if err := collectives.BcastView(t.Context(), c, 0, twice); !errors.Is(err, datatype.ErrOverlap) {
			t.Errorf("elements named twice: got %v, want ErrOverlap", err)
		}
		short := []datatype.View[int64]{datatype.Contiguous(x[:1])}
		if err := collectives.GatherView(t.Context(), c, 0, short, datatype.Contiguous(x)); !errors.Is(err, rank.ErrArgument) {
			t.Errorf("one element for four: got %v, want ErrArgument", err)
		}
	})
}

// The block of a matrix that every rank has a column of becomes whole at the root.
func ExampleGatherView() {
	err := rank.Local(2, func(ctx context.Context, c *rank.Comm) error {
		whole := make([]int64, 6)
		var strips []datatype.View[int64]
		if c.Rank() == 0 {
			strips = []datatype.View[int64]{datatype.Vector(whole, 3, 1, 2), datatype.Vector(whole[1:], 3, 1, 2)}
		}
		column := []int64{int64(c.Rank()), int64(c.Rank() + 10), int64(c.Rank() + 20)}
		err := collectives.GatherView(ctx, c, 0, strips, datatype.Contiguous(column))
		if c.Rank() == 0 {
			fmt.Println(whole)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [0 1 10 11 20 21]
}
