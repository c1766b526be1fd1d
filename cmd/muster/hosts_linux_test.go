package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The whole way, with a remote shell whose hosts are all this one.
func TestRanksRunOnNamedHosts(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "cache")) // where the agent's binary goes
	shell := filepath.Join(dir, "shell")
	if err := os.WriteFile(shell, []byte("#!/bin/sh\nFAR=$1 exec sh -c \"$2\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	hosts := filepath.Join(dir, "hosts")
	if err := os.WriteFile(hosts, []byte("localhost slots=2\nfar1 slots=2 # and more\nfar2\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args string
		want string // rank and host
	}{
		{"", "0 here, 1 here, 2 far1, 3 far1, 4 far2"},
		{"--map-by node -n 4", "0 here, 1 far1, 2 far2, 3 here"},
		{"--host far2,localhost:1 -n 2 --stdin 0", "0 far2, 1 here"},
	} {
		args := append([]string{"run", "--rsh", shell, "--hostfile", hosts}, strings.Fields(test.args)...)
		args = append(args, "sh", "-c", `echo "$MUSTER_RANK ${FAR:-here}"`)
		stdout, stderr, code := muster(t, args...)
		lines := strings.Fields(strings.ReplaceAll(strings.TrimSpace(stdout), " ", "_"))
		slices.Sort(lines)
		got := strings.ReplaceAll(strings.Join(lines, ", "), "_", " ")
		if code != 0 || got != test.want {
			t.Errorf("%s: exit code %d, %s, want %s\n%s", test.args, code, got, test.want, stderr)
		}
	}
}
