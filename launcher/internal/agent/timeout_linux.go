package agent

import (
	"cmp"
	"fmt"
	"time"

	"github.com/muster-mpi/muster/launcher/internal/proctree"
)

// needsClock reports whether a timeout is running.
func (h *host) needsClock() bool {
	switch {
	case len(h.deaths) > 0:
		return true
	case h.ending:
		return false
	}
	if h.awaited() || h.hasPeers() || h.someLeave() {
		return true
	}
	for _, r := range h.ranks {
		if r.stopped && h.start.GetStopTimeoutNanos() > 0 {
			return true
		}
	}
	return false
}

// awaited reports whether ranks of this host are waited for by ones that have joined.
func (h *host) awaited() bool {
	return h.spawned && h.joined < len(h.ranks) && (h.joined > 0 || h.elsewhere)
}

func (h *host) checkTimeouts() {
	if h.ending {
		return
	}
	if h.hasPeers() {
		h.watchPeers()
	}
	if h.someLeave() {
		h.noteUnmet()
	}
	if limit := time.Duration(h.start.GetStartTimeoutNanos()); limit > 0 && h.awaited() && h.awake.total-h.firstIn > limit {
		for _, r := range h.ranks {
			if r.conn != nil || r.exited != nil {
				continue
			}
			state := "not started yet"
			if r.proc != nil {
				state = processState(r.proc.pid)
			}
			h.fail(failure{
				rank: r.rank, code: ExitSpawn,
				what: fmt.Sprintf("did not join within %v of the first rank; %s", limit, state),
			})
			return
		}
	}
	if limit := time.Duration(h.start.GetStopTimeoutNanos()); limit > 0 {
		for _, r := range h.ranks {
			if r.stopped && h.awake.total-r.stoppedAt > limit {
				h.fail(failure{rank: r.rank, code: ExitLost, what: fmt.Sprintf("has been stopped for %v", limit)})
				return
			}
		}
	}
}

var stateNames = map[byte]string{
	'R': "running", 'S': "sleeping", 'D': "waiting for a device", 'T': "stopped", 't': "stopped by a debugger", 'Z': "ended",
}

func processState(pid int) string {
	p, ok := proctree.Read(pid)
	if !ok {
		return "it has ended"
	}
	return fmt.Sprintf("it is %s (state %c)", cmp.Or(stateNames[p.State], "in an unknown state"), p.State)
}
