package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/muster-mpi/muster/internal/launchtest"
)

func TestProcessesThroughTheLauncher(t *testing.T) {
	if testing.Short() || runtime.GOOS != "linux" {
		t.Skip("starts processes, which the launcher does on Linux")
	}
	muster, program := launchtest.Build(t, launchtest.Muster), launchtest.Build(t, ".")
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
		stdout, stderr, code := launchtest.Launch(t, muster, args...)
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
		stdout, stderr, code := launchtest.Launch(t, muster, append([]string{"run", "--oversubscribe", "-n", "3", program}, w.args...)...)
		if code == 0 || !strings.Contains(stderr, w.want) {
			t.Errorf("%q: exit code %d, want a failure with %q\n%s%s", w.args, code, w.want, stdout, stderr)
		}
	}
}
