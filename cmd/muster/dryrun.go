package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
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
	Ranks     int           `json:"ranks"`
	Cores     int           `json:"cores"` // of this host
	HostsFrom string        `json:"hosts_from,omitempty"`
	Hosts     []planHost    `json:"hosts,omitempty"` // none: this host alone
	CPUs      [][]int       `json:"cpus,omitempty"`  // by rank, where they are known
	Programs  []planProgram `json:"programs"`
	Settings  []setting     `json:"settings"`
}

type planHost struct {
	Name     string        `json:"name"`
	User     string        `json:"user,omitempty"`
	Port     int           `json:"port,omitempty"`
	Slots    int           `json:"slots"`
	MaxSlots int           `json:"max_slots,omitempty"`
	Local    bool          `json:"this_host,omitempty"`
	Reach    []string      `json:"reach,omitempty"` // the command, without the script that starts the agent
	Ranks    []int         `json:"ranks"`
	Commands []planCommand `json:"commands,omitempty"`
}

// A planCommand is what some ranks of a host run.
type planCommand struct {
	Ranks []int    `json:"ranks"`
	Argv  []string `json:"argv"`
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
	p := plan{Ranks: c.ranks(), Cores: cores, HostsFrom: c.where.source, CPUs: c.job.CPUs, Settings: c.settings()}
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
	for i := range c.where.hosts {
		p.Hosts = append(p.Hosts, c.planHost(i, p.Programs))
	}
	return p
}

// planHost says what the i-th host runs, and by which command it is reached.
func (c *commandLine) planHost(i int, programs []planProgram) planHost {
	h := c.where.hosts[i]
	q := planHost{Name: h.Name, User: h.User, Port: h.Port, Slots: h.Slots, MaxSlots: h.Max, Local: jobHost(h).Local(), Ranks: []int{}}
	q.Ranks = append(q.Ranks, c.where.ranks[i]...)
	for _, program := range programs {
		ranks := slices.DeleteFunc(slices.Clone(c.where.ranks[i]), func(rank int) bool {
			return rank < program.First || rank >= program.First+program.Ranks
		})
		if len(ranks) > 0 {
			q.Commands = append(q.Commands, planCommand{ranks, append([]string{program.Target}, program.Args...)})
		}
	}
	if !q.Local && len(q.Ranks) > 0 {
		reach := c.job.ReachCommand(jobHost(h), "")
		q.Reach = reach[:len(reach)-1]
	}
	return q
}

// settings lists what holds for the whole job.
func (c *commandLine) settings() []setting {
	j := &c.job
	list := []setting{
		{"transport", or(j.Transport, "shm")},
		{"stdin", or(j.StdinTo, "0")},
		{"on failure", map[launcher.FailurePolicy]string{launcher.AbortOnFailure: "abort", launcher.ReturnOnFailure: "return"}[j.OnFailure]},
		{"bind to", or(c.where.bindTo, "none")},
	}
	add := func(set bool, name, value string) {
		if set {
			list = append(list, setting{name, value})
		}
	}
	yes := func(set bool, name string) { add(set, name, "yes") }
	within := func(d time.Duration, name string) { add(d != 0, name, d.String()) }
	bytes := func(n int64, name string) { add(n != 0, name, strconv.FormatInt(n, 10)+" bytes") }
	add(c.where.perHost > 0, "ranks a host", strconv.Itoa(c.where.perHost))
	add(c.where.mapBy != "", "map by", c.where.mapBy)
	add(c.where.rankBy != "", "rank by", c.where.rankBy)
	add(c.where.rankFile != "", "rank file", c.where.rankFile)
	add(j.Shell != nil, "remote shell", shellWords(j.Shell))
	used := slices.DeleteFunc(slices.Clone(c.where.ranks), func(ranks []int) bool { return len(ranks) == 0 })
	add(len(used) > 1, "between hosts", or(j.Via, "tcp"))
	add(j.Iface != "", "interface", j.Iface)
	add(j.Subnet != "", "subnet", j.Subnet)
	within(j.NetTimeout, "net timeout")
	yes(j.Timing, "timing")
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

// usedHosts counts the hosts that have ranks, and those that have none.
func (p *plan) usedHosts() string {
	used := 0
	for _, h := range p.Hosts {
		if len(h.Ranks) > 0 {
			used++
		}
	}
	if used < len(p.Hosts) {
		return fmt.Sprintf("%d of %s", used, count(len(p.Hosts), "host"))
	}
	return count(used, "host")
}

// show writes how a host is reached and what is run there.
func (h *planHost) show(w io.Writer) {
	if len(h.Ranks) == 0 {
		return
	}
	how := "this host"
	if !h.Local {
		how = shellWords(h.Reach) + " …"
	}
	fmt.Fprintf(w, "\non %s\t%s\n", h.Name, how)
	for _, command := range h.Commands {
		ranks := "rank "
		if len(command.Ranks) > 1 {
			ranks = "ranks "
		}
		fmt.Fprintf(w, "\t%s: %s\n", ranks+ranges(command.Ranks), shellWords(command.Argv))
	}
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
	switch {
	case p.Hosts != nil:
		fmt.Fprintf(&b, "%s on %s, named by %s\n\n%s", count(p.Ranks, "rank"), p.usedHosts(), p.HostsFrom, c.where.mapped())
	case p.CPUs != nil:
		fmt.Fprintf(&b, "%s on this host (%s)\n\n%s", count(p.Ranks, "rank"), count(p.Cores, "core"), c.where.mapped())
	default:
		fmt.Fprintf(&b, "%s on this host (%s)\n", count(p.Ranks, "rank"), count(p.Cores, "core"))
	}
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
	for _, h := range p.Hosts {
		h.show(t)
	}
	fmt.Fprintln(t)
	for _, s := range p.Settings {
		fmt.Fprintf(t, "%s\t%s\n", s.Name, s.Value)
	}
	t.Flush()
	_, err := io.WriteString(w, output.Escape(b.String()))
	return err
}
