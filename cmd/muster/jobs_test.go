package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/muster-mpi/muster/launcher"
)

func TestCommandLinesAboutJobs(t *testing.T) {
	for _, test := range []struct{ line, stderr string }{
		{"ps 3f2a", `muster: "3f2a": muster ps takes no job, it lists all`},
		{"ps --jsno", `muster: no flag "--jsno"; did you mean --json?`},
		{"kill 3f2a 77", `muster: "77": expected one job, and there is "3f2a" already`},
		{"kill -9 3f2a", `muster: no flag "-9"; muster kill -h lists them`},
		{"kill x", `muster: "x": expected the beginning of a job's identifier, as muster ps lists it`},
		{"stacks " + strings.Repeat("0", 33), "muster: "},
		{"stacks --rank", "muster: --rank: expected --rank K"},
		{"stacks --rank -1", `muster: --rank: "-1": expected a rank, 0 to`},
	} {
		var stdout, stderr strings.Builder
		code := command(strings.Fields(test.line), &stdout, &stderr)
		if code != launcher.ExitUsage || stdout.Len() > 0 || !strings.HasPrefix(stderr.String(), test.stderr) {
			t.Errorf("muster %s: exit code %d\nstdout: %s\nstderr: %s", test.line, code, &stdout, &stderr)
		}
	}
	for _, name := range []string{"ps", "kill", "stacks"} {
		for _, line := range []string{name + " -h", name + " --help x y", "help " + name} {
			var stdout, stderr strings.Builder
			if code := command(strings.Fields(line), &stdout, &stderr); code != 0 || !strings.HasPrefix(stdout.String(), "muster "+name+" ") || stderr.Len() > 0 {
				t.Errorf("muster %s: exit code %d\n%s%s", line, code, &stdout, &stderr)
			}
		}
	}
}

func TestTableOfJobs(t *testing.T) {
	now := time.Unix(100_000, 0)
	hosts := func(n int) (all []launcher.HostRanks) {
		for i := range n {
			all = append(all, launcher.HostRanks{Host: fmt.Sprintf("n%d", i+1)})
		}
		return all
	}
	got := jobsTable([]launcher.JobStatus{
		{Job: "3f2a91c0" + strings.Repeat("0", 24), PID: 7, Ranks: 8, Joined: 3, Hosts: hosts(1), State: "starting", Start: now.Add(-4 * time.Second), Command: []string{"muster", "run", "./a b"}},
		{Job: "3f2a91c1" + strings.Repeat("0", 24), PID: 4711, Ranks: 64, Hosts: hosts(64), State: "reaching", Start: now.Add(-724 * time.Second), Command: []string{"muster", "\x1b]0;\n"}},
		{Job: "3f2a91c1" + strings.Repeat("1", 24), PID: 9, Ranks: 1, Joined: 1, Hosts: hosts(3), State: "running", Start: now.Add(-11_220 * time.Second), Command: []string{strings.Repeat("x", 200)}},
		{Job: "4" + strings.Repeat("0", 31), PID: 9, Ranks: 1, Hosts: hosts(2), State: "ending", Start: now.Add(time.Hour)},
	}, now)
	want := `JOB        PID   RANKS  HOSTS         STATE         TIME    COMMAND
3f2a91c0   7     8      n1            starting 3/8  4s      muster run './a b'
3f2a91c10  4711  64     n1,n2,n3,+61  reaching      12m04s  muster $'\x1b]0;\n'
3f2a91c11  9     1      n1,n2,n3      running       3h07m   ` + strings.Repeat("x", 99) + `…
40000000   9     1      n1,n2         ending        0s      
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestTextOfStacks(t *testing.T) {
	s := &launcher.Stacks{Job: strings.Repeat("a", 32), More: 2}
	for rank := range 22 {
		x := launcher.RankStacks{Rank: rank, Host: fmt.Sprintf("n%d", rank%2), PID: 100 + rank, Goroutines: 3}
		if rank > 3 {
			x.Error = "it is stopped"
		}
		s.Ranks = append(s.Ranks, x)
	}
	s.Groups = []launcher.StackGroup{
		{Ranks: []int{0, 2}, Goroutines: 2, State: "select", Stack: "main.f(...)\n\t/f.go:1\n"},
		{Ranks: []int{0, 1, 2, 3}, Goroutines: 9, State: "IO wait", Stack: "internal/poll.x(...)\n\t/x.go:2\n", Library: true},
	}
	got := stacksText(s, false)
	want := "job aaaaaaaa: 4 of 22 ranks answered\n"
	for rank := 4; rank < 20; rank++ {
		want += fmt.Sprintf("rank %d (host n%d, pid %d): it is stopped\n", rank, rank%2, 100+rank)
	}
	want += `and 2 more ranks, which --json lists

ranks 0,2 (2) on n0: select
  main.f(...)
      /f.go:1

In Muster and other libraries only:

ranks 0-3 (4) on n0,n1, 9 goroutines: IO wait
  internal/poll.x(...)
      /x.go:2

and 2 goroutines elsewhere: too many places to list
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
