package rank

import (
	"runtime"
	"strings"

	pb "github.com/muster-mpi/muster/proto"
)

const (
	stackBytes = 4 << 20  // of all stacks together
	stackPiece = 32 << 10 // in one message
)

// dump sends the agent the stacks of all goroutines.
func (c *control) dump(number uint64) {
	text := make([]byte, stackBytes)
	text = text[:runtime.Stack(text, true)]
	for {
		n := min(len(text), stackPiece)
		piece := strings.ToValidUTF8(string(text[:n]), "?")
		text = text[n:]
		m := &pb.RankStacks{Number: number, Text: piece, Last: len(text) == 0}
		if c.conn.Send(&pb.FromRank{Kind: &pb.FromRank_Stacks{Stacks: m}}) != nil || m.Last {
			return
		}
	}
}
