package main

import (
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"slices"
	"strings"

	"github.com/muster-mpi/muster/bench/contest"
	"github.com/muster-mpi/muster/bench/results"
)

// limitTests names what bench/limits measures, in the order of the columns.
var limitTests = []struct {
	name  string
	tests []string
}{
	{"memcpy", []string{"latency", "bw"}},
	{"flag", []string{"latency"}},
	{"unix", []string{"latency", "bw"}},
	{"unix-poll", []string{"latency"}},
	{"tcp", []string{"latency", "bw"}},
	{"tcp-poll", []string{"latency"}},
	{"tls", []string{"latency", "bw"}},
	{"grpc", []string{"latency", "bw"}},
}

// limits are the contestants that show what the machine can do. There are always
// two processes, whatever the number of ranks.
func (r *benchRun) limits() []contest.Contestant {
	if runtime.GOOS != "linux" {
		return nil
	}
	var list []contest.Contestant
	for _, l := range limitTests {
		list = append(list, contest.Contestant{
			Kind: results.Limit, Name: l.name,
			Takes: func(t contest.Test) bool { return t.Ranks == 2 && slices.Contains(l.tests, t.Name) },
			Run: func(ctx context.Context, t contest.Test) (string, error) {
				var out, said strings.Builder
				cmd := exec.CommandContext(ctx, r.program["limits"].Path, append([]string{"-limit", l.name}, t.Args...)...)
				cmd.Stdout, cmd.Stderr = &out, &said
				if err := cmd.Run(); err != nil {
					if ctx.Err() != nil {
						return "", context.Cause(ctx)
					}
					return "", fmt.Errorf("%w\n%s", err, strings.TrimSpace(said.String()))
				}
				return out.String(), nil
			},
		})
	}
	return list
}
