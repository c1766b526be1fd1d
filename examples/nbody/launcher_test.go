package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/muster-mpi/muster/internal/launchtest"
)

func TestProcessesGiveTheBitsOfOne(t *testing.T) {
	if testing.Short() || runtime.GOOS != "linux" {
		t.Skip("starts processes, which the launcher does on Linux")
	}
	muster, program := launchtest.Build(t, launchtest.Muster), launchtest.Build(t, ".")
	dir := t.TempDir()
	var want []byte
	for _, p := range []int{1, 2, 4} {
		file := filepath.Join(dir, fmt.Sprint(p))
		stdout, stderr, code := launchtest.Launch(t, muster, "run", "-n", fmt.Sprint(p), program, "-n", "200", "-steps", "10", "-output", file, "-plot", file+".png")
		if code != 0 || !strings.Contains(stdout, "energy -0.169087605, published -0.169087605") || !strings.Contains(stdout, "million interactions/s on ") {
			t.Fatalf("%d ranks: exit code %d\n%s%s", p, code, stdout, stderr)
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = got
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%d ranks: the bodies at the end differ from those of 1 rank", p)
		}
	}
	if stdout, stderr, code := launchtest.Launch(t, muster, "run", "-tags", "noasm", "-n", "2", ".", "-n", "200", "-steps", "10"); code != 0 || !strings.Contains(stdout, "energy -0.169087605, published -0.169087605") {
		t.Errorf("without assembly: exit code %d\n%s%s", code, stdout, stderr)
	}
	if stdout, stderr, code := launchtest.Launch(t, muster, "run", "-n", "3", program, "-n", "200", "-steps", "10", "-decomposition", "ring"); code != 0 || !strings.Contains(stdout, "travelling round a ring") {
		t.Errorf("ring: exit code %d\n%s%s", code, stdout, stderr)
	}
}

func TestWrongUseEndsTheJob(t *testing.T) {
	if testing.Short() || runtime.GOOS != "linux" {
		t.Skip("starts processes, which the launcher does on Linux")
	}
	muster, program := launchtest.Build(t, launchtest.Muster), launchtest.Build(t, ".")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-integrator", "rk4"}, `-integrator "rk4": expected leapfrog or euler`},
		{[]string{"-input", "nowhere.csv"}, "open nowhere.csv:"},
	} {
		stdout, stderr, code := launchtest.Launch(t, muster, append([]string{"run", "-n", "3", program}, c.args...)...)
		if code == 0 || !strings.Contains(stderr, c.want) {
			t.Errorf("%q: exit code %d, want a failure with %q\n%s%s", c.args, code, c.want, stdout, stderr)
		}
	}
}
