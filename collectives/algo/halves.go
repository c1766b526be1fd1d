package algo

// A branch is a run of ranks, lo to hi−1, and the one of them that the others'
// data pass through.
type branch struct{ rank, lo, hi int }

// halves returns where a rank stands in the tree that begins with the run of all
// ranks, led by root, and cuts each run in two: the half without the leader gets
// its first rank as its own. So ⌈log₂ p⌉ edges lie between root and any rank, and,
// whatever the root, what passes along an edge are the blocks of ranks that follow
// each other. For a power of two and root 0 it is the binomial tree.
//
// parent is −1 for root; own is the run that rank leads; children are the runs that
// were cut from it, the largest first.
func halves(size, root, rank int) (parent int, own branch, children []branch) {
	parent, own = -1, branch{root, 0, size}
	for run := own; run.hi-run.lo > 1; {
		mid := run.lo + (run.hi-run.lo)/2
		half, other := branch{run.rank, run.lo, mid}, branch{mid, mid, run.hi}
		if run.rank >= mid {
			half, other = branch{run.rank, mid, run.hi}, branch{run.lo, run.lo, mid}
		}
		switch {
		case other.lo <= rank && rank < other.hi:
			parent, own, children = run.rank, other, nil
			run = other
		case rank == run.rank:
			children = append(children, other)
			run = half
		default:
			run = half
		}
	}
	return parent, own, children
}
