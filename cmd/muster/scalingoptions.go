package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/muster-mpi/muster/bench/scaling"
)

// A scalingLine is what muster bench scaling was told.
type scalingLine struct {
	run     commandLine // what it has in common with muster run, as one program
	ranks   []int
	repeat  int
	base    int // 0: 1, or the least of ranks
	threads int
	cores   int
	weak    []scaling.Growth
	time    *regexp.Regexp // nil: timeLine, and the whole job if no line is one
	dir     string
	help    bool
}

// timeLine is how a program says what its time is.
var timeLine = regexp.MustCompile(`^muster-time:\s*(\S+)\s*$`)

// maxRepeat bounds --repeat: beyond it the rank-sum test takes long, and says
// nothing more.
const maxRepeat = 100

var scalingFlags = append([]flagOf[scalingLine]{
	{names: []string{"n", "np"}, value: "LIST", help: "numbers of ranks (default: powers of two up to the cores, the cores, and one power beyond)",
		set: func(l *scalingLine, v string) error {
			l.ranks = nil
			for part := range strings.SplitSeq(v, ",") {
				n, err := number(part, 1, maxRanks, "numbers of ranks such as 1,2,4, each")
				if err != nil {
					return err
				}
				if slices.Contains(l.ranks, n) {
					return fmt.Errorf("%d is there twice", n)
				}
				l.ranks = append(l.ranks, n)
			}
			return nil
		}},
	{names: []string{"repeat"}, value: "N", help: "runs with each number of ranks, all in alternating order (default 7; an interval wants 6)",
		set: func(l *scalingLine, v string) (err error) {
			l.repeat, err = number(v, 1, maxRepeat, "a number of runs")
			return err
		}},
	{names: []string{"base"}, value: "N", help: "the number of ranks that speed-ups refer to (default 1, or the least of -n)",
		set: func(l *scalingLine, v string) (err error) {
			l.base, err = number(v, 1, maxRanks, "a number of ranks")
			return err
		}},
	{names: []string{"weak"}, value: "FLAG=BASE*p", help: "weak scaling: give the program FLAG with a value that grows with the p ranks, so that the work of each stays the same: *p, *sqrt(p), *cbrt(p) or *p^2/3. May be repeated",
		set: func(l *scalingLine, v string) error {
			g, err := scaling.ParseGrowth(v)
			if err != nil {
				return fmt.Errorf("%s: %w", quote(v), err)
			}
			l.weak = append(l.weak, g)
			return nil
		}},
	{names: []string{"time-from"}, value: "REGEXP", help: "the time is what the group of REGEXP matches in a line of the output, such as 1.5s or 0.23 (seconds); default: a line \"muster-time: 1.5s\" if the program prints one, else the time of the whole job",
		set: func(l *scalingLine, v string) (err error) {
			if l.time, err = regexp.Compile(v); err == nil && l.time.NumSubexp() != 1 {
				err = fmt.Errorf("%s: expected one group in parentheses, around the time", quote(v))
			}
			return err
		}},
	{names: []string{"threads"}, value: "N", help: "GOMAXPROCS of each rank (default 1, so that more ranks is more cores)",
		set: func(l *scalingLine, v string) (err error) {
			l.threads, err = number(v, 1, 1<<12, "a number of threads")
			return err
		}},
	{names: []string{"cores"}, value: "N", help: "cores the ranks may use (default: those the system shows, which may be threads of fewer)",
		set: func(l *scalingLine, v string) (err error) {
			l.cores, err = number(v, 1, maxRanks, "a number of cores")
			return err
		}},
	{names: []string{"o", "output"}, value: "DIR", help: "write index.html, the pictures as SVG, scaling.csv and scaling.json to DIR",
		set: func(l *scalingLine, v string) error {
			l.dir = v
			return notEmpty(v, "a directory")
		}},
	{names: []string{"help", "h"}, help: "print this",
		set: func(l *scalingLine, v string) (err error) {
			l.help, err = truth(v)
			return err
		}},
}, flagsOfRun("x", "wdir", "transport", "insecure-wire", "bind-to", "eager", "unexpected", "timeout", "race", "tags")...)

// flagsOfRun are flags of muster run that mean the same here.
func flagsOfRun(names ...string) []flagOf[scalingLine] {
	var list []flagOf[scalingLine]
	for _, name := range names {
		o := find(name)
		list = append(list, flagOf[scalingLine]{names: o.names, value: o.value, help: "of muster run: " + o.help,
			set: func(l *scalingLine, v string) error { return o.set(&l.run, &l.run.programs[0], v) }})
	}
	return list
}

