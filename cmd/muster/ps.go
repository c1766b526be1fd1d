package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/muster-mpi/muster/internal/output"
	"github.com/muster-mpi/muster/launcher"
)

// ps is muster ps.
func ps(args []string, stdout, stderr io.Writer) int {
	l, err := parseJobLine("ps", psFlags, args, false)
	switch {
	case err != nil:
		return failed(stderr, launcher.ExitUsage, err)
	case l.help:
		fmt.Fprint(stdout, psHelp())
		return 0
	}
	all, err := launcher.Jobs()
	if err != nil {
		return jobsFailed(stderr, err)
	}
	if l.json {
		err = writeJSON(stdout, append([]launcher.JobStatus{}, all...)) // [], not null
	} else {
		_, err = io.WriteString(stdout, jobsTable(all, time.Now()))
	}
	if err != nil {
		return failed(stderr, launcher.ExitResource, err)
	}
	return 0
}

// maxCommandShown is how much of a command line a row of muster ps has.
const maxCommandShown = 100

// jobsTable is what muster ps prints.
func jobsTable(all []launcher.JobStatus, now time.Time) string {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	fmt.Fprint(t, "JOB\tPID\tRANKS\tHOSTS\tSTATE\tTIME\tCOMMAND\n")
	for _, j := range all {
		var hosts []string
		for _, h := range j.Hosts {
			hosts = append(hosts, h.Host)
		}
		state := j.State
		if state == launcher.JobStarting && j.Joined > 0 {
			state = fmt.Sprintf("%s %d/%d", state, j.Joined, j.Ranks)
		}
		command := []rune(shellWords(j.Command))
		if len(command) > maxCommandShown {
			command = append(command[:maxCommandShown-1], '…')
		}
		fmt.Fprintf(t, "%s\t%d\t%d\t%s\t%s\t%s\t%s\n", shortJob(all, j.Job), j.PID, j.Ranks,
			output.Escape(hostsText(hosts)), state, clock(now.Sub(j.Start)), output.Escape(string(command)))
	}
	t.Flush()
	return b.String()
}

// hostsText names the first hosts of a list.
func hostsText(hosts []string) string {
	const most = 3
	text := strings.Join(hosts[:min(most, len(hosts))], ",")
	if n := len(hosts) - most; n > 0 {
		text += fmt.Sprintf(",+%d", n)
	}
	return text
}

// clock writes a time as "4s", "12m04s" or "3h07m".
func clock(d time.Duration) string {
	s := int(max(d, 0).Seconds())
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	}
	return fmt.Sprintf("%dh%02dm", s/3600, s/60%60)
}
