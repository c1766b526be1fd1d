package agent

import (
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Where ranks do not exceed cores, each begins on a share of its own: the kernel
// often starts two on one core and takes tenths of a second to part them, in which
// two ranks that spin for each other's messages get nowhere. Once a rank has
// joined it may run anywhere, so that jobs which meet on a host do not end up on
// the same cores for good. A program that does not join is let go after a while.
const looseAfter = time.Second

// spreads reports whether ranks begin on cores of their own.
func (s *spawner) spreads() bool {
	return !s.h.start.GetBindCores() && len(s.h.ranks) <= len(s.cores)
}

// loosen lets rank r run on every core that the agent may use.
func (h *host) loosen(r *rankState) {
	if !r.spread || r.proc == nil {
		return
	}
	r.spread = false
	h.table.alive(r.proc, func(pid int) { setThreads(pid, &h.affinity) })
	if r.pid > 0 && r.pid != r.proc.pid {
		setThreads(r.pid, &h.affinity) // it joined from under a wrapper script
	}
}

// setThreads sets the affinity of every thread of a process. One that is made
// meanwhile inherits that of its maker, so a second look catches it.
func setThreads(pid int, set *unix.CPUSet) {
	for range 2 {
		tasks, err := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/task")
		if err != nil {
			return
		}
		for _, t := range tasks {
			if tid, err := strconv.Atoi(t.Name()); err == nil {
				unix.SchedSetaffinity(tid, set)
			}
		}
	}
}
