package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/internal/testbed"
	"github.com/muster-mpi/muster/rank"
)

func init() {
	pod = func() {
		rank.Run(func(ctx context.Context, c *rank.Comm) error {
			x := []int64{int64(c.Rank() + 1)}
			if err := collectives.AllReduce(ctx, c, x, collectives.Sum); err != nil {
				return err
			}
			fmt.Printf("rank %d of %d: the sum is %d\n", c.Rank(), c.Size(), x[0])
			return nil
		})
	}
}

// Hosts of a bed stand in for pods: each with a network, a name, and the environment
// and the Secret that a kubelet makes of the manifest.
func TestPodsOfAManifestAreAJob(t *testing.T) {
	const n = 3
	var manifestText, errs strings.Builder
	if code := manifest([]string{"kubernetes", "-n", fmt.Sprint(n), "--image", "i", "--name", "solver", "--start-timeout", "30s"}, &manifestText, &errs); code != 0 {
		t.Fatalf("exit code %d: %s", code, errs.String())
	}
	d := decode(t, manifestText.String())
	bed := testbed.Namespaces(t, n)
	table := filepath.Join(bed.Dir(), "hosts")
	text, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(table, fmt.Appendf(text, "%v solver-0.solver\n", bed.Address(1)), 0o644); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	outs := make([]bytes.Buffer, n)
	done := make(chan error, n)
	for r := range n {
		env := d.in(t, r)
		secret := bed.Command(r+1, "sh", "-c", `mkdir -p "$(dirname "$1")" && cat >"$1"`, "sh", env["MUSTER_TOKEN_FILE"])
		secret.Stdin = strings.NewReader(d.secret.StringData["token"])
		if out, err := secret.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		cmd := bed.Command(r+1, self)
		cmd.Env = []string{"TEST_AS_POD=1"}
		for name, value := range env {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		cmd.Stdout, cmd.Stderr = &outs[r], &outs[r]
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		go func() { done <- cmd.Wait() }()
	}
	for range n {
		if err := <-done; err != nil {
			t.Errorf("a pod ends with %v", err)
		}
	}
	for r := range n {
		if want := fmt.Sprintf("rank %d of %d: the sum is %d\n", r, n, n*(n+1)/2); outs[r].String() != want {
			t.Errorf("pod %d says %q, want %q", r, outs[r].String(), want)
		}
	}
}
