package agent

import (
	"strings"

	pb "github.com/muster-mpi/muster/proto"
)

// maxStacks bounds the text of one rank's stacks.
const maxStacks = 8 << 20

// stacksText is what has come so far of the answer to one Dump.
type stacksText struct {
	number uint64
	text   strings.Builder
}

// dump asks the ranks of this host for the stacks of their goroutines, and answers
// for those that cannot be asked. Of a rank that has not answered yet the answer to the
// one before is not waited for any more.
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
		case r.conn == nil:
			why = "it has not joined the job, so muster cannot ask it"
		case r.phase == left:
			why = "it has left the job"
		case r.silent:
			why = "it has closed its control connection"
		}
		if why != "" {
			h.sendStacks(r, m.GetNumber(), "", why)
			continue
		}
		r.stacks = &stacksText{number: m.GetNumber()}
		r.tell(&pb.ToRank{Kind: &pb.ToRank_Dump{Dump: &pb.DumpStacks{Number: m.GetNumber()}}})
	}
}

// onStacks is a piece of what dump has asked for.
func (h *host) onStacks(r *rankState, m *pb.RankStacks) {
	if r.stacks == nil || r.stacks.number != m.GetNumber() {
		return
	}
	if r.stacks.text.Len() < maxStacks {
		r.stacks.text.WriteString(m.GetText())
	}
	if m.GetLast() {
		h.sendStacks(r, m.GetNumber(), r.stacks.text.String(), "")
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
