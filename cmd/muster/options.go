package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/muster-mpi/muster/launcher"
)

// maxRanks bounds a job; beyond it a number of ranks is a slip of the finger.
const maxRanks = 1 << 16

// An option is a flag of muster run. Each may be written with one dash or two,
// and its value as the next argument or after an equals sign.
type option struct {
	names []string // the first is the one we show
	value string   // placeholder in the help; empty for a switch
	group string
	help  string
	local bool // concerns one program of the job, not the job
	set   func(c *commandLine, p *program, value string) error
}

// dashed is the option as the help and messages show it.
func (o *option) dashed() string { return dashed(o.names[0], o.group == groupBuild) }

func dashed(name string, short bool) string {
	if short || len(name) <= 2 {
		return "-" + name
	}
	return "--" + name
}

const (
	groupRanks   = "Ranks"
	groupHosts   = "Hosts and places"
	groupOutput  = "Input and output"
	groupEnd     = "How a job ends"
	groupPlace   = "Cores and transport"
	groupBuild   = "Building Go source (passed to go build)"
	groupInstead = "Instead of running"
)

var groups = []string{groupRanks, groupHosts, groupOutput, groupEnd, groupPlace, groupBuild, groupInstead}

var options = slices.Concat([]option{
	{names: []string{"n", "np"}, value: "N", group: groupRanks, local: true,
		help: "ranks of the program (default: one for each slot of the hosts; 1 where none are named)",
		set: func(c *commandLine, p *program, v string) (err error) {
			p.ranks, err = number(v, 1, maxRanks, "a number of ranks")
			p.counted = true
			return err
		}},
	{names: []string{"x"}, value: "NAME[=VALUE]", group: groupRanks, local: true,
		help: "set a variable of the ranks' environment; without VALUE, insist that it is set here. The ranks have the launcher's environment anyway. May be repeated",
		set: func(c *commandLine, p *program, v string) error {
			kv, err := c.variable(v)
			p.env = append(p.env, kv)
			return err
		}},
	{names: []string{"wdir", "wd"}, value: "DIR", group: groupRanks, local: true,
		help: "directory the ranks start in (default: this one)",
		set: func(c *commandLine, p *program, v string) error {
			p.dir = v
			return notEmpty(v, "a directory")
		}},
	{names: []string{"oversubscribe"}, group: groupRanks,
		help: "allow more ranks than the hosts have slots, up to their max_slots. Where no hosts are named any number is allowed, and this silences the note that there are more ranks than cores",
		set:  toggle(func(c *commandLine) *bool { return &c.oversubscribe })},

	{names: []string{"tag-output", "l"}, group: groupOutput,
		help: "begin each line with the rank, as in [3]",
		set:  toggle(func(c *commandLine) *bool { return &c.job.Output.Tag })},
	{names: []string{"timestamp-output"}, group: groupOutput,
		help: "begin each line with the time",
		set:  toggle(func(c *commandLine) *bool { return &c.job.Output.Timestamp })},
	{names: []string{"color"}, value: "WHEN", group: groupOutput,
		help: "colour tags, and let the programs' colours pass on a terminal: auto (default: output and errors are terminals and NO_COLOR is not set), always or never",
		set: func(c *commandLine, _ *program, v string) (err error) {
			c.color, err = oneOf(v, "auto", "always", "never")
			return err
		}},
	{names: []string{"output-dir"}, value: "DIR", group: groupOutput,
		help: "also write what each rank prints, unchanged, to files in DIR: rank.0003.out and rank.0003.err",
		set: func(c *commandLine, _ *program, v string) error {
			c.job.Output.Dir = v
			return notEmpty(v, "a directory")
		}},
	{names: []string{"raw-output"}, group: groupOutput,
		help: "pass escape sequences and other controls to a terminal or after a tag instead of showing them as \\x1b",
		set:  toggle(func(c *commandLine) *bool { return &c.job.Output.Raw })},
	{names: []string{"output-policy"}, value: "POLICY", group: groupOutput,
		help: "when the reader of the output is slow: block (default; slows the ranks that print) or drop (loses and counts lines)",
		set: func(c *commandLine, _ *program, v string) error {
			policy, err := oneOf(v, "block", "drop")
			c.job.Output.DropOnSlow = policy == "drop"
			return err
		}},
	{names: []string{"stdin"}, value: "RANK", group: groupOutput,
		help: "who reads standard input: a rank (default 0), all or none",
		set: func(c *commandLine, _ *program, v string) error {
			c.job.StdinTo = v
			if v == "all" || v == "none" {
				return nil
			}
			if _, err := strconv.ParseUint(v, 10, 31); err != nil {
				return fmt.Errorf("%s: expected a rank, all or none", quote(v))
			}
			return nil
		}},

	{names: []string{"timeout"}, value: "TIME", group: groupEnd,
		help: "end the job after this time, with exit code 124; as all TIMEs in seconds, or as in 1.5s, 10m and 2h",
		set:  duration(func(c *commandLine) *time.Duration { return &c.job.Timeout })},
	{names: []string{"start-timeout"}, value: "TIME", group: groupEnd,
		help: "from the first rank's joining to the last's (default 10s)",
		set:  duration(func(c *commandLine) *time.Duration { return &c.job.StartTimeout })},
	{names: []string{"stop-timeout"}, value: "TIME", group: groupEnd,
		help: "how long a rank may be stopped, by SIGSTOP for example (default: for ever, with a warning)",
		set:  duration(func(c *commandLine) *time.Duration { return &c.job.StopTimeout })},
	{names: []string{"grace"}, value: "TIME", group: groupEnd,
		help: "between SIGTERM and SIGKILL when you end the job (default 5s)",
		set:  duration(func(c *commandLine) *time.Duration { return &c.job.Grace })},
	{names: []string{"on-failure"}, value: "POLICY", group: groupEnd,
		help: "when a rank fails: abort (default) ends the job; return lets the others go on, whose operations with it fail",
		set: func(c *commandLine, _ *program, v string) error {
			policy, err := oneOf(v, "abort", "return")
			if policy == "return" {
				c.job.OnFailure = launcher.ReturnOnFailure
			} else {
				c.job.OnFailure = launcher.AbortOnFailure
			}
			return err
		}},
	{names: []string{"strict"}, group: groupEnd,
		help: "fail if messages or requests are left over at the end",
		set:  toggle(func(c *commandLine) *bool { return &c.job.Strict })},
	{names: []string{"detach"}, group: groupEnd,
		help: "go on when the terminal is closed",
		set:  toggle(func(c *commandLine) *bool { return &c.job.Detach })},
	{names: []string{"report"}, value: "FILE", group: groupEnd,
		help: "write how the job ended to FILE, as JSON",
		set: func(c *commandLine, _ *program, v string) error {
			c.job.Report = v
			return notEmpty(v, "a file")
		}},

	{names: []string{"bind-to"}, value: "WHAT", group: groupPlace,
		help: "bind each rank to its share of its host's cores (core), to one hardware thread (hwthread), or to the socket, numa domain or l3cache that its share begins in; not at all (none, the default). All but core and none work on this host only",
		set: func(c *commandLine, _ *program, v string) (err error) {
			c.where.bindTo, err = oneOf(v, "none", "core", "hwthread", "socket", "numa", "l3cache")
			return err
		}},
	{names: []string{"report-bindings"}, group: groupPlace,
		help: "print the cores of each rank",
		set:  toggle(func(c *commandLine) *bool { return &c.job.ReportBind })},
	{names: []string{"transport"}, value: "NAME", group: groupPlace,
		help: "how ranks of one host are linked: shm (shared memory without a name; the default, with unix in its place where a host permits none), unix (gRPC over sockets without names) or tcp (gRPC with TLS over loopback)",
		set: func(c *commandLine, _ *program, v string) (err error) {
			c.job.Transport, err = oneOf(v, "shm", "unix", "tcp")
			return err
		}},
	{names: []string{"insecure-wire"}, group: groupPlace,
		help: "no TLS between hosts, nor with --transport tcp. Whoever can reach the wire can read and change the messages",
		set:  toggle(func(c *commandLine) *bool { return &c.job.Insecure })},
	{names: []string{"eager"}, value: "SIZE", group: groupPlace,
		help: "largest message sent before its receive is known (default 64KiB; 16KiB between ranks that share memory)",
		set:  size(func(c *commandLine) *int64 { return &c.job.EagerBytes })},
	{names: []string{"unexpected"}, value: "SIZE", group: groupPlace,
		help: "memory of a rank for messages it has not asked for yet (default 64MiB)",
		set:  size(func(c *commandLine) *int64 { return &c.job.UnexpectedBytes })},

	{names: []string{"tune"}, value: "FILE", group: groupPlace,
		help: "a table that muster tune has written, by which algorithms of collectives are chosen",
		set: func(c *commandLine, _ *program, v string) error {
			c.tune = v
			return notEmpty(v, "a file")
		}},

	{names: []string{"dry-run"}, group: groupInstead,
		help: "print what would run",
		set:  toggle(func(c *commandLine) *bool { return &c.dryRun })},
	{names: []string{"json"}, group: groupInstead,
		help: "with --dry-run: as JSON",
		set:  toggle(func(c *commandLine) *bool { return &c.json })},
	{names: []string{"help", "h"}, group: groupInstead,
		help: "print this",
		set:  toggle(func(c *commandLine) *bool { return &c.help })},
}, hostOptions(), buildOptions())

