package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/muster-mpi/muster/internal/output"
	"github.com/muster-mpi/muster/launcher"
)

// stacks is muster stacks.
func stacks(args []string, stdout, stderr io.Writer) int {
	l, err := parseJobLine("stacks", stacksFlags, args, true)
	switch {
	case err != nil:
		return failed(stderr, launcher.ExitUsage, err)
	case l.help:
		fmt.Fprint(stdout, stacksHelp())
		return 0
	}
	j, err := l.find()
	if err != nil {
		return jobsFailed(stderr, err)
	}
	if l.rank >= j.Ranks {
		return failed(stderr, launcher.ExitUsage, fmt.Errorf("--rank: job %.8s has no rank %d, only 0 to %d", j.Job, l.rank, j.Ranks-1))
	}
	s, err := j.Stacks(context.Background(), l.rank)
	if err != nil {
		return jobsFailed(stderr, err)
	}
	if l.json {
		err = writeJSON(stdout, s)
	} else {
		_, err = io.WriteString(stdout, output.Escape(stacksText(s, l.rank >= 0)))
	}
	switch {
	case err != nil:
		return failed(stderr, launcher.ExitResource, err)
	case !slices.ContainsFunc(s.Ranks, func(x launcher.RankStacks) bool { return x.Error == "" }):
		return exitNoJob
	}
	return 0
}

// maxSilent is how many ranks that have not answered are listed.
const maxSilent = 16

// stacksText is what muster stacks prints: one rank's own text, or all in groups.
func stacksText(s *launcher.Stacks, one bool) string {
	var b strings.Builder
	if one && len(s.Ranks) == 1 && s.Ranks[0].Error == "" {
		x := s.Ranks[0]
		fmt.Fprintf(&b, "rank %d (host %s, pid %d), %s:\n\n%s\n", x.Rank, x.Host, x.PID, count(x.Goroutines, "goroutine"), strings.TrimRight(s.Text, "\n"))
		return b.String()
	}
	var silent []string
	hosts := make(map[string]bool)
	for _, x := range s.Ranks {
		hosts[x.Host] = true
		if x.Error != "" {
			silent = append(silent, fmt.Sprintf("rank %d (host %s, pid %d): %s\n", x.Rank, x.Host, x.PID, x.Error))
		}
	}
	answered := len(s.Ranks) - len(silent)
	fmt.Fprintf(&b, "job %.8s: %d of %s answered\n", s.Job, answered, count(len(s.Ranks), "rank"))
	for _, line := range silent[:min(len(silent), maxSilent)] {
		b.WriteString(line)
	}
	if n := len(silent) - maxSilent; n > 0 {
		fmt.Fprintf(&b, "and %s, which --json lists\n", count(n, "more rank"))
	}
	library := false
	for _, g := range s.Groups {
		if g.Library && !library {
			library = true
			b.WriteString("\nIn Muster and other libraries only:\n")
		}
		fmt.Fprintf(&b, "\n%s\n", groupTitle(s, &g, len(hosts) > 1))
		for line := range strings.Lines(g.Stack) {
			b.WriteString("  " + strings.Replace(line, "\t", "    ", 1))
		}
	}
	if s.More > 0 {
		fmt.Fprintf(&b, "\nand %s elsewhere: too many places to list\n", count(s.More, "goroutine"))
	}
	return b.String()
}

// groupTitle says who stands there.
func groupTitle(s *launcher.Stacks, g *launcher.StackGroup, named bool) string {
	title := "rank " + g.RankList()
	if len(g.Ranks) > 1 {
		title = fmt.Sprintf("ranks %s (%d)", g.RankList(), len(g.Ranks))
	}
	if named {
		var hosts []string
		for _, r := range g.Ranks {
			if h := s.HostOf(r); !slices.Contains(hosts, h) {
				hosts = append(hosts, h)
			}
		}
		title += " on " + hostsText(hosts)
	}
	if g.Goroutines > len(g.Ranks) {
		title += fmt.Sprintf(", %d goroutines", g.Goroutines)
	}
	return title + ": " + g.State
}
