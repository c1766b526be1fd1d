package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// everyTransport are the flags that choose one.
var everyTransport = []string{"", "--transport shm", "--transport unix", "--transport tcp"}

// A rank is killed while messages of every size pass between it and others: the
// banner names it and no other, and under --on-failure return the others, who
// lose what they had under way with it, go on among themselves.
func TestRankKilledInTheMidstOfTransfers(t *testing.T) {
	exe := built(t, `package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"

	"github.com/muster-mpi/muster/rank"
)

var sizes = []int{8, 3000, 100_000, 5_000_000}

// exchange passes messages with peer, both ways at once, until it cannot.
func exchange(ctx context.Context, c *rank.Comm, peer int, rounds int, moved *atomic.Int64) error {
	for i := 0; rounds < 0 || i < rounds; i++ {
		out, in := make([]byte, sizes[i%len(sizes)]), make([]byte, sizes[i%len(sizes)])
		for k := range out {
			out[k] = byte(i)
		}
		if _, err := rank.SendRecv(ctx, c, peer, 1, out, peer, 1, in); err != nil {
			return err
		}
		for _, b := range in {
			if b != byte(i) {
				return fmt.Errorf("round %d: a byte is %d", i, b)
			}
		}
		moved.Add(1)
	}
	return nil
}

func main() {
	limit, _ := strconv.Atoi(os.Args[1])
	rank.Run(func(ctx context.Context, c *rank.Comm) error {
		var moved atomic.Int64
		if c.Rank() == 2 {
			go exchange(ctx, c, 0, -1, &moved)
			go exchange(ctx, c, 1, -1, &moved)
			for int(moved.Load()) < limit {
			}
			return syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
		if err := exchange(ctx, c, 2, -1, &moved); !errors.Is(err, rank.ErrFailed) {
			return fmt.Errorf("after %d messages with the rank that dies: %w", moved.Load(), err)
		}
		if err := exchange(ctx, c, 1-c.Rank(), 20, &moved); err != nil {
			return err
		}
		fmt.Println("survivor", c.Rank())
		return nil
	})
}
`)
	for _, transport := range everyTransport {
		for _, limit := range []int{0, 1, 6, 19} {
			run := fmt.Sprintf(`$muster run --oversubscribe -n 3 --timeout 60s %s `, transport)
			args := fmt.Sprintf(` %s %d; echo code $?`, exe, limit)
			stdout, stderr := shell(t, run+args)
			if stdout != "code 137\n" || strings.Count(stderr, " FAILED after ") != 1 ||
				!strings.Contains(stderr, ": rank 2 (host") || !strings.Contains(stderr, "killed by signal 9 (SIGKILL)") {
				t.Errorf("%s, killed after %d messages: %s%s", transport, limit, stdout, stderr)
			}
			stdout, stderr = shell(t, run+"--on-failure return"+args)
			if !strings.HasSuffix(stdout, "code 0\n") || !strings.Contains(stdout, "survivor 0\n") || !strings.Contains(stdout, "survivor 1\n") ||
				!strings.Contains(stderr, "rank 2 (pid ") || !strings.Contains(stderr, "the job goes on without it") {
				t.Errorf("%s, return, killed after %d messages: %s%s", transport, limit, stdout, stderr)
			}
		}
	}
}

// Links are made as they are used and cost a rank nothing before; those that are
// made leave no descriptor open but what rings and names the peer. S8: a child of
// a rank inherits none of them.
func TestLinksAreLazyAndLeaveNoDescriptor(t *testing.T) {
	exe := built(t, `package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/muster-mpi/muster/rank"
)

// mapped counts the links whose memory this process has: not its records, nor what
// all ranks of the host share.
func mapped(c *rank.Comm) int {
	text, _ := os.ReadFile("/proc/self/maps")
	all := strings.Count(string(text), "/memfd:muster-")
	return all - strings.Count(string(text), "/memfd:muster-record") - strings.Count(string(text), "-host (")
}

func open() map[string]int {
	kinds := make(map[string]int)
	fds, _ := os.ReadDir("/proc/self/fd")
	for _, fd := range fds {
		to, err := os.Readlink("/proc/self/fd/" + fd.Name())
		if err != nil {
			continue
		}
		kind, _, _ := strings.Cut(strings.TrimPrefix(to, "/"), ":")
		if kind == "anon_inode" {
			kind = to
		}
		kinds[kind]++
	}
	return kinds
}

func main() {
	rank.Run(func(ctx context.Context, c *rank.Comm) error {
		n, r := c.Size(), c.Rank()
		if got := mapped(c); got != 0 {
			return fmt.Errorf("%d links are there before the first message", got)
		}
		talk := func(peer int) error {
			for range 3 {
				in := make([]byte, 300_000)
				if _, err := rank.SendRecv(ctx, c, peer, 1, make([]byte, len(in)), peer, 1, in); err != nil {
					return err
				}
			}
			return nil
		}
		if os.Args[1] == "pair" { // of all ranks two talk
			want := 0
			if r < 2 {
				want = 1
				if err := talk(1 - r); err != nil {
					return err
				}
			}
			if got := mapped(c); got != want {
				return fmt.Errorf("%d links after talking to %d ranks", got, want)
			}
			return nil
		}
		before := open()
		for k := range n { // peers in an order in which pairs meet
			if peer := (k + n - r) % n; peer != r {
				if err := talk(peer); err != nil {
					return err
				}
			}
		}
		after := open()
		if got := mapped(c); got != n-1 {
			return fmt.Errorf("%d links after talking to %d ranks", got, n-1)
		}
		for kind := range after {
			// And one by which the runtime watches the rank's own bell.
			if grew := after[kind] - before[kind]; kind == "memfd" && grew > 0 || grew > n {
				return fmt.Errorf("descriptors of kind %s: %d before, %d after %d links", kind, before[kind], after[kind], n-1)
			}
		}
		out, err := exec.Command("ls", "-l", "/proc/self/fd").CombinedOutput()
		fmt.Printf("%s", out)
		return err
	})
}
`)
	if stdout, stderr := shell(t, `$muster run --oversubscribe -n 4 --timeout 60s `+exe+` pair; echo code $?`); stdout != "code 0\n" {
		t.Errorf("%s%s", stdout, stderr)
	}
	stdout, stderr := shell(t, `$muster run --oversubscribe -n 6 --timeout 60s `+exe+` all; echo code $?`)
	if !strings.HasSuffix(stdout, "code 0\n") {
		t.Errorf("%s%s", stdout, stderr)
	}
	for line := range strings.Lines(stdout) {
		f := strings.Fields(line)
		if len(f) < 3 || f[len(f)-2] != "->" {
			continue
		}
		// What this process was given by its own parent is not the job's.
		if target, _ := os.Readlink("/proc/self/fd/" + f[len(f)-3]); target == f[len(f)-1] {
			continue
		}
		if strings.Contains(line, "socket:") || strings.Contains(line, "memfd:") || strings.Contains(line, "anon_inode:") {
			t.Errorf("inherited: %s", line)
		}
	}
}
