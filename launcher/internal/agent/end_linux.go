package agent

import (
	"io"
	"os"
	"syscall"
	"time"

	"github.com/muster-mpi/muster/internal/boot"
	"github.com/muster-mpi/muster/launcher/internal/proctree"
	pb "github.com/muster-mpi/muster/proto"
)

// deathTime is how long processes may take to die of SIGKILL before they are
// reported and left.
const deathTime = 5 * time.Second

// end tells every rank to end, and kills those that have not after grace. A
// later call can only make the grace shorter.
func (h *host) end(grace time.Duration) {
	first := !h.ending
	h.ending = true
	h.table.close()
	h.news.Close(io.EOF)
	if grace <= 0 {
		h.kill()
		return
	}
	if first {
		h.table.signal(syscall.SIGTERM)
		h.table.signal(syscall.SIGCONT) // a stopped process dies of no SIGTERM
	}
	time.AfterFunc(grace, func() { h.post(h.kill) })
}

func (h *host) kill() {
	h.killed = true
	h.table.signal(syscall.SIGKILL)
}

// proceed takes the job through its last steps once all ranks have ended:
// strays are killed, output is drained, Done is sent. It reports whether that
// was the last.
func (h *host) proceed() (over bool) {
	h.judgeDeaths()
	if !h.spawned || h.live > 0 || len(h.deaths) > 0 {
		return false
	}
	if !h.finishing {
		h.finishing = true
		h.ending = true
		h.table.close()
		h.closeNetwork()
		go h.finish()
	}
	if !h.drained || h.reporting {
		return false
	}
	done := &pb.Done{Strays: int32(h.strays), Survivors: h.survivors}
	for _, r := range h.ranks {
		if r.exited.GetByAgent() {
			done.Killed++
		}
	}
	h.send(&pb.FromAgent{Kind: &pb.FromAgent_Done{Done: done}})
	h.outbox.Close(io.EOF)
	return true
}

// finish kills what the ranks have left behind and waits for the end of their
// output.
func (h *host) finish() {
	strays, survivors := killStrays(h.table)
	for _, r := range h.ranks {
		if r.listener != nil {
			r.listener.Close()
		}
		if r.stdin != nil {
			r.stdin.Close()
		}
	}
	for _, r := range h.ranks {
		if r.proc != nil {
			r.streams[0].finish()
			r.streams[1].finish()
		}
	}
	for _, r := range h.ranks {
		if r.proc == nil {
			continue
		}
		for _, s := range r.streams {
			select {
			case <-s.ended:
			case <-h.abandoned: // nobody gives credit any more
			}
		}
	}
	h.post(func() {
		h.strays, h.survivors, h.drained = strays, survivors, true
		if err := h.removeScratch(); err != nil {
			h.note("%v", err)
		}
	})
}

// killStrays kills every descendant of the agent until there is none.
func killStrays(t *table) (killed int, survivors []int64) {
	deadline := time.Now().Add(deathTime)
	hit := make(map[proctree.Process]bool)
	for !t.isIdle() {
		below := proctree.Below(proctree.All(), func(p proctree.Process) bool { return p.PID == os.Getpid() })
		survivors = survivors[:0]
		for _, p := range below {
			survivors = append(survivors, int64(p.PID))
			if p.Kill() {
				p.State, p.Parent, p.Group, p.Session = 0, 0, 0, 0 // the rest is its identity
				hit[p] = true
			}
		}
		if time.Now().After(deadline) {
			return len(hit), survivors
		}
		time.Sleep(time.Millisecond) // until the reaper has seen them
	}
	return len(hit), nil
}

// sweepJob kills every process of this user that has the job in its environment, and
// what descends from those.
func sweepJob(job string) (killed int, survivors []int64) {
	mark := boot.EnvJob + "=" + job
	deadline := time.Now().Add(deathTime)
	hit := make(map[int]bool)
	for {
		all := proctree.All()
		marked := make(map[int]bool)
		for _, p := range all {
			for _, kv := range proctree.Environ(p.PID) {
				if string(kv) == mark && p.State != 'Z' && p.PID != os.Getpid() {
					marked[p.PID] = true
				}
			}
		}
		found := proctree.Below(all, func(p proctree.Process) bool { return marked[p.PID] })
		for _, p := range all {
			if marked[p.PID] {
				found = append(found, p)
			}
		}
		survivors = survivors[:0]
		for _, p := range found {
			if p.State != 'Z' {
				p.Kill()
				hit[p.PID] = true
				survivors = append(survivors, int64(p.PID))
			}
		}
		if len(survivors) == 0 || time.Now().After(deadline) {
			return len(hit), survivors
		}
		time.Sleep(time.Millisecond)
	}
}
