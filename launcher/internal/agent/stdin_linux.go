package agent

import pb "github.com/muster-mpi/muster/proto"

// stdinAll in Start says that every rank reads a copy of the launcher's input.
const stdinAll = -2

// feedStdin writes the launcher's input to the ranks that read it. A rank that
// reads nothing holds up the launcher's reading and nothing else.
func (h *host) feedStdin() {
	for {
		messages := h.stdin.Take()
		if messages == nil {
			return
		}
		for _, m := range messages {
			for _, r := range h.ranks {
				if r.stdin == nil {
					continue
				}
				if len(m.GetData()) > 0 {
					r.stdin.Write(m.GetData()) // fails when the rank reads no more, which is its right
				}
				if m.GetEof() {
					r.stdin.Close()
				}
			}
			if n := len(m.GetData()); n > 0 {
				h.send(&pb.FromAgent{Kind: &pb.FromAgent_StdinTaken{StdinTaken: &pb.StdinTaken{Bytes: int64(n)}}})
			}
		}
	}
}
