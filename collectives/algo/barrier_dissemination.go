package algo

import "github.com/muster-mpi/muster/collectives/schedule"

var barrierDissemination = Algorithm{
	Name: "dissemination", Op: schedule.Barrier, Build: buildBarrierDissemination, Turns: true,
	Cost:   "⌈log₂ p⌉·α",
	Source: "Hensgen, Finkel, Manber: Two Algorithms for Barrier Synchronization (1988)",
}

// buildBarrierDissemination disseminates a token that nothing waits for.
func buildBarrierDissemination(s *schedule.Schedule, c *schedule.Call) {
	if c.Size > 1 {
		disseminate(s, c, s.Token())
	}
}

// disseminate has every rank tell the one 1, 2, 4, … above it that all it has heard
// of so far are here. It begins once heard is written; what it returns has come from
// all others, and heard as it was then is what this rank adds to that.
//
// A token that came is copied onto the one that is sent. If the same were received
// and sent, a receive would wait for the send before it, and where sends wait for
// their receivers all ranks would wait in a circle.
func disseminate(s *schedule.Schedule, c *schedule.Call, heard schedule.Span) schedule.Span {
	came := s.Token()
	for far := 1; far < c.Size; far <<= 1 {
		if far > 1 {
			s.Copy(heard, came)
		}
		s.Send((c.Rank+far)%c.Size, heard)
		s.Recv((c.Rank+c.Size-far)%c.Size, came)
	}
	return came
}
