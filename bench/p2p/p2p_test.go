package main

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/muster-mpi/muster/bench/plan"
	"github.com/muster-mpi/muster/rank"
	"github.com/muster-mpi/muster/rank/ranktest"
)

// Messages of other ranks, sizes and runs are not taken for the right one.
func TestPatternTellsMessagesApart(t *testing.T) {
	seen := make(map[string]string)
	for r := range 4 {
		for _, size := range []int{16, 32, 64} {
			for run := range 3 {
				var b strings.Builder
				s := seed(r, size, run)
				for i := range 16 {
					b.WriteByte(pattern(s, i))
				}
				here := strings.Join([]string{string(rune('0' + r)), string(rune('0' + size)), string(rune('0' + run))}, "/")
				if other, ok := seen[b.String()]; ok {
					t.Errorf("%s and %s look alike", here, other)
				}
				seen[b.String()] = here
			}
		}
	}
	if pattern(0, 1) == pattern(0, 257) || pattern(0, 1) == pattern(0, 65537) {
		t.Error("the pattern repeats within 64 KiB")
	}
}

// quiet keeps the samples of the ranks out of the test's output.
func quiet(t *testing.T) {
	t.Helper()
	saved := os.Stdout
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	os.Stdout = null
	t.Cleanup(func() { os.Stdout = saved; null.Close() })
}

func TestLoopsMoveWhatTheySayBetweenAllPairs(t *testing.T) {
	quiet(t)
	for name, f := range map[string]loop{"latency": pingPong, "bw": stream, "rate": stream, "bibw": exchange, "overlap": overlapping} {
		t.Run(name, func(t *testing.T) {
			ranktest.Run(t, 4, func(t *testing.T, c *rank.Comm) {
				p := newPair(c, options{
					Plan: plan.Plan{High: 70000, Effort: plan.Effort{Iters: 2, Warmup: 1, Repeat: 2, Target: time.Millisecond}},
					test: name, compute: time.Millisecond, validate: true,
				})
				for _, size := range []int{0, 8, 70000} {
					if err := p.measure(t.Context(), size, f); err != nil {
						t.Errorf("rank %d, %d bytes: %v", c.Rank(), size, err)
					}
				}
			})
		})
	}
}

func TestWrongByteIsFound(t *testing.T) {
	quiet(t)
	spoil := func(ctx context.Context, p *pair, m mode, n int, out, in []byte) (int, error) {
		_, err := pingPong(ctx, p, m, n, out, in)
		in[5]++
		return 0, err
	}
	err := rank.Local(2, func(ctx context.Context, c *rank.Comm) error {
		p := newPair(c, options{Plan: plan.Plan{High: 8, Effort: plan.Effort{Iters: 1, Repeat: 1}}, test: "latency"})
		return p.measure(ctx, 8, spoil)
	})
	if err == nil || !strings.Contains(err.Error(), "byte 5 of 8") {
		t.Errorf("got %v", err)
	}
}
