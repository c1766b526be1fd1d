package algo

import "github.com/muster-mpi/muster/collectives/schedule"

var allGatherDoubling = Algorithm{
	Name: "recursive-doubling", Op: schedule.AllGather, Build: buildAllGatherDoubling,
	Cost:   "log₂ p·α + (p−1)·n·β; where p is no power of two, two steps and p·n·β more",
	Source: "Thakur, Rabenseifner, Gropp: Optimization of Collective Communication Operations in MPICH (2005), §4.1",
}

// buildAllGatherDoubling has every rank exchange all blocks it has with the rank
// whose place among the survivors of the fold differs in one bit, the lowest first.
func buildAllGatherDoubling(s *schedule.Schedule, c *schedule.Call) {
	w := rowOf(s, c)
	doubleRow(s, c, c.Input(), w)
	w.unpack(s)
}

// doubleRow gathers the blocks own of all ranks to w of all by recursive doubling.
// An aligned block of places is a run of ranks, so each exchange is one message.
func doubleRow(s *schedule.Schedule, c *schedule.Call, own schedule.Span, w row) {
	f := foldOf(c.Size)
	folds := c.Rank < 2*f.pairs
	if folds && c.Rank%2 == 1 {
		s.Send(c.Rank-1, own)
		s.Recv(c.Rank-1, w.span)
		return
	}
	s.Copy(w.block(c.Rank), own)
	if folds {
		s.Recv(c.Rank+1, w.block(c.Rank+1))
	}
	me := f.place(c.Rank)
	for bit := 1; bit < f.places; bit <<= 1 {
		mine, theirs := me&^(bit-1), (me^bit)&^(bit-1)
		s.Send(f.rank(me^bit), w.run(f.rank(mine), f.rank(mine+bit)))
		s.Recv(f.rank(me^bit), w.run(f.rank(theirs), f.rank(theirs+bit)))
	}
	if folds {
		s.Send(c.Rank+1, w.span)
	}
}
