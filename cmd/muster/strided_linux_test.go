package main

import "testing"

// Large messages between processes arrive whichever end is strided, with runs short
// and long, and leave the gaps as they were.
func TestStridedMessagesBetweenProcesses(t *testing.T) {
	exe := built(t, `package main

import (
	"context"
	"fmt"

	"github.com/muster-mpi/muster/datatype"
	"github.com/muster-mpi/muster/rank"
)

// view returns n elements in runs of run with gaps as long between; 0 is one run.
func view(n, run int) ([]int64, datatype.View[int64]) {
	if run == 0 {
		s := make([]int64, n)
		return s, datatype.Vector(s, 1, n, n)
	}
	s := make([]int64, 2*n)
	return s, datatype.Vector(s, n/run, run, 2*run)
}

// at returns the place of element i.
func at(i, run int) int {
	if run == 0 {
		return i
	}
	return i/run*2*run + i%run
}

func main() {
	runs := []int{0, 1, 32, 512}
	rank.Run(func(ctx context.Context, c *rank.Comm) error {
		me, peer := c.Rank(), 1-c.Rank()
		for _, n := range []int{8 << 10, 32 << 10, 512 << 10} {
			for k := range len(runs) * len(runs) {
				sent, received := runs[k/len(runs)], runs[k%len(runs)]
				if me == 1 {
					sent, received = received, sent
				}
				out, ov := view(n, sent)
				in, iv := view(n, received)
				for i := range n {
					out[at(i, sent)] = int64(me+1)<<40 + int64(i)
				}
				for i := range in {
					in[i] = -1
				}
				r := rank.IrecvView(c, peer, 1, iv)
				s := rank.IsendView(c, peer, 1, ov)
				if err := rank.WaitAll(ctx, r, s); err != nil {
					return err
				}
				hit := 0
				for i := range n {
					if got, want := in[at(i, received)], int64(peer+1)<<40+int64(i); got != want {
						return fmt.Errorf("%d elements in runs of %d: element %d is %#x, want %#x", n, received, i, got, want)
					}
				}
				for _, v := range in {
					if v != -1 {
						hit++
					}
				}
				if hit != n {
					return fmt.Errorf("%d elements in runs of %d: %d were written", n, received, hit)
				}
			}
		}
		fmt.Println("ok")
		return nil
	})
}
`)
	for _, transport := range everyTransport {
		for _, size := range []string{"2", "2 --eager 1KiB"} {
			if stdout, stderr := shell(t, `$muster run --timeout 60s -n `+size+` `+transport+` `+exe); stdout != "ok\nok\n" {
				t.Errorf("-n %s %s: %s%s", size, transport, stdout, stderr)
			}
		}
	}
}
