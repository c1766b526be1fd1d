package main

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"

	"github.com/muster-mpi/muster/bench/contest"
	"github.com/muster-mpi/muster/bench/results"
)

// findLimits asks bench/limits what it measures on this system.
func (r *benchRun) findLimits(ctx context.Context) error {
	text, err := r.limit(ctx, "-list")
	if err != nil {
		return err
	}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 2 {
			return fmt.Errorf("bench/limits -list says %q: expected a name and tests", line)
		}
		name, tests := words[0], words[1:]
		r.limits = append(r.limits, contest.Contestant{
			Kind: results.Limit, Name: name,
			// There are always two processes, whatever the number of ranks.
			Takes: func(t contest.Test) bool { return t.Ranks == 2 && slices.Contains(tests, t.Name) },
			Run: func(ctx context.Context, t contest.Test) (string, error) {
				return r.limit(ctx, append([]string{"-limit", name}, t.Args...)...)
			},
		})
	}
	return nil
}

// limit runs bench/limits and returns what it printed.
func (r *benchRun) limit(ctx context.Context, args ...string) (string, error) {
	var out, said strings.Builder
	cmd := exec.CommandContext(ctx, r.program["limits"].Path, args...)
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		return "", fmt.Errorf("bench/limits %s: %w\n%s", shellWords(args), err, strings.TrimSpace(said.String()))
	}
	return out.String(), nil
}
