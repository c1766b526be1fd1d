package main

import (
	"strings"
	"testing"
)

// The short form of what bench/RESULTS.md measures: it shows that the programs
// run and that their own checks hold.
func TestBenchProgramsHold(t *testing.T) {
	for script, want := range map[string]string{
		`$muster run --oversubscribe -n 8 ../../bench/empty; echo code $?`:                                                            "code 0\n",
		`$muster run --oversubscribe -n 3 --unexpected 16MiB ../../bench/flood -messages 100000 -sleep 300ms -limit 80; echo code $?`: "all received in order",
	} {
		if stdout, stderr := shell(t, script); !strings.Contains(stdout, want) || !strings.HasSuffix(stdout, "code 0\n") {
			t.Errorf("%s\nstdout: %s\nstderr: %s", script, stdout, stderr)
		}
	}
}
