package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/muster-mpi/muster/launcher"
)

// A jobLine is what muster ps, kill or stacks was told.
type jobLine struct {
	job  string // the beginning of an identifier; "": the only job
	rank int    // -1: all
	now  bool
	json bool
	help bool
}

var (
	jsonFlag = flagOf[jobLine]{names: []string{"json"}, help: "as JSON",
		set: setToggle(func(l *jobLine) *bool { return &l.json })}
	helpFlag = flagOf[jobLine]{names: []string{"help", "h"}, help: "print this",
		set: setToggle(func(l *jobLine) *bool { return &l.help })}

	psFlags   = []flagOf[jobLine]{jsonFlag, helpFlag}
	killFlags = []flagOf[jobLine]{
		{names: []string{"now"}, help: "give the ranks no time to end: kill them at once",
			set: setToggle(func(l *jobLine) *bool { return &l.now })},
		jsonFlag, helpFlag,
	}
	stacksFlags = []flagOf[jobLine]{
		{names: []string{"rank"}, value: "K", help: "all that rank K answers, as its Go runtime writes it (default: all ranks, in groups)",
			set: setNumber(func(l *jobLine) *int { return &l.rank }, 0, maxRanks-1, "a rank")},
		jsonFlag, helpFlag,
	}
)

// parseJobLine reads the arguments of a command about jobs; one job may be named if
// named is set.
func parseJobLine(command string, flags []flagOf[jobLine], args []string, named bool) (*jobLine, error) {
	l := &jobLine{rank: -1}
	word := func(v string) error {
		switch {
		case !named:
			return fmt.Errorf("%s: muster %s takes no job, it lists all", quote(v), command)
		case l.job != "":
			return fmt.Errorf("%s: expected one job, and there is %s already", quote(v), quote(l.job))
		case v == "" || len(v) > 32 || strings.Trim(v, "0123456789abcdefABCDEF") != "":
			return fmt.Errorf("%s: expected the beginning of a job's identifier, as muster ps lists it", quote(v))
		}
		l.job = strings.ToLower(v)
		return nil
	}
	return l, readFlags(l, command, flags, args, word, &l.help)
}

// find returns the job that l names, or the only one.
func (l *jobLine) find() (*launcher.JobStatus, error) {
	all, err := launcher.Jobs()
	if err != nil {
		return nil, err
	}
	var found []launcher.JobStatus
	var names []string
	for _, j := range all {
		if strings.HasPrefix(j.Job, l.job) {
			found = append(found, j)
			names = append(names, shortJob(all, j.Job))
		}
	}
	switch {
	case len(found) == 1:
		return &found[0], nil
	case len(found) > 1 && l.job == "":
		return nil, fmt.Errorf("%d jobs run on this host: expected one of %s", len(found), strings.Join(names, ", "))
	case len(found) > 1:
		return nil, fmt.Errorf("%s begins %d jobs: %s", l.job, len(found), strings.Join(names, ", "))
	case len(all) > 0:
		return nil, fmt.Errorf("no job of yours on this host begins with %s; muster ps lists them", l.job)
	}
	return nil, errors.New("no job of yours has its launcher on this host")
}

// shortJob is the beginning of a job's identifier that tells it from the others, but no
// less than messages show.
func shortJob(all []launcher.JobStatus, job string) string {
	for n := 8; n < len(job); n++ {
		same := 0
		for _, other := range all {
			if strings.HasPrefix(other.Job, job[:n]) {
				same++
			}
		}
		if same <= 1 {
			return job[:n]
		}
	}
	return job
}

// exitNoJob is the exit code of muster kill and stacks when there is no such job, or it
// does not do what it should.
const exitNoJob = 1

// jobsFailed says what is wrong with a command about jobs and returns the code.
func jobsFailed(stderr io.Writer, err error) int {
	if errors.Is(err, errors.ErrUnsupported) {
		return failed(stderr, launcher.ExitSpawn, err)
	}
	return failed(stderr, exitNoJob, err)
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
