package launcher

import (
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/muster-mpi/muster/launcher/internal/board"
)

// boardPrefix begins the name under which a launcher shows a job; the job's identifier
// follows.
const boardPrefix = "muster-job-"

// showEvery is how far apart changes are shown.
const showEvery = 20 * time.Millisecond

// showing is what other processes of the user see of the job. It belongs to Run's
// goroutine.
type showing struct {
	board *board.Board // nil where the host permits none: the job runs unseen
	job   JobStatus    // as it was shown last
	due   <-chan time.Time
}

// startShowing shows the job from now on.
func (r *run) startShowing() {
	b, err := board.Post(boardPrefix + r.result.Job)
	if err != nil {
		return
	}
	r.showing.board = b
	r.showing.job = JobStatus{
		Job: r.result.Job, PID: os.Getpid(), Command: shortCommand(os.Args),
		Ranks: len(r.result.Ranks), Start: r.result.Start, Grace: r.grace(),
	}
	for n, h := range r.plan.hosts {
		r.showing.job.Hosts = append(r.showing.job.Hosts, HostRanks{Host: h.Name, Ranks: r.ranksOf(n)})
	}
	r.show()
	go b.Serve(r.answer)
}

// stopShowing takes the job off the board, which tells others that nothing of it is left.
func (r *run) stopShowing() {
	if r.showing.board != nil {
		r.showing.board.Close()
	}
}

// noteChange sees to it that what has changed is shown soon.
func (r *run) noteChange() {
	s := &r.showing
	if s.board != nil && s.due == nil && (s.job.State != r.state() || s.job.Joined != r.joined) {
		s.due = time.After(showEvery)
	}
}

// show shows how the job stands.
func (r *run) show() {
	s := &r.showing
	if s.board == nil {
		return
	}
	s.due = nil
	s.job.State, s.job.Joined = r.state(), r.joined
	text, err := json.Marshal(s.job)
	if err != nil {
		return
	}
	s.board.Show(text) // if that fails for want of memory the change before is seen a little longer
}

// state says how far the job is.
func (r *run) state() string {
	switch {
	case r.ending || r.result.Failure != nil || r.allOver():
		return JobEnding
	case !r.all(func(a *hostAgent) bool { return a.begun }):
		return JobReaching
	case !r.started || r.joined > 0 && r.joined < len(r.result.Ranks):
		return JobStarting
	}
	return JobRunning
}

// answer answers a request of another process, from the board's goroutine. There is one
// kind of request, which changes nothing: "stacks RANK", -1 for all ranks.
func (r *run) answer(request string) []byte {
	verb, argument, _ := strings.Cut(request, " ")
	rank, err := strconv.Atoi(argument)
	if verb != "stacks" || err != nil || rank < -1 || rank >= len(r.plan.host) {
		return nil
	}
	text, err := json.Marshal(r.gather(rank))
	if err != nil {
		return nil
	}
	return text
}
