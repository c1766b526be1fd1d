package algo

import "math/bits"

// A fold brings a number of ranks to a power of two: each of the first pairs of
// neighbours leaves its lower rank, and who is left has a place from 0 on.
type fold struct {
	pairs  int // of neighbours that fold
	places int // ranks that are left, a power of two
}

// foldOf returns the fold of p ranks.
func foldOf(p int) fold {
	places := 1 << (bits.Len(uint(p)) - 1)
	return fold{pairs: p - places, places: places}
}

// place returns the place of a rank that is left; of one that is not, that of the
// neighbour it folds into.
func (f fold) place(rank int) int {
	if rank < 2*f.pairs {
		return rank / 2
	}
	return rank - f.pairs
}

// rank returns who has a place.
func (f fold) rank(place int) int {
	if place < f.pairs {
		return 2 * place
	}
	return place + f.pairs
}
