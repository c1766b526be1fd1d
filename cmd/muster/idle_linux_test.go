package main

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

// A rank that waits costs nothing once it has waited for 10 ms, and one that
// computes is not held up by links that nobody uses.
func TestWaitingRankUsesNoProcessor(t *testing.T) {
	exe := built(t, `package main

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/muster-mpi/muster/rank"
)

func used() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func main() {
	rank.Run(func(ctx context.Context, c *rank.Comm) error {
		one := []byte{1}
		if c.Rank() == 1 {
			if err := rank.Send(ctx, c, 0, 1, one); err != nil {
				return err
			}
			time.Sleep(2 * time.Second)
			return rank.Send(ctx, c, 0, 1, one)
		}
		if _, err := rank.Recv(ctx, c, 1, 1, one); err != nil {
			return err
		}
		before := make(chan time.Duration, 1)
		time.AfterFunc(10*time.Millisecond, func() { before <- used() })
		if _, err := rank.Recv(ctx, c, 1, 1, one); err != nil {
			return err
		}
		fmt.Println((used() - <-before).Microseconds())
		return nil
	})
}
`)
	for _, transport := range everyTransport {
		stdout, stderr := shell(t, `$muster run -n 2 --timeout 60s `+transport+` `+exe)
		us, err := strconv.Atoi(strings.TrimSpace(stdout))
		if err != nil {
			t.Fatalf("%s: %v\n%s%s", transport, err, stdout, stderr)
		}
		// One per cent of two seconds.
		if got := time.Duration(us) * time.Microsecond; got > 20*time.Millisecond {
			t.Errorf("%s: %v of processor time in two seconds of waiting", transport, got)
		}
	}
}
