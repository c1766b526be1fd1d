package launcher

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/muster-mpi/muster/internal/output"
)

// finish ends what is left of the agents, waits for the output to reach its
// reader, and says how the job ended.
func (r *run) finish(ctx context.Context, signals Signals) (Result, error) {
	r.show()
	r.reaching()
	r.awaitReachers()
	for _, a := range r.agents {
		if !a.over() {
			r.lose(a, "it does not answer") // overdue
		}
	}
	r.closeAgents()
	r.judgeLost()
	for _, x := range r.result.Ranks {
		if f := r.result.Failure; x.ByMuster && (f == nil || f.Rank != x.Rank) {
			r.result.Stopped++
		}
	}
	if !r.stopped {
		r.result.Stragglers = stragglers(r.result.Ranks)
	}
	r.result.Code = r.code
	r.result.Elapsed = time.Since(r.result.Start)
	var err error
	if f := r.result.Failure; f != nil && !r.started && f.PID == 0 {
		err = errors.New(f.What)
	}
	if len(r.result.Leftovers) > 0 && r.job.Strict && r.result.Code == 0 {
		r.result.Code = ExitLeftover
	}
	if err != nil {
		r.result.Unswept = r.awaitSweeps()
	}
	r.flush(ctx, signals, err == nil)
	if r.job.Report != "" {
		if e := writeReport(r.job.Report, &r.result); e != nil {
			r.sink.Message(fmt.Sprintf("muster: %v\n", e))
		}
	}
	return r.result, errors.Join(err, ctx.Err())
}

// flush waits for the output to reach its reader and then, if the job has begun,
// says how it ended. It gives up when ctx ends or a signal asks for that.
func (r *run) flush(ctx context.Context, signals Signals, begun bool) {
	flushed, cancel := context.WithCancel(ctx)
	defer cancel()
	written := make(chan concluded, 1)
	go func() {
		select {
		case <-r.feed.drained():
		case <-flushed.Done():
		case <-time.After(patience): // a pager may never ask for the rest
		}
		var c concluded
		if begun {
			c.unswept = r.conclude()
		}
		c.stats, _ = r.sink.Close(flushed) // that the reader has gone is known by now
		written <- c
	}()
	var giveUp <-chan time.Time
	gone := flushed.Done()
	for {
		select {
		case c := <-written:
			r.result.DroppedLines, r.result.LostBytes = c.stats.DroppedLines, c.stats.LostBytes
			r.result.Unswept = append(r.result.Unswept, c.unswept...)
			return
		case s := <-signals:
			// The ranks have ended; what keeps the job is its reader.
			switch s {
			case syscall.SIGTSTP:
				stopSelf()
			case syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM:
				cancel()
			}
		case <-gone:
			gone, giveUp = nil, time.After(time.Second)
		case <-giveUp:
			return
		}
	}
}

// concluded is what flush learns in a goroutine that it may leave behind.
type concluded struct {
	stats   output.Stats
	unswept []string
}

// conclude says how the job ended. It returns the hosts that awaitSweeps names.
func (r *run) conclude() (unswept []string) {
	switch {
	case r.result.Failure != nil:
		r.sink.Message(r.result.banner())
	case r.reason != "":
		r.say("job %.8s ended by %s after %s; exit %d", r.result.Job, r.reason, seconds(r.result.Elapsed), r.result.Code)
	}
	if text := waitText(&r.result); text != "" && r.job.Timing && !r.stopped {
		r.sink.Message(text)
	}
	if text := leftoverText(r.result.Leftovers); text != "" {
		r.sink.Message(text)
	}
	if n := r.result.Strays; n > 0 && r.result.Failure == nil {
		r.say("ranks had left processes behind; %d ended", n)
	}
	return r.awaitSweeps()
}
