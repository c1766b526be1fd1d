package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/muster-mpi/muster/internal/gobuild"
	"github.com/muster-mpi/muster/internal/output"
	"github.com/muster-mpi/muster/launcher"
)

// A plan is what muster run --dry-run prints.
type plan struct {
	Ranks    int           `json:"ranks"`
	Cores    int           `json:"cores"`
	Programs []planProgram `json:"programs"`
	Settings []setting     `json:"settings"`
}

type planProgram struct {
	First  int      `json:"first"` // rank
	Ranks  int      `json:"ranks"`
	Target string   `json:"target"`
	Kind   string   `json:"kind"`
	Path   string   `json:"path,omitempty"`
	Args   []string `json:"args"`
	Build  []string `json:"build,omitempty"`
	Env    []string `json:"env,omitempty"`
	Dir    string   `json:"dir,omitempty"`
}

type setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func (c *commandLine) plan(targets []gobuild.Target, cores int) plan {
	p := plan{Ranks: c.ranks(), Cores: cores, Settings: c.settings()}
	first := 0
	for i, t := range targets {
		part := c.programs[i]
		q := planProgram{First: first, Ranks: part.ranks, Target: t.Name, Path: t.Path, Args: t.Args, Env: part.env, Dir: part.dir}
		switch t.Kind {
		case gobuild.Executable:
			q.Kind = "executable"
		case gobuild.Directory:
			q.Kind = "Go package directory"
		case gobuild.ImportPath:
			q.Kind = "Go package"
		case gobuild.Files:
			q.Kind, q.Target = "Go files", shellWords(t.Go)
		}
		if t.IsSource() {
			q.Build = append([]string{"go", "build"}, part.build...)
		}
		first += part.ranks
		p.Programs = append(p.Programs, q)
	}
	return p
}

// settings lists what holds for the whole job.
func (c *commandLine) settings() []setting {
	j := &c.job
	list := []setting{
		{"transport", or(j.Transport, "shm")},
		{"stdin", or(j.StdinTo, "0")},
		{"on failure", map[launcher.FailurePolicy]string{launcher.AbortOnFailure: "abort", launcher.ReturnOnFailure: "return"}[j.OnFailure]},
		{"bind to", or(j.BindTo, "none")},
	}
	add := func(set bool, name, value string) {
		if set {
			list = append(list, setting{name, value})
		}
	}
	yes := func(set bool, name string) { add(set, name, "yes") }
	within := func(d time.Duration, name string) { add(d != 0, name, d.String()) }
	bytes := func(n int64, name string) { add(n != 0, name, strconv.FormatInt(n, 10)+" bytes") }
	yes(j.Insecure, "insecure wire")
	bytes(j.EagerBytes, "eager")
	bytes(j.UnexpectedBytes, "unexpected")
	yes(j.Output.Tag, "tags")
	yes(j.Output.Timestamp, "timestamps")
	yes(j.Output.Raw, "raw output")
	yes(j.Output.DropOnSlow, "drop on slow reader")
	add(j.Output.Dir != "", "output directory", j.Output.Dir)
	yes(j.Strict, "strict")
	yes(j.Detach, "detached")
	yes(j.ReportBind, "report bindings")
	add(j.Report != "", "report", j.Report)
	within(j.Timeout, "timeout")
	within(j.StartTimeout, "start timeout")
	within(j.StopTimeout, "stop timeout")
	within(j.Grace, "grace")
	return list
}

func or(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

// dryRun prints the plan as a table or as JSON.
func dryRun(w io.Writer, c *commandLine, targets []gobuild.Target, cores int) error {
	p := c.plan(targets, cores)
	if c.json {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(p)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s on this host (%s)\n", count(p.Ranks, "rank"), count(p.Cores, "core"))
	t := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	for _, q := range p.Programs {
		ranks := fmt.Sprintf("rank %d", q.First)
		if q.Ranks > 1 {
			ranks = fmt.Sprintf("ranks %d-%d", q.First, q.First+q.Ranks-1)
		}
		line := q.Target
		if len(q.Args) > 0 {
			line += " " + shellWords(q.Args)
		}
		fmt.Fprintf(t, "\n%s\t%s\n", ranks, line)
		from := q.Kind
		if q.Build != nil {
			from += ", built by " + shellWords(q.Build)
		}
		fmt.Fprintf(t, "\t%s\n", from)
		for _, kv := range q.Env {
			fmt.Fprintf(t, "\twith %s\n", shellWords([]string{kv}))
		}
		if q.Dir != "" {
			fmt.Fprintf(t, "\tin %s\n", q.Dir)
		}
	}
	fmt.Fprintln(t)
	for _, s := range p.Settings {
		fmt.Fprintf(t, "%s\t%s\n", s.Name, s.Value)
	}
	t.Flush()
	_, err := io.WriteString(w, output.Escape(b.String()))
	return err
}
