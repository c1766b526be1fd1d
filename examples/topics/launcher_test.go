package main

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/muster-mpi/muster/internal/launchtest"
)

// TestThroughTheLauncher runs real processes: the default corpus, with its check,
// on several numbers of ranks, and input that ends the job.
func TestThroughTheLauncher(t *testing.T) {
	if testing.Short() || runtime.GOOS != "linux" {
		t.Skip("starts processes, which the launcher does on Linux")
	}
	dir := t.TempDir()
	muster, program := launchtest.Build(t, launchtest.Muster), launchtest.Build(t, ".")
	one := filepath.Join(dir, "1.csv")
	for _, p := range []int{1, 3} {
		name := filepath.Join(dir, fmt.Sprint(p, ".csv"))
		stdout, stderr, code := launchtest.Launch(t, muster, "run", "-n", fmt.Sprint(p), program, "-output", name)
		if code != 0 {
			t.Fatalf("%d ranks: exit code %d\n%s%s", p, code, stdout, stderr)
		}
		for _, want := range []string{"packages of the Go standard library", "most like encoding/json", "  encoding/xml", "TF-IDF: relative", "LSA: singular values", "LDA: perplexity"} {
			if !strings.Contains(stdout, want) {
				t.Errorf("%d ranks: no %q in\n%s", p, want, stdout)
			}
		}
		sameTables(t, name, one)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-dir", filepath.Join(dir, "nowhere")}, "nowhere: no such file or directory"},
		{[]string{"-like", "fnt"}, `-like "fnt": `},
	} {
		stdout, stderr, code := launchtest.Launch(t, muster, append([]string{"run", "-n", "3", program}, c.args...)...)
		if code == 0 || strings.Count(stderr, c.want) == 0 {
			t.Errorf("%q: exit code %d, want a failure with %q\n%s%s", c.args, code, c.want, stdout, stderr)
		}
	}
}
