package agent

import (
	"fmt"
	"time"

	"github.com/muster-mpi/muster/internal/record"
)

// unmetAfter is how long a rank waits for one that has come to its end before the user is
// told: what was on its way to it has long come by then.
const unmetAfter = 3 * time.Second

// someLeave reports whether ranks of this host have come to their end while others go on.
func (h *host) someLeave() bool {
	leave, goOn := false, false
	for _, r := range h.ranks {
		leave = leave || r.atEnd()
		goOn = goOn || r.phase == joined && !r.unmet
	}
	return leave && goOn
}

// atEnd reports whether rank r starts nothing any more.
func (r *rankState) atEnd() bool { return r.phase >= leaving }

// noteUnmet tells, once for each rank, that it waits for a message which nobody is going to
// send, or to receive. Nothing else does so, and the job waits for it.
func (h *host) noteUnmet() {
	for _, r := range h.ranks {
		if r.phase != joined || r.unmet || r.exited != nil || r.reader == nil {
			continue
		}
		for _, call := range record.Calls(r.reader.Blocked()) {
			if peer := h.unmet(r, call); peer != "" {
				r.unmet = true
				h.note("rank %d is in %s, but %s; muster stacks shows where they are",
					r.rank, call, peer)
				break
			}
		}
	}
}

// unmet says who has come to its end that could have met a call of rank r; "" if somebody may
// still do so.
func (h *host) unmet(r *rankState, call record.Record) string {
	if call.Comm != "world" || call.Inner() || call.Start.IsZero() || time.Since(call.Start) < unmetAfter {
		return ""
	}
	switch peer := h.rank(int(call.Peer)); {
	case peer != nil && peer != r && peer.atEnd() && call.Tag != record.NoTag:
		return fmt.Sprintf("rank %d has come to its end and waits for the others", peer.rank)
	case call.Peer == record.AnySource && len(h.ranks) == int(h.start.GetSize()) && len(h.ranks) > 1:
		for _, other := range h.ranks {
			if other != r && !other.atEnd() {
				return ""
			}
		}
		return "every other rank has come to its end and waits for it"
	}
	return ""
}
