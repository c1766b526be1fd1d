package agent

import (
	"time"

	"github.com/muster-mpi/muster/internal/knock"
	"golang.org/x/sys/unix"
)

// leastRoom is how many connections that have proven nothing a host's port has to have
// room for at least, where descriptors are few.
const leastRoom = 8

// strangersRoom is how many connections that have proven nothing the agent's port may
// hold: half of what its ranks' descriptors leave, and no more than suffices.
func (h *host) strangersRoom() int {
	if !h.hasPort() {
		return 0
	}
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return knock.HalfOpen
	}
	spare := int64(min(limit.Cur, 1<<20)) - int64(descriptors(len(h.ranks)))
	return int(min(knock.HalfOpen, max(leastRoom, spare/2)))
}

// strangers is what there is to tell of those who have knocked and are not of the job.
type strangers struct {
	latest  string
	waiting bool      // for this host's turn
	told    time.Time // when it was last told
}

// onStranger tells the user of someone who knocks and is not of the job, at this host's
// next turn, and then only of the latest.
func (h *host) onStranger(f *knock.Foreign) {
	s := &h.net.strangers
	s.latest = f.Error()
	if s.waiting {
		return
	}
	s.waiting = true
	tell := func() {
		s.waiting, s.told = false, time.Now()
		h.note("%s: %s; refused", h.hostName(), s.latest)
	}
	at := time.Since(time.Unix(0, h.start.GetStartUnixNanos()))
	if wait := untilTurn(at, time.Since(s.told), int(h.start.GetHost()), h.hosts()); wait > 0 {
		time.AfterFunc(wait, func() { h.post(tell) })
		return
	}
	tell()
}

// hosts is how many hosts the job has.
func (h *host) hosts() int {
	n := 1
	for _, run := range h.start.GetHosts() {
		n = max(n, int(run.GetHost())+1)
	}
	return n
}

// untilTurn is how long host number turn of turns waits before it may tell of strangers,
// so that all hosts together do not fill the user's terminal: each may do so in one
// second of as many as there are hosts, and once in it. at is the time since the job's
// start, told that since it was last told.
func untilTurn(at, told time.Duration, turn, turns int) time.Duration {
	round := time.Duration(turns) * time.Second
	begin := time.Duration(turn) * time.Second
	into := ((at-begin)%round + round) % round
	if into < time.Second && told > time.Second {
		return 0
	}
	return round - into
}
