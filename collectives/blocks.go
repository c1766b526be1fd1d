package collectives

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/muster-mpi/muster/collectives/schedule"
	"github.com/muster-mpi/muster/rank"
)

// Blocks says how a buffer is divided among the ranks: Counts[r] elements for rank
// r, from Displs[r] on; without Displs one after the other. Displs may leave holes,
// which are not touched, and need not ascend.
type Blocks = schedule.Blocks

// extent returns how long a buffer divided by b into p blocks is at least, or what is
// wrong with b. With written no element may be in two blocks.
func extent(b Blocks, p int, written bool) (int, error) {
	switch {
	case b.Counts == nil:
		return 0, fmt.Errorf("%w: the blocks have no Counts", rank.ErrArgument)
	case len(b.Counts) != p:
		return 0, fmt.Errorf("%w: Counts has %d entries, want %d", rank.ErrArgument, len(b.Counts), p)
	case b.Displs != nil && len(b.Displs) != p:
		return 0, fmt.Errorf("%w: Displs has %d entries, want %d", rank.ErrArgument, len(b.Displs), p)
	}
	end := 0
	for r, n := range b.Counts {
		switch {
		case n < 0:
			return 0, fmt.Errorf("%w: Counts[%d] is %d", rank.ErrArgument, r, n)
		case b.Displs == nil:
			end += n
		case b.Displs[r] < 0 && n > 0:
			return 0, fmt.Errorf("%w: Displs[%d] is %d", rank.ErrArgument, r, b.Displs[r])
		case n > 0:
			end = max(end, b.Displs[r]+n)
		}
	}
	if written && b.Displs != nil {
		return end, apart(b)
	}
	return end, nil
}

// apart returns an error if two of b's blocks share elements.
func apart(b Blocks) error {
	var order []int
	for r, n := range b.Counts {
		if n > 0 {
			order = append(order, r)
		}
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(b.Displs[i], b.Displs[j]) })
	for k := 1; k < len(order); k++ {
		i, j := order[k-1], order[k]
		if b.Displs[i]+b.Counts[i] > b.Displs[j] {
			return fmt.Errorf("%w: blocks %d and %d share elements", rank.ErrArgument, i, j)
		}
	}
	return nil
}

// spans returns where the blocks of b lie in buf.
func spans(buf schedule.Buffer, b Blocks) func(i int) schedule.Span {
	displs := b.Displs
	if displs == nil {
		displs = make([]int, len(b.Counts))
		for i := 1; i < len(displs); i++ {
			displs[i] = displs[i-1] + b.Counts[i-1]
		}
	}
	return func(i int) schedule.Span {
		if b.Counts[i] == 0 {
			return schedule.Span{Buf: buf} // of which the place does not count
		}
		return schedule.Span{Buf: buf, Off: displs[i], Len: b.Counts[i]}
	}
}

// fit returns buf if it has n elements, a new slice of n if it is nil, and refuses
// others; with more it may be longer.
func (p *plan[T]) fit(buf []T, n int, what string, more bool) []T {
	switch {
	case p.err != nil:
	case buf == nil:
		return make([]T, n)
	case len(buf) < n || len(buf) > n && !more:
		p.refuse("%s has %d elements, want %d", what, len(buf), n)
	}
	return buf
}

// divided gives the plan the division of the large buffer among the ranks; it is
// of n elements at least.
func (p *plan[T]) divided(b Blocks, written bool) (n int) {
	if p.err != nil {
		return 0
	}
	n, p.err = extent(b, p.call.Size, written)
	p.call.Of = b
	return n
}

// exchangeCounts tells every rank what each gives for its own.
func exchangeCounts(ctx context.Context, c *rank.Comm, name string, mine int, opts []Option) ([]int, error) {
	if c == nil {
		return nil, (&plan[int]{name: name}).fail(blocking, rank.ErrComm)
	}
	counts := make([]int, c.Size())
	p := allGather(c, name, counts, []int{mine}, withoutUsing(opts))
	return counts, p.do(ctx)
}

// withoutUsing is opts for another operation than the caller's.
func withoutUsing(opts []Option) []Option {
	return slices.DeleteFunc(slices.Clone(opts), func(o Option) bool { return o.kind == optionUsing })
}
