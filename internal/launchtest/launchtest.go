// Package launchtest runs programs through the launcher, as their users do, for tests.
package launchtest

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Muster is the package of the command.
const Muster = "github.com/muster-mpi/muster/cmd/muster"

// Build compiles the main package into a directory of the test.
func Build(t *testing.T, pkg string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "program")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", name, pkg).CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", pkg, err, out)
	}
	return name
}

// Launch runs args through the muster that was built and returns output, error output
// and exit code.
func Launch(t *testing.T, muster string, args ...string) (stdout, stderr string, code int) {
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
