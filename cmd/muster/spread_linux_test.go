package main

import (
	"runtime"
	"strings"
	"testing"
)

// Ranks that have cores of their own begin on different ones, and may run anywhere
// once they have joined; so may a program that has not, after a while.
func TestRanksBeginOnCoresOfTheirOwn(t *testing.T) {
	if runtime.NumCPU() < 2 {
		t.Skip("needs two processors; this machine, or the affinity of this process, has one")
	}
	exe := built(t, `package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/muster-mpi/muster/rank"
)

// allowed returns the processors that the threads of this process may use.
func allowed() string {
	files, _ := filepath.Glob("/proc/self/task/*/status")
	seen := map[string]bool{}
	for _, f := range files {
		status, _ := os.ReadFile(f)
		for line := range strings.Lines(string(status)) {
			if list, ok := strings.CutPrefix(line, "Cpus_allowed_list:"); ok {
				seen[strings.TrimSpace(list)] = true
			}
		}
	}
	var all []string
	for list := range seen {
		all = append(all, list)
	}
	return strings.Join(all, " and ")
}

func main() {
	before := allowed()
	rank.Run(func(ctx context.Context, c *rank.Comm) error {
		fmt.Printf("%s -> %s\n", before, allowed())
		return nil
	})
}
`)
	stdout, stderr := shell(t, `$muster run -n 2 `+exe)
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	if len(lines) != 2 {
		t.Fatalf("%s%s", stdout, stderr)
	}
	first, after, _ := strings.Cut(lines[0], " -> ")
	second, after2, _ := strings.Cut(lines[1], " -> ")
	if first == second || after != after2 || strings.Contains(after, " and ") || after == first || after == second {
		t.Errorf("the ranks may use\n%s", stdout)
	}

	stdout, _ = shell(t, `$muster run -n 2 sh -c 'cat /proc/self/status; sleep 1.5; cat /proc/$$/status' | grep Cpus_allowed_list | sort | uniq -c | sort -n`)
	fields := strings.Fields(stdout)
	if len(fields) != 9 || fields[0] != "1" || fields[3] != "1" || fields[6] != "2" || fields[8] != after {
		t.Errorf("programs that do not join may use\n%s, want different processors, and later %s", stdout, after)
	}
}
