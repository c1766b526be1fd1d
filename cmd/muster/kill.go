package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/muster-mpi/muster/launcher"
)

// A killed job as muster kill --json tells of it.
type killed struct {
	Job     string        `json:"job"`
	PID     int           `json:"pid"` // of the launcher
	Ended   bool          `json:"ended"`
	Elapsed time.Duration `json:"elapsed_ns"` // until nothing of it was left
	Error   string        `json:"error,omitempty"`
}

// kill is muster kill.
func kill(args []string, stdout, stderr io.Writer) int {
	l, err := parseJobLine("kill", killFlags, args, true)
	switch {
	case err != nil:
		return failed(stderr, launcher.ExitUsage, err)
	case l.help:
		fmt.Fprint(stdout, killHelp())
		return 0
	}
	j, err := l.find()
	if err != nil {
		return jobsFailed(stderr, err)
	}
	took, err := j.Kill(context.Background(), l.now)
	gone := errors.Is(err, launcher.ErrJobGone)
	if gone {
		err = nil
	}
	k := killed{Job: j.Job, PID: j.PID, Ended: err == nil, Elapsed: took}
	if err != nil {
		k.Error = err.Error()
	}
	if l.json {
		if e := writeJSON(stdout, k); e != nil {
			return failed(stderr, launcher.ExitResource, e)
		}
	}
	switch {
	case err != nil && l.json:
		return exitNoJob
	case err != nil:
		return jobsFailed(stderr, err)
	case gone && !l.json:
		fmt.Fprintf(stdout, "job %.8s (pid %d) had just ended\n", j.Job, j.PID)
	case !l.json:
		how := "after it was told to end"
		switch {
		case l.now:
			how = "after its ranks were ordered killed"
		case j.State == launcher.JobEnding:
			how = "later; it was ending already"
		}
		fmt.Fprintf(stdout, "job %.8s (pid %d, %s) ended %.2f s %s\n", j.Job, j.PID, count(j.Ranks, "rank"), took.Seconds(), how)
	}
	return 0
}
