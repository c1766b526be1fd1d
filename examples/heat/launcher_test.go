package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// build compiles the main package into the test's directory.
func build(t *testing.T, pkg string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "program")
	if out, err := exec.Command("go", "build", "-o", name, pkg).CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", pkg, err, out)
	}
	return name
}

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

func TestProcessesThroughTheLauncher(t *testing.T) {
	if testing.Short() || runtime.GOOS != "linux" {
		t.Skip("starts processes, which the launcher does on Linux")
	}
	muster, program := build(t, "github.com/muster-mpi/muster/cmd/muster"), build(t, ".")
	picture := filepath.Join(t.TempDir(), "block.png")
	for _, w := range []struct {
		ranks string
		args  []string
		want  string
	}{
		{"1", []string{"-grid", "20x20"}, "exact solution of the equation: "},
		{"2", []string{"-grid", "24x10"}, "on 2×1 ranks"},
		{"4", []string{"-grid", "12x10x14", "-tol", "1e-3", "-plot", picture}, "on 2×2×1 ranks"},
	} {
		args := append([]string{"run", "--oversubscribe", "-n", w.ranks, program, "-check"}, w.args...)
		stdout, stderr, code := launch(t, muster, args...)
		if code != 0 || !strings.Contains(stdout, w.want) || !strings.Contains(stdout, "the same bits in as many steps") {
			t.Errorf("%q: exit code %d, want success with %q\n%s%s", args, code, w.want, stdout, stderr)
		}
	}
	if _, err := os.Stat(picture); err != nil {
		t.Error(err)
	}
	for _, w := range []struct {
		args []string
		want string
	}{
		{[]string{"-problem", "soup"}, `-problem "soup": expected wall or plates`},
		{[]string{"-plot", "nowhere/a.png"}, "open nowhere/a.png:"},
		{[]string{"-grid", "1x1"}, "give a larger -grid"},
	} {
		stdout, stderr, code := launch(t, muster, append([]string{"run", "--oversubscribe", "-n", "3", program}, w.args...)...)
		if code == 0 || !strings.Contains(stderr, w.want) {
			t.Errorf("%q: exit code %d, want a failure with %q\n%s%s", w.args, code, w.want, stdout, stderr)
		}
	}
}
