package main

import (
	"fmt"
	"io"
	"os"

	"github.com/muster-mpi/muster/launcher"
)

// A benchOutput is a file for the results. It is opened before anything runs, so
// that nobody waits for what cannot be kept, and what it holds is replaced only
// when there is something to replace it by.
type benchOutput struct {
	name  string
	write func(io.Writer) error

	file  *os.File
	fresh bool // not there before, and nothing in it yet
}

func (o *benchOutput) open() (err error) {
	_, missing := os.Stat(o.name)
	o.fresh = missing != nil
	o.file, err = os.OpenFile(o.name, os.O_CREATE|os.O_WRONLY, 0o666)
	return err
}

func (o *benchOutput) close() {
	o.file.Close()
	if o.fresh {
		os.Remove(o.name)
	}
}

func (o *benchOutput) replace() error {
	o.fresh = false
	if info, err := o.file.Stat(); err == nil && info.Mode().IsRegular() {
		if err := o.file.Truncate(0); err != nil {
			return err
		}
	}
	if err := o.write(o.file); err != nil {
		return err // names the file
	}
	return o.file.Close()
}

// show prints the tables.
func (r *benchRun) show(stdout io.Writer) error {
	e := r.report.Environment
	fmt.Fprintf(stdout, "# %s\n# %s of %s, %s %s, load %s at the start; %s, commit %s\n",
		e.Command, count(e.Cores, "core"), or(e.Machine, "an unknown processor"), e.OS, e.Kernel, or(e.Load, "unknown"), e.Go, e.Commit)
	for _, p := range e.Peers {
		fmt.Fprintf(stdout, "# %s\n", p)
	}
	fmt.Fprintf(stdout, "# medians of %s of %s; %s\n\n", count(e.Rounds, "round"), count(e.Repeat, "repetition"), e.Start.Format("2006-01-02 15:04 MST"))
	if err := r.report.WriteTables(stdout, r.line.full); err != nil {
		return &benchError{launcher.ExitResource, err}
	}
	if err := r.report.WriteSummary(stdout); err != nil {
		return &benchError{launcher.ExitResource, err}
	}
	return nil
}

// keep fills the files.
func (r *benchRun) keep() error {
	for _, o := range r.outputs {
		if err := o.replace(); err != nil {
			return &benchError{launcher.ExitResource, err}
		}
	}
	return nil
}