// parseScaling reads the arguments of muster bench scaling and checks all that
// shows without running anything.
func parseScaling(args []string) (*scalingLine, error) {
	l := &scalingLine{repeat: 7, threads: 1, cores: coresHere(),
		run: commandLine{lookup: os.LookupEnv, programs: []program{{ranks: 1}}}}
	rest, err := take(l, scalingFlags, args, "muster bench scaling", func() bool { return l.help })
	if err != nil || l.help {
		return l, err
	}
	if len(rest) == 0 || rest[0] == "" {
		return nil, errors.New("no program named: expected muster bench scaling [flags] TARGET [ARGS]")
	}
	p := &l.run.programs[0]
	p.argv = rest
	for _, kv := range p.env {
		if strings.HasPrefix(kv, "GOMAXPROCS=") {
			return nil, errors.New("-x GOMAXPROCS: say --threads N, which is in the report")
		}
	}
	p.env = append(p.env, fmt.Sprintf("GOMAXPROCS=%d", l.threads))
	if l.ranks == nil {
		l.ranks = scaling.DefaultRanks(max(1, l.cores/l.threads))
	}
	switch {
	case l.base == 0 && slices.Contains(l.ranks, 1):
		l.base = 1
	case l.base == 0:
		l.base = slices.Min(l.ranks)
	case !slices.Contains(l.ranks, l.base):
		return nil, fmt.Errorf("--base: %d ranks: expected one of -n, %s", l.base, joinNumbers(l.ranks))
	}
	if err := l.growing(rest[1:]); err != nil {
		return nil, err
	}
	return l, l.checkRun()
}

// checkRun checks what the flags of muster run say, for jobs of several sizes on this
// host.
func (l *scalingLine) checkRun() error {
	switch l.run.where.bindTo {
	case "", "none", "core":
		l.run.job.BindTo = l.run.where.bindTo
	default:
		return fmt.Errorf("--bind-to: %s: expected none or core, which have a meaning for any number of ranks", quote(l.run.where.bindTo))
	}
	if l.run.job.Insecure && l.run.job.Transport != "tcp" {
		return errors.New("--insecure-wire: expected --transport tcp with it; the others leave no host and need no TLS")
	}
	return l.run.check()
}

// coresHere are the cores that this process may use: Go's own default of GOMAXPROCS
// knows of affinity and of quotas.
func coresHere() int {
	if os.Getenv("GOMAXPROCS") != "" {
		return runtime.NumCPU()
	}
	return runtime.GOMAXPROCS(0)
}

// growing checks that the flags of --weak are said once.
func (l *scalingLine) growing(args []string) error {
	seen := make(map[string]bool)
	for _, g := range l.weak {
		name := strings.TrimLeft(g.Flag, "-")
		if seen[name] {
			return fmt.Errorf("--weak: %s is there twice", g.Flag)
		}
		seen[name] = true
	}
	for _, a := range args {
		flag, _, _ := strings.Cut(a, "=")
		if strings.HasPrefix(flag, "-") && seen[strings.TrimLeft(flag, "-")] {
			return fmt.Errorf("--weak: %s is among the program's arguments too: say it once", quote(flag))
		}
	}
	return nil
}

const scalingSynopsis = `muster bench scaling [flags] TARGET [ARGS]

Runs TARGET with several numbers of ranks and says how its time depends on them:
speed-up, efficiency, the serial fraction of Karp and Flatt, and the laws of
Amdahl and Gunther (USL), each with a 95 % interval. TARGET is as in muster run.
The same work on more ranks is strong scaling; --weak lets it grow with them.

Ranks that share cores are shown, and left out of every conclusion.

Flags
`

const scalingExamples = `
Examples
  muster bench scaling ./examples/nbody -n 4096
  muster bench scaling -n 1,2,4,8 -o study ./examples/nbody -n 4096
  muster bench scaling --weak '-n=2048*sqrt(p)' ./examples/nbody -steps 50
  muster bench scaling --time-from '^best +(\S+),' ./examples/matmul

Exit code
  0 if everything was measured; 70 if the program failed with some number of
  ranks (the others go on, and are shown); 64 if the command line is wrong; 66
  if the program was not found or built; 72 if a file cannot be written; 128+n
  after signal n, and what was measured until then is shown.
`

func scalingHelp() string {
	var b strings.Builder
	b.WriteString(scalingSynopsis)
	flagHelp(&b, scalingFlags)
	b.WriteString(scalingExamples)
	return b.String()
}
