package launcher

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/muster-mpi/muster/launcher/internal/board"
	"github.com/muster-mpi/muster/launcher/internal/proctree"
)

// jobHandle is by which a job is found again.
type jobHandle struct{ entry board.Entry }

// Jobs lists the jobs of this user whose launchers run on this host, the oldest first.
// Those that begin or end meanwhile may or may not be among them.
func Jobs() ([]JobStatus, error) {
	entries, err := board.List(boardPrefix)
	if err != nil {
		return nil, err
	}
	var all []JobStatus
	for _, e := range entries {
		if j, ok := jobOf(e); ok {
			all = append(all, j)
		}
	}
	slices.SortFunc(all, func(a, b JobStatus) int {
		return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.Job, b.Job))
	})
	return all, nil
}

// jobOf reads what a launcher shows.
func jobOf(e board.Entry) (JobStatus, bool) {
	var j JobStatus
	if json.Unmarshal(e.Text, &j) != nil || boardPrefix+j.Job != e.Name {
		return j, false
	}
	if id, err := hex.DecodeString(j.Job); err != nil || len(id) != 16 {
		return j, false
	}
	j.PID = e.PID // as this process sees it
	j.handle.entry = e
	if isStopped(e.PID) {
		j.State = JobStopped
	}
	return j, true
}

func isStopped(pid int) bool {
	p, ok := proctree.Read(pid)
	return ok && p.State == 'T'
}

// answersWithin is how long a launcher may take to answer: what it waits for itself, for
// another request before this one as well, and what its machine may add.
const answersWithin = 3 * stacksWithin

// Stacks asks a rank of the job for the stacks of its goroutines, all if rank is -1.
func (j *JobStatus) Stacks(ctx context.Context, rank int) (*Stacks, error) {
	if rank < -1 || rank >= j.Ranks {
		return nil, fmt.Errorf("job %.8s has no rank %d, only 0 to %d", j.Job, rank, j.Ranks-1)
	}
	if isStopped(j.PID) {
		return nil, fmt.Errorf("the launcher of job %.8s (pid %d) is stopped and cannot answer: continue it with kill -CONT %[2]d", j.Job, j.PID)
	}
	limited, cancel := context.WithTimeout(ctx, answersWithin)
	defer cancel()
	text, err := j.handle.entry.Ask(limited, fmt.Sprintf("stacks %d", rank))
	switch {
	case errors.Is(err, board.ErrGone):
		return nil, fmt.Errorf("job %.8s ended before it answered", j.Job)
	case err != nil && limited.Err() != nil && ctx.Err() == nil:
		return nil, fmt.Errorf("the launcher of job %.8s (pid %d) did not answer within %v", j.Job, j.PID, answersWithin)
	case err != nil:
		return nil, fmt.Errorf("asking the launcher of job %.8s (pid %d): %w", j.Job, j.PID, err)
	}
	s := new(Stacks)
	if err := json.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("the launcher of job %.8s (pid %d) gave an answer that cannot be read; is it of another version? %w", j.Job, j.PID, err)
	}
	return s, nil
}

const (
	// endsWithin is how long a job may take to end after its ranks had to.
	endsWithin = 10 * time.Second
	// heedsWithin is how long its launcher may take to show that it has heard.
	heedsWithin = time.Second
)

// Kill has the job's launcher end it, as by SIGTERM, and returns once nothing of it is
// left: the launcher gives the ranks Grace to end, or none if now is set. It returns how
// long that took. The error says that the job still runs, or, as ErrJobGone, that it had
// ended before. The signal is for the launcher's whole process.
func (j *JobStatus) Kill(ctx context.Context, now bool) (time.Duration, error) {
	begin := time.Now()
	// A second signal would kill the ranks.
	if j.State != JobEnding || now {
		if err := j.signal(syscall.SIGTERM); err != nil {
			return 0, err
		}
	}
	limit := begin.Add(endsWithin)
	if !now {
		limit = limit.Add(j.Grace)
	}
	again := now && j.State != JobEnding
	for wait := time.Millisecond; ; wait = min(2*wait, 20*time.Millisecond) {
		e, err := j.handle.entry.Again() // one that hides may run other jobs besides
		switch {
		case errors.Is(err, board.ErrGone):
			return time.Since(begin), nil
		case again:
			// Two signals of a kind at once would be one.
			if seen, ok := jobOf(e); err == nil && ok && seen.State == JobEnding || time.Since(begin) > heedsWithin {
				again = false
				if err := j.signal(syscall.SIGTERM); err != nil && !errors.Is(err, ErrJobGone) {
					return 0, err
				}
			}
		case time.Now().After(limit):
			if now {
				return 0, fmt.Errorf("job %.8s still runs %.0f s after it was told twice to end; kill -KILL %d ends its launcher, and with that its ranks", j.Job, time.Since(begin).Seconds(), j.PID)
			}
			return 0, fmt.Errorf("job %.8s still runs %.0f s after it was told to end; muster kill --now %.8[1]s kills its ranks", j.Job, time.Since(begin).Seconds())
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// signal sends sig to the launcher, and continues it, should it be stopped.
func (j *JobStatus) signal(sig syscall.Signal) error {
	err := j.handle.entry.Signal(sig)
	if err == nil {
		err = j.handle.entry.Signal(syscall.SIGCONT)
		if errors.Is(err, board.ErrGone) {
			err = nil // of the first
		}
	}
	if errors.Is(err, board.ErrGone) {
		return fmt.Errorf("job %.8s: %w", j.Job, ErrJobGone)
	}
	return err
}