// buildOptions are flags of go build that are handed on, -n, -x and -o not being
// among them.
func buildOptions() []option {
	var list []option
	for _, f := range []struct{ name, value, help string }{
		{"race", "", "with the race detector"},
		{"msan", "", ""},
		{"asan", "", ""},
		{"cover", "", ""},
		{"covermode", "MODE", ""},
		{"coverpkg", "PATTERNS", ""},
		{"a", "", "build everything anew"},
		{"trimpath", "", ""},
		{"tags", "LIST", "build tags"},
		{"gcflags", "FLAGS", "for the compiler, such as 'all=-N -l'"},
		{"ldflags", "FLAGS", "for the linker"},
		{"asmflags", "FLAGS", ""},
		{"mod", "MODE", "readonly, vendor or mod"},
		{"modfile", "FILE", ""},
		{"overlay", "FILE", ""},
		{"pgo", "FILE", ""},
		{"buildmode", "MODE", ""},
		{"buildvcs", "WHEN", "stamp the commit (default false, as with go run)"},
	} {
		o := option{names: []string{f.name}, value: f.value, group: groupBuild, help: f.help, local: true}
		o.set = func(_ *commandLine, p *program, v string) error {
			if f.value == "" {
				on, err := truth(v)
				flag := "-" + f.name
				if !on {
					flag += "=false"
				}
				p.build = append(p.build, flag)
				return err
			}
			p.build = append(p.build, "-"+f.name+"="+v)
			return nil
		}
		list = append(list, o)
	}
	return list
}

