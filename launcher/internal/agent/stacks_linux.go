package agent

import (
	"strings"

	pb "github.com/muster-mpi/muster/proto"
)

// maxStacks bounds the text of one rank's stacks.
const maxStacks = 8 << 20

// dump asks the ranks of this host for the stacks of their goroutines, and answers
// for those that cannot be asked.
func (h *host) dump(m *pb.Dump) {
	for _, r := range h.ranks {
		if m.GetRank() >= 0 && int(m.GetRank()) != r.rank {
			continue
		}
		why := ""
		switch {
		case r.exited != nil:
			why = "it has ended"
		case r.stopped:
			why = "it is stopped"
		case r.conn == nil || r.silent:
			why = "it has not joined the job, so muster cannot ask it"
		}
		if why != "" {
			h.sendStacks(r, m.GetNumber(), "", why)
			continue
		}
		r.stacks = new(strings.Builder)
		r.tell(&pb.ToRank{Kind: &pb.ToRank_Dump{Dump: &pb.DumpStacks{Number: m.GetNumber()}}})
	}
}

// onStacks is a piece of what dump has asked for.
func (h *host) onStacks(r *rankState, m *pb.RankStacks) {
	if r.stacks == nil {
		return
	}
	if r.stacks.Len() < maxStacks {
		r.stacks.WriteString(m.GetText())
	}
	if m.GetLast() {
		h.sendStacks(r, m.GetNumber(), r.stacks.String(), "")
		r.stacks = nil
	}
}

func (h *host) sendStacks(r *rankState, number uint64, text, why string) {
	m := &pb.Stacks{Number: number, Rank: int32(r.rank), Text: text, Error: why, Pid: int64(r.pid)}
	if r.pid == 0 && r.proc != nil {
		m.Pid = int64(r.proc.pid)
	}
	h.send(&pb.FromAgent{Kind: &pb.FromAgent_Stacks{Stacks: m}})
}
