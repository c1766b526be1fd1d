package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// launch runs args through muster and returns output, error output and exit code.
func launch(t *testing.T, muster string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var out, problems bytes.Buffer
	cmd := exec.CommandContext(ctx, muster, args...)
	cmd.Stdout, cmd.Stderr = &out, &problems
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatalf("muster %q: %v", args, err)
	}
	if ctx.Err() != nil {
		t.Fatalf("muster %q hangs\n%s%s", args, &out, &problems)
	}
	return out.String(), problems.String(), cmd.ProcessState.ExitCode()
}

// TestThroughTheLauncher runs real processes: the default corpus, with its check,
// on several numbers of ranks, and input that ends the job.
func TestThroughTheLauncher(t *testing.T) {
	if testing.Short() || runtime.GOOS != "linux" {
		t.Skip("starts processes, which the launcher does on Linux")
	}
	dir := t.TempDir()
	muster, program := filepath.Join(dir, "muster"), filepath.Join(dir, "topics")
	for name, pkg := range map[string]string{muster: "../../cmd/muster", program: "."} {
		if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", name, pkg).CombinedOutput(); err != nil {
			t.Fatalf("go build %s: %v\n%s", pkg, err, out)
		}
	}
	one := filepath.Join(dir, "1.csv")
	for _, p := range []int{1, 3} {
		name := filepath.Join(dir, fmt.Sprint(p, ".csv"))
		stdout, stderr, code := launch(t, muster, "run", "-n", fmt.Sprint(p), program, "-output", name)
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
		stdout, stderr, code := launch(t, muster, append([]string{"run", "-n", "3", program}, c.args...)...)
		if code == 0 || strings.Count(stderr, c.want) == 0 {
			t.Errorf("%q: exit code %d, want a failure with %q\n%s%s", c.args, code, c.want, stdout, stderr)
		}
	}
}
