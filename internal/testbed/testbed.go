// Package testbed makes several hosts out of one Linux machine, for tests: hosts behind
// sshd on loopback (SSH), hosts as network namespaces (Namespaces), a Slurm cluster
// (Slurm, SlurmOn), and a network that is slow, wrong or silent (Relay).
//
// A bed belongs to a test and ends with it, with every process that lives in it. It
// also ends when the test's process dies without a word: a keeper, which is the test
// binary started again, watches for that. Beds take no fixed port, name or file of the
// machine, so any number may be up at once. Where a bed cannot be, the test is skipped
// and told what is missing.
package testbed

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Process is a process that lives in a bed.
type Process struct {
	PID  int
	Host int // where it is known: the number of its host from 1 on, 0 for the hub; otherwise -1
	Args []string
}

func (p Process) String() string {
	return fmt.Sprintf("%d on host %d: %s", p.PID, p.Host, strings.Join(p.Args, " "))
}

// find returns the path of a command that the package of Debian's brings, also where
// only root's path leads to it, and skips the test without it.
func find(t testing.TB, command, debian string) string {
	t.Helper()
	if path, err := exec.LookPath(command); err == nil {
		return path
	}
	for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/local/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, command)); err == nil {
			return path
		}
	}
	t.Skipf("this test wants %s: apt-get install %s", command, debian)
	return ""
}

// directory returns a new directory that only this user may enter, removed with the test.
// Its name is short, because sockets lie in it, whose names may have 107 bytes.
func directory(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "testbed")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// write puts text into a file of the bed.
func write(t testing.TB, text string, path ...string) string {
	t.Helper()
	name := filepath.Join(path...)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// run runs a command that has to succeed.
func run(t testing.TB, argv ...string) {
	t.Helper()
	if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%q: %v\n%s", argv, err, out)
	}
}
