package algo

import "github.com/muster-mpi/muster/collectives/schedule"

// A partial is a vector that a rank has combined from those of some ranks in a row,
// at first from its own alone. The caller's vector is never copied: the first
// combination reads it and writes elsewhere.
type partial struct {
	s    *schedule.Schedule
	span schedule.Span // where it lies
	into schedule.Span // where combinations go; empty: scratch memory
	tmp  schedule.Span // where vectors arrive; taken when the first does
}

// take receives the vector of the ranks just below or just above x's and combines
// it with x.
func (x *partial) take(from int, below bool) {
	n := x.span.Len
	if x.tmp.Len == 0 {
		x.tmp = x.s.Scratch(n)
	}
	if x.into.Len == 0 {
		x.into = x.s.Scratch(n)
	}
	x.s.Recv(from, x.tmp)
	if below {
		x.s.Reduce(x.into, x.tmp, x.span)
	} else {
		x.s.Reduce(x.into, x.span, x.tmp)
	}
	x.span = x.into
}

// leader returns who has the vector of the n places from lo on, a block of a
// power of two aligned to it: root if it is of one of these places, else the lowest
// rank. So what is combined on the way to root needs no hop more to get there.
func (f fold) leader(root, lo, n int) int {
	if at := f.place(root); lo <= at && at < lo+n {
		return root
	}
	return f.rank(lo)
}

// fold combines the vectors of neighbours that f folds, and reports whether rank
// goes on: it leads its place.
func (x *partial) fold(f fold, root, rank int) bool {
	if rank >= 2*f.pairs {
		return true
	}
	if lead := f.leader(root, rank/2, 1); lead != rank {
		x.s.Send(lead, x.span)
		return false
	}
	x.take(rank^1, rank%2 == 1)
	return true
}

// halve shares out x among the places of f by recursive halving: of the pieces that
// bound divides the vector into, one for each place, place me has on return the one
// that it returns the number of, combined from all ranks. Neighbouring places
// exchange first, which makes the brackets canonical and the number of the piece
// that of the place with its bits reversed.
func (x *partial) halve(f fold, root, me int, bound func(i int) int) int {
	if x.into.Len == 0 && f.places > 1 {
		x.into = x.s.Scratch(x.span.Len)
	}
	part := func(v schedule.Span, lo, hi int) schedule.Span {
		return v.Part(bound(lo), bound(hi)-bound(lo))
	}
	lo, hi := 0, f.places
	for bit := 1; bit < f.places; bit <<= 1 {
		partner, mid := f.leader(root, me^bit, 1), (lo+hi)/2
		below, above := part(x.span, lo, mid), part(x.span, mid, hi)
		if me&bit == 0 {
			tmp := x.s.Scratch(below.Len)
			x.s.Send(partner, above)
			x.s.Recv(partner, tmp)
			x.s.Reduce(part(x.into, lo, mid), below, tmp)
			hi = mid
		} else {
			tmp := x.s.Scratch(above.Len)
			x.s.Send(partner, below)
			x.s.Recv(partner, tmp)
			x.s.Reduce(part(x.into, mid, hi), tmp, above)
			lo = mid
		}
		x.span = x.into
	}
	return lo
}