func toggle(field func(*commandLine) *bool) func(*commandLine, *program, string) error {
	return func(c *commandLine, _ *program, v string) (err error) {
		*field(c), err = truth(v)
		return err
	}
}

func truth(v string) (bool, error) {
	b, err := strconv.ParseBool(v)
	if err != nil {
		return false, fmt.Errorf("%s: expected true or false", quote(v))
	}
	return b, nil
}

func number(v string, low, high int, what string) (int, error) {
	n, err := strconv.Atoi(v)
	if err != nil || n < low || n > high {
		return 0, fmt.Errorf("%s: expected %s, %d to %d", quote(v), what, low, high)
	}
	return n, nil
}

func oneOf(v string, allowed ...string) (string, error) {
	for _, a := range allowed {
		if v == a {
			return v, nil
		}
	}
	last := len(allowed) - 1
	return "", fmt.Errorf("%s: expected %s or %s", quote(v), strings.Join(allowed[:last], ", "), allowed[last])
}

func notEmpty(v, what string) error {
	if v == "" {
		return fmt.Errorf("expected %s, not an empty name", what)
	}
	if strings.IndexByte(v, 0) >= 0 {
		return fmt.Errorf("%s: a name has no NUL bytes", quote(v))
	}
	return nil
}

func duration(field func(*commandLine) *time.Duration) func(*commandLine, *program, string) error {
	return func(c *commandLine, _ *program, v string) error {
		d, err := parseDuration(v)
		*field(c) = d
		return err
	}
}

// parseDuration takes Go's notation, or a number of seconds as mpiexec does.
func parseDuration(v string) (time.Duration, error) {
	d, err := time.ParseDuration(v)
	if err != nil {
		d, err = time.ParseDuration(v + "s")
	}
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%s: expected a time above zero, such as 30s, 5m or 1h30m; a bare number is seconds", quote(v))
	}
	return d, nil
}

// size takes bytes, with a binary unit or none.
func size(field func(*commandLine) *int64) func(*commandLine, *program, string) error {
	return func(c *commandLine, _ *program, v string) error {
		n, err := parseSize(v)
		*field(c) = n
		return err
	}
}

func parseSize(v string) (int64, error) {
	digits := strings.TrimRight(v, "BKMGTibkmgt")
	unit := map[string]int64{
		"": 1, "b": 1, "k": 1 << 10, "kib": 1 << 10, "m": 1 << 20, "mib": 1 << 20, "g": 1 << 30, "gib": 1 << 30,
	}[strings.ToLower(v[len(digits):])]
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 1 || unit == 0 || n > (1<<50)/unit {
		return 0, fmt.Errorf("%s: expected a size of one byte or more, such as 65536, 64KiB, 4MiB or 1GiB", quote(v))
	}
	return n * unit, nil
}

// variable checks NAME=VALUE, and completes NAME from the environment.
func (c *commandLine) variable(v string) (string, error) {
	name, _, given := strings.Cut(v, "=")
	switch {
	case name == "" || strings.IndexByte(v, 0) >= 0:
		return "", fmt.Errorf("%s: expected NAME=VALUE, or NAME of a variable that is set", quote(v))
	case strings.HasPrefix(name, "MUSTER_"):
		return "", fmt.Errorf("%s: names that begin with MUSTER_ are the launcher's", quote(name))
	case given:
		return v, nil
	}
	value, ok := c.lookup(name)
	if !ok {
		return "", fmt.Errorf("%s is not set here: expected NAME=VALUE, or NAME of a variable that is set", quote(name))
	}
	return name + "=" + value, nil
}
