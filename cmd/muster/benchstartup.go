package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/muster-mpi/muster/bench/contest"
	"github.com/muster-mpi/muster/bench/results"
)

// startup are the tests of muster bench startup: an empty program from start to
// finish, as a shell would see it, and the memory of ranks that wait.
func (r *benchRun) startup() (tests []contest.Test, list []contest.Contestant) {
	b := r.line
	for _, n := range b.ranks {
		tests = append(tests, contest.Test{Name: "startup", Ranks: n})
	}
	tests = append(tests, contest.Test{Name: "memory", Ranks: b.memory})
	waiting := r.launched("p2p", "", false)
	list = append(list, contest.Contestant{Kind: results.Ours, Name: "muster", Run: func(ctx context.Context, t contest.Test) (string, error) {
		if t.Name == "memory" {
			t.Args = []string{"-t", "memory"}
			return waiting(ctx, t)
		}
		return r.timed(func() error { return r.wholeRun(ctx, t.Ranks) })
	}})
	for _, p := range r.peers {
		list = append(list, contest.Contestant{Kind: results.Peer, Name: p.Name, Transport: "shm", Run: func(ctx context.Context, t contest.Test) (string, error) {
			if t.Name == "memory" {
				return p.Run(ctx, "shm", t.Ranks, runtime.NumCPU(), []string{"-t", "memory"})
			}
			return r.timed(func() error {
				_, err := p.Run(ctx, "shm", t.Ranks, runtime.NumCPU(), []string{"-t", "empty"})
				return err
			})
		}})
	}
	return tests, list
}

// wholeRun is muster run of the empty program, as a process of its own.
func (r *benchRun) wholeRun(ctx context.Context, ranks int) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, self, "run", "--oversubscribe", "-n", strconv.Itoa(ranks), r.program["empty"].Path)
	if said, err := cmd.CombinedOutput(); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("%s: %w\n%s", shellWords(cmd.Args), err, strings.TrimSpace(string(said)))
	}
	return nil
}

// timed repeats f and says how long each took.
func (r *benchRun) timed(f func() error) (string, error) {
	var b strings.Builder
	for rep := range r.line.repeat {
		start := time.Now()
		if err := f(); err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "sample test=startup size=0 rep=%d ns=%d\n", rep, time.Since(start).Nanoseconds())
	}
	return b.String(), nil
}
