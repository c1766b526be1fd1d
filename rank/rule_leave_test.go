package rank_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-mpi/muster/rank"
)

// Rule 22: a rank that leaves serves the others until all do: its buffered
// sends are delivered, its offers answered. (Between processes: TestF07 and the
// other tests of package launcher.)
func TestRule22LeavingRanksServeTheOthers(t *testing.T) {
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		if c.Rank() != 0 {
			// Leave at once with messages that nobody has asked for yet.
			ok(t, c.AttachBuffer(64<<20))
			for k, n := range w.sizes() {
				ok(t, rank.Bsend(bg, c, 0, 1, fill(n, c.Rank(), k)))
				ok(t, rank.Isend(c, 0, 1, fill(n, c.Rank(), 50+k)).Free())
			}
			return
		}
		for k, n := range w.sizes() {
			for _, at := range []int{k, 50 + k} {
				for source := 1; source < w.ranks; source++ {
					got, _, err := rank.RecvAlloc[byte](bg, c, source, 1)
					ok(t, err)
					same(t, got, fill(n, source, at))
				}
			}
		}
	})
}

// Rule 22: what a rank left uncompleted is told, also what reached it after its
// own function had returned.
func TestRule22LeftoversAreExact(t *testing.T) {
	for _, w := range protocols {
		synctest.Test(t, func(t *testing.T) {
			var text []string
			err := rank.Local(2, func(_ context.Context, c *rank.Comm) error {
				if c.Rank() == 1 {
					time.Sleep(time.Hour)
					rank.Isend(c, 0, 7, make([]byte, 1)).Free()
					rank.Isend(c, 0, 8, make([]byte, w.eager+1)).Free()
					rank.Irecv(c, 0, 9, make([]byte, 3))
				}
				return nil
			}, append(w.options(), rank.OnLeftovers(func(r int, left []rank.Leftover) {
				for _, l := range left {
					text = append(text, l.String())
				}
			}))...)
			ok(t, err)
			all := strings.Join(text, "\n")
			for _, want := range []string{
				"message never received: from 1 to 0, tag 7, 1 bytes, on world",
				"message never received: from 1 to 0, tag 8",
				"Irecv never matched: from 0 to 1, tag 9, 3 bytes, on world",
			} {
				if strings.Count(all, want) != 1 {
					t.Errorf("%v: want %q once in\n%s", w, want, all)
				}
			}
		})
	}
}

// Rule 22: after Leave every call is refused. In a world of Local too a rank
// may call Leave itself.
func TestRule22NothingAfterLeave(t *testing.T) {
	for _, w := range protocols {
		for n := 1; n <= 3; n++ {
			err := rank.Local(n, func(ctx context.Context, c *rank.Comm) error {
				d, err := c.Dup(ctx)
				ok(t, err)
				if err := d.Leave(ctx); !errors.Is(err, rank.ErrComm) {
					t.Errorf("Leave of a duplicate: %v", err)
				}
				ok(t, rank.Isend(c, (c.Rank()+1)%n, 1, make([]byte, w.eager+1)).Free())
				_, err = rank.Recv(ctx, c, (c.Rank()+n-1)%n, 1, make([]byte, w.eager+1))
				ok(t, err)
				if err := c.Leave(ctx); err != nil {
					t.Errorf("Leave: %v", err)
				}
				_, err1 := rank.Recv(ctx, c, 0, 1, []byte{1})
				_, err2 := rank.Isend(c, 0, 1, []byte{1}).Wait(ctx)
				_, err3 := rank.Probe(ctx, c, 0, 1)
				_, err4 := c.Split(ctx, 0, 0)
				for i, err := range []error{c.Leave(ctx), rank.Send(ctx, c, 0, 1, []byte{1}), err1, err2, err3, err4} {
					if !errors.Is(err, rank.ErrLeft) {
						t.Errorf("call %d after Leave: %v", i, err)
					}
				}
				return nil
			}, w.options()...)
			if err != nil {
				t.Errorf("%d ranks: %v", n, err)
			}
		}
	}
}

