package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/muster-mpi/muster/internal/launchtest"
)

// runJob starts the program with n ranks through the launcher and returns what the
// job printed.
func runJob(t *testing.T, muster, program, n string, args ...string) (string, error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), muster, append([]string{"run", "-n", n, program}, args...)...)
	out, err := command.CombinedOutput()
	return string(out), err
}

// TestThroughTheLauncher runs real processes: the default problem, files in and out
// on a number of ranks that is no square, and input that ends the job.
func TestThroughTheLauncher(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the launcher and starts processes")
	}
	if runtime.GOOS != "linux" {
		t.Skip("the local launcher runs on Linux")
	}
	dir := t.TempDir()
	muster, program := launchtest.Build(t, launchtest.Muster), launchtest.Build(t, ".")

	for _, test := range []struct {
		n    string
		args []string
		want []string
	}{
		{"4", []string{"-size", "200"}, []string{"4 in a 2×2 grid", "algorithm  cannon", "GFLOP/s", "check      passed"}},
		{"6", []string{"-m", "90", "-n", "200", "-k", "333"}, []string{"6 in a 2×3 grid", "algorithm  summa", "check      passed"}},
		{"2", []string{"-m", "200", "-n", "90", "-k", "333"}, []string{"2 in a 2×1 grid", "algorithm  ring, 2 steps", "check      passed"}},
		{"1", []string{"-size", "1"}, []string{"1 in a 1×1 grid", "check      passed"}},
	} {
		out, err := runJob(t, muster, program, test.n, test.args...)
		if err != nil {
			t.Errorf("%s ranks, %v: %v\n%s", test.n, test.args, err, out)
		}
		for _, want := range test.want {
			if !strings.Contains(out, want) {
				t.Errorf("%s ranks, %v: the report lacks %q:\n%s", test.n, test.args, want, out)
			}
		}
	}

	result := filepath.Join(dir, "c.npy")
	if out, err := runJob(t, muster, program, "5", "-a", "testdata/a.mtx", "-b", "testdata/b.csv", "-out", result); err != nil {
		t.Fatalf("files: %v\n%s", err, out)
	}
	file, err := os.ReadFile(result)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := readNPY(file); err != nil || !same(c.matrix(), sampleProduct) {
		t.Errorf("the file written by 5 ranks holds %v, %v, want %v", c, err, sampleProduct.Data)
	}

	out, err := runJob(t, muster, program, "4", "-a", "testdata/b.csv", "-b", "testdata/b.csv")
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() <= 0 {
		t.Errorf("matrices that do not fit: %v, want a non-zero exit code", err)
	}
	if !strings.Contains(out, "testdata/b.csv is 5×3 and testdata/b.csv is 5×3: A needs as many columns as B has rows") {
		t.Errorf("matrices that do not fit: the cause is missing in\n%s", out)
	}
}
