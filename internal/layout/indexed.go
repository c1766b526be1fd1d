package layout

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
)

// Run is Len bytes at Offset.
type Run struct{ Offset, Len int }

// placed is a run of an indexed Plan; it ends where the next begins.
type placed struct{ packed, mem int }

// Indexed returns the plan of runs in the order given. Empty runs are dropped,
// those that follow each other without a gap are joined, and equal runs at
// equal distances become a strided plan. It copies runs. Errors: ErrPlan for a
// negative length and for a plan whose offsets or size exceed an int.
func Indexed(runs []Run) (*Plan, error) {
	p := &Plan{}
	kept := make([]placed, 0, len(runs)+1)
	for i, r := range runs {
		if r.Len < 0 {
			return nil, fmt.Errorf("layout: run %d has length %d, want 0 or more: %w", i, r.Len, ErrPlan)
		}
		if r.Len == 0 {
			continue
		}
		end, ok := add(r.Offset, r.Len)
		size, ok2 := add(p.size, r.Len)
		if !ok || !ok2 {
			return nil, fmt.Errorf("layout: run %d (offset %d, length %d) leaves the range of an int: %w", i, r.Offset, r.Len, ErrPlan)
		}
		if n := len(kept); n == 0 {
			p.lo, p.hi = r.Offset, end
		} else {
			p.lo, p.hi = min(p.lo, r.Offset), max(p.hi, end)
		}
		if n := len(kept); n == 0 || r.Offset != kept[n-1].mem+p.size-kept[n-1].packed {
			kept = append(kept, placed{packed: p.size, mem: r.Offset})
		}
		p.size = size
	}
	if len(kept) == 0 {
		return p, nil
	}
	p.runs = append(kept, placed{packed: p.size})
	if block, dim, ok := p.regular(); ok {
		return Strided(p.runs[0].mem, block, dim)
	}
	for k := range len(p.runs) - 1 {
		p.longest = max(p.longest, p.runLen(k))
	}
	p.overlap = p.collides()
	return p, nil
}

// runLen returns the length of run k of an indexed plan.
func (p *Plan) runLen(k int) int { return p.runs[k+1].packed - p.runs[k].packed }

// regular reports whether the runs of p are equal and at equal distances.
// Offsets below zero are left alone: their distances may exceed an int.
func (p *Plan) regular() (block int, d Dim, ok bool) {
	n := len(p.runs) - 1
	block = p.runLen(0)
	if p.lo < 0 {
		return 0, Dim{}, false
	}
	if n == 1 {
		return block, Dim{1, 0}, true
	}
	stride := p.runs[1].mem - p.runs[0].mem
	for k := 1; k < n; k++ {
		if p.runLen(k) != block || p.runs[k].mem-p.runs[k-1].mem != stride {
			return 0, Dim{}, false
		}
	}
	return block, Dim{n, stride}, true
}

// collides reports whether two runs of an indexed plan share a byte.
func (p *Plan) collides() bool {
	n := len(p.runs) - 1
	ascending := true
	for k := 1; k < n && ascending; k++ {
		ascending = p.runs[k].mem >= p.runs[k-1].mem+p.runLen(k-1)
	}
	if ascending {
		return false
	}
	sorted := make([]Run, n)
	for k := range n {
		sorted[k] = Run{p.runs[k].mem, p.runLen(k)}
	}
	slices.SortFunc(sorted, func(a, b Run) int { return cmp.Compare(a.Offset, b.Offset) })
	for k := 1; k < n; k++ {
		if sorted[k].Offset < sorted[k-1].Offset+sorted[k-1].Len {
			return true
		}
	}
	return false
}

// find returns the run of an indexed plan that holds packed offset off, which
// lies inside the plan.
func (p *Plan) find(off int) int {
	if off < p.runs[1].packed {
		return 0
	}
	return sort.Search(len(p.runs), func(k int) bool { return p.runs[k].packed > off }) - 1
}
