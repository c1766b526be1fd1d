package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// built builds source, the text of a main package, as a package of this
// module and returns the executable's path.
func built(t *testing.T, source string) string {
	t.Helper()
	dir := t.TempDir()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	file, overlay, exe := filepath.Join(dir, "main.go"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "program")
	text, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(root, "program_under_test", "main.go"): file}})
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{file: []byte(source), overlay: text} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "build", "-overlay", overlay, "-o", exe, "./program_under_test")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return exe
}

func TestProgramsOfTheReadmeRun(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	programs := strings.Split(string(readme), "```go\npackage main")[1:]
	for i, want := range [][]string{
		{"rank 1 received [1 2 3] from rank 0\n", "rank 2 received [1 2 3] from rank 0\n"},
		{"rank 0 has [1 2 3], and 5 with all others\n", "rank 2 has [1 2 3], and 5 with all others\n"},
	} {
		if i >= len(programs) {
			t.Fatalf("the README has %d programs", len(programs))
		}
		source, _, _ := strings.Cut(programs[i], "```")
		exe := built(t, "package main"+source)
		stdout, stderr := shell(t, `$muster run --oversubscribe -n 3 `+exe)
		for _, want := range want {
			if !strings.Contains(stdout, want) {
				t.Errorf("program %d: stdout lacks %q: %s\nstderr: %s", i, want, stdout, stderr)
			}
		}
		if stdout, stderr := shell(t, exe); strings.Contains(stdout, "received") || stderr != "" {
			t.Errorf("program %d alone prints %q and %q", i, stdout, stderr)
		}
	}
}

// Every rank sends every other messages of many sizes, across what is eager and
// what is not, on every transport.
func TestProcessesExchangeEverySizeOnEveryTransport(t *testing.T) {
	exe := built(t, `package main

import (
	"context"
	"fmt"

	"github.com/muster-mpi/muster/rank"
)

var sizes = []int{0, 1, 100, 4096, 65536, 65537, 3000000}

func main() {
	rank.Run(func(ctx context.Context, c *rank.Comm) error {
		n := c.Size()
		var all []rank.Request
		for i, size := range sizes {
			for r := range n {
				out := make([]byte, size)
				for k := range out {
					out[k] = byte(k + i + c.Rank() + 3*r)
				}
				all = append(all, rank.Isend(c, r, rank.Tag(i), out))
			}
		}
		for i := len(sizes) - 1; i >= 0; i-- {
			for r := range n {
				in, status, err := rank.RecvAlloc[byte](ctx, c, r, rank.Tag(i))
				if err != nil || status.Len != sizes[i] {
					return fmt.Errorf("%d bytes of %d from %d: %w", status.Len, sizes[i], r, err)
				}
				for k := range in {
					if in[k] != byte(k+i+r+3*c.Rank()) {
						return fmt.Errorf("byte %d of message %d from %d is wrong", k, i, r)
					}
				}
			}
		}
		return rank.WaitAll(ctx, all...)
	})
}
`)
	for _, flags := range append([]string{"--transport tcp --insecure-wire", "--eager 1KiB --unexpected 16KiB",
		"--eager 1KiB --unexpected 16KiB --transport unix"}, everyTransport...) {
		if stdout, stderr := shell(t, `$muster run --oversubscribe -n 4 `+flags+` `+exe+`; echo code $?`); stdout != "code 0\n" {
			t.Errorf("%s: %s%s", flags, stdout, stderr)
		}
	}
}

// Under --on-failure return the death of a rank fails what needs it, and the
// others go on and leave, also one that joins only after the death.
func TestSurvivorsGoOnUnderReturn(t *testing.T) {
	exe := built(t, `package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/muster-mpi/muster/rank"
)

func main() {
	if os.Getenv("MUSTER_RANK") == "1" {
		time.Sleep(700 * time.Millisecond)
	}
	rank.Run(func(ctx context.Context, c *rank.Comm) error {
		buf := []int{c.Rank()}
		if c.Rank() == 2 {
			if err := rank.Ssend(ctx, c, 0, 1, buf); err != nil {
				return err
			}
			return syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
		if c.Rank() == 0 {
			if _, err := rank.Recv(ctx, c, 2, 1, buf); err != nil {
				return err
			}
		}
		if _, err := rank.Recv(ctx, c, 2, 7, buf); !errors.Is(err, rank.ErrFailed) {
			return fmt.Errorf("receive from a dead rank: %w", err)
		}
		peer := 1 - c.Rank()
		got := make([]int, 1)
		if _, err := rank.SendRecv(ctx, c, peer, 3, []int{c.Rank()}, peer, 3, got); err != nil {
			return err
		}
		fmt.Println("rank", c.Rank(), "heard of", got[0])
		return nil
	})
}
`)
	stdout, stderr := shell(t, `$muster run --oversubscribe -n 3 --timeout 30s --on-failure return `+exe+`; echo code $?`)
	for _, want := range []string{"rank 0 heard of 1\n", "rank 1 heard of 0\n", "code 0\n"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("stdout lacks %q: %s\nstderr: %s", want, stdout, stderr)
		}
	}
	if !strings.Contains(stderr, "rank 2") || !strings.Contains(stderr, "SIGKILL") {
		t.Errorf("the death of rank 2 is not reported: %s", stderr)
	}
}

// A creation call on a communicator with a dead member fails on every survivor.
func TestCreationFailsOnAllSurvivors(t *testing.T) {
	exe := built(t, `package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/muster-mpi/muster/rank"
)

func main() {
	rank.Run(func(ctx context.Context, c *rank.Comm) error {
		if c.Rank() == 1 {
			return syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
		if _, err := c.Dup(ctx); !errors.Is(err, rank.ErrFailed) {
			return fmt.Errorf("Dup with a dead rank: %w", err)
		}
		return nil
	})
}
`)
	if stdout, stderr := shell(t, `$muster run --oversubscribe -n 5 --timeout 30s --on-failure return `+exe+`; echo code $?`); stdout != "code 0\n" {
		t.Errorf("stdout: %s\nstderr: %s", stdout, stderr)
	}
}