// program is what TestProgram does when it is the main program of a process.
var program = map[string]func(ctx context.Context, c *rank.Comm) error{
	"returns": func(ctx context.Context, c *rank.Comm) error {
		if c.Rank() != 0 || c.Size() != 1 || c.Host(0) == "" || c.Host(1) != "" || c.Clock() < 0 {
			return errors.New("started without a launcher this is no job of one rank")
		}
		return rank.SendObject(ctx, c, rank.Null, 0, "nobody")
	},
	"fails":  func(context.Context, *rank.Comm) error { return errors.New("it was too hard") },
	"panics": func(context.Context, *rank.Comm) error { panic("at the disco") },
	"aborts": func(_ context.Context, c *rank.Comm) error { c.Abort(7, "no more"); return nil },
	"forgets": func(_ context.Context, c *rank.Comm) error {
		return rank.Isend(c, 0, 3, []byte{1}).Free()
	},
	"joins": func(ctx context.Context, _ *rank.Comm) error {
		_, err := rank.Join(ctx)
		return err
	},
}

// TestProgram is no test but the program of TestRule54RunDecidesTheExitCode.
func TestProgram(t *testing.T) {
	fn := program[os.Getenv("TEST_PROGRAM")]
	if fn == nil {
		t.Skip("runs in a process of its own")
	}
	rank.Run(fn)
	os.Exit(0)
}

// Rules 54 and 55, of one process: Run exits with 1 and says why when its
// function fails, Abort with its code. What the launcher makes of that is
// tested there.
func TestRule54RunDecidesTheExitCode(t *testing.T) {
	for name, want := range map[string]struct {
		code int
		text string
	}{
		"returns": {0, ""},
		"fails":   {1, "muster: rank 0 of 1: it was too hard\n"},
		"panics":  {2, "panic: at the disco"},
		"aborts":  {7, "muster: rank 0 aborted: no more\n"},
		"forgets": {0, "muster: rank 0 left without completing: message never received: from 0 to 0, tag 3, 1 bytes, on world\n"},
		"joins":   {1, rank.ErrJoined.Error()},
	} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestProgram$")
		cmd.Env = append(os.Environ(), "TEST_PROGRAM="+name)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		_ = cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != want.code || !strings.Contains(stderr.String(), want.text) || want.text == "" && stderr.Len() > 0 {
			t.Errorf("%s: exit code %d, want %d; standard error, want %q:\n%s", name, code, want.code, want.text, stderr.String())
		}
	}
}

// Rule 54: Abort ends the world for all its ranks, whatever they are doing,
// with the code given; 0 becomes 1.
func TestRule54AbortEndsAll(t *testing.T) {
	for n := 1; n <= 5; n++ {
		for code, want := range map[int]string{3: "job aborted with code 3: enough", 0: "job aborted with code 1: enough"} {
			err := rank.Local(n, func(ctx context.Context, c *rank.Comm) error {
				if c.Rank() == n-1 {
					c.Abort(code, "enough")
				}
				calls := []func() error{
					func() error { _, err := rank.Recv(ctx, c, rank.AnySource, 1, []byte{1}); return err },
					func() error { return rank.Ssend(ctx, c, c.Rank(), 2, []byte{1}) },
					func() error { _, err := rank.Probe(ctx, c, 0, 1); return err },
					func() error { _, err := rank.Irecv(c, 0, 1, []byte{1}).Wait(ctx); return err },
				}
				if err := calls[c.Rank()%len(calls)](); !errors.Is(err, rank.ErrAborted) {
					t.Errorf("rank %d of %d: %v", c.Rank(), n, err)
				}
				return nil
			})
			if !errors.Is(err, rank.ErrAborted) || err.Error() != want {
				t.Errorf("Local returns %v, want %s", err, want)
			}
		}
	}
}
