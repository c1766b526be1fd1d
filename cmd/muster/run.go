package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/muster-mpi/muster/collectives/tune"
	"github.com/muster-mpi/muster/internal/gobuild"
	"github.com/muster-mpi/muster/internal/output"
	"github.com/muster-mpi/muster/launcher"
)

// run is muster run: it reads the command line, builds what is source, and
// hands the job to the launcher.
func run(args []string, stdout, stderr io.Writer) int {
	complain := func(code int, err error) int {
		fmt.Fprintf(stderr, "muster: %s\n", output.Escape(err.Error()))
		return code
	}
	c, err := parse(args, os.LookupEnv)
	if err != nil {
		return complain(launcher.ExitUsage, err)
	}
	if c.help {
		fmt.Fprint(stdout, runHelp())
		return 0
	}
	if err := c.readTune(); err != nil {
		return complain(launcher.ExitSpawn, fmt.Errorf("--tune: %w", err))
	}
	targets, err := c.resolve()
	var usage usageError
	if errors.As(err, &usage) {
		return complain(launcher.ExitUsage, err)
	}
	if err != nil {
		return complain(launcher.ExitSpawn, err)
	}
	if code, err := c.settle(surroundings); err != nil {
		return complain(code, err)
	}
	cores := runtime.NumCPU()
	if c.dryRun {
		if err := dryRun(stdout, c, targets, cores); err != nil {
			return complain(launcher.ExitResource, err)
		}
		return 0
	}
	programs, code, err := build(targets, c.programs, stderr)
	for _, p := range programs {
		defer p.Release()
	}
	if err != nil {
		return complain(code, err)
	}
	for i, p := range c.programs {
		c.job.Apps = append(c.job.Apps, launcher.App{
			Ranks: p.ranks,
			Argv:  append([]string{programs[i].Path}, targets[i].Args...),
			Env:   p.env,
			Dir:   p.dir,
			Files: []string{tune.Variable},
		})
	}
	c.job.Stdout, c.job.Stderr = stdout, stderr
	if c.job.StdinTo != "none" {
		c.job.Stdin = os.Stdin
	}
	c.job.Output.Color = colored(c.color, stdout, stderr, os.Getenv)
	for _, note := range c.notes(cores) {
		fmt.Fprintf(stderr, "muster: %s\n", output.Escape(note))
	}
	io.WriteString(stderr, output.Escape(c.where.displayed()))
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, wanted(forwarded)...)
	code, err = launch(context.Background(), c.job, signals)
	if err != nil {
		return complain(code, err)
	}
	return code
}

// readTune checks the table of --tune and has every rank read it, by a path that
// holds in whatever directory a rank starts.
func (c *commandLine) readTune() error {
	if c.tune == "" {
		return nil
	}
	if _, err := readTable(c.tune); err != nil {
		return err
	}
	path, err := filepath.Abs(c.tune)
	if err != nil {
		return err
	}
	for i := range c.programs {
		c.programs[i].env = append(c.programs[i].env, tune.Variable+"="+path)
	}
	return nil
}

// A usageError is one in the command line that shows only with the file system.
type usageError struct{ error }

func (c *commandLine) resolve() ([]gobuild.Target, error) {
	targets := make([]gobuild.Target, len(c.programs))
	for i, p := range c.programs {
		t, err := gobuild.Resolve(p.argv)
		if err != nil {
			return nil, err
		}
		if !t.IsSource() && len(p.build) > 0 {
			return nil, usageError{fmt.Errorf("%s is for building Go source, and %s is an executable", p.build[0], t.Name)}
		}
		targets[i] = t
	}
	return targets, nil
}

// build returns the programs, or an error and its exit code. What it returns has
// to be released in either case. A signal interrupts it.
func build(targets []gobuild.Target, parts []program, stderr io.Writer) ([]*gobuild.Program, int, error) {
	ctx, stop := untilSignal()
	defer stop()
	var programs []*gobuild.Program
	for i, t := range targets {
		p, err := gobuild.Build(ctx, t, gobuild.Options{Flags: parts[i].build, Stderr: stderr})
		if err != nil {
			var sig interrupted
			if errors.As(err, &sig) {
				return programs, sig.code(), err
			}
			return programs, launcher.ExitSpawn, err
		}
		programs = append(programs, p)
	}
	return programs, 0, nil
}

// untilSignal returns a context that ends with interrupted as its cause when a
// signal asks this process to end, until stop is called.
func untilSignal() (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, wanted(ending)...)
	go func() {
		select {
		case sig := <-signals:
			cancel(interrupted{sig})
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel(nil)
	}
}

// interrupted is the error of what a signal has ended.
type interrupted struct{ signal os.Signal }

func (e interrupted) Error() string { return e.signal.String() }

func (e interrupted) code() int {
	if n, ok := e.signal.(syscall.Signal); ok {
		return 128 + int(n)
	}
	return 128 + int(syscall.SIGINT)
}

// wanted leaves out the signals that whoever started muster had it ignore, as
// nohup does.
func wanted(list []os.Signal) []os.Signal {
	var kept []os.Signal
	for _, s := range list {
		if !signal.Ignored(s) {
			kept = append(kept, s)
		}
	}
	return kept
}

// colored decides what --color auto means.
func colored(when string, stdout, stderr io.Writer, getenv func(string) string) bool {
	if when != "auto" {
		return when == "always"
	}
	return getenv("NO_COLOR") == "" && getenv("TERM") != "dumb" &&
		output.IsTerminal(stdout) && output.IsTerminal(stderr)
}

// notes are what the user should know before the job begins.
func (c *commandLine) notes(cores int) []string {
	notes := c.where.notes
	for _, p := range c.programs {
		if words := p.misplaced(); words != "" {
			notes = append(notes, fmt.Sprintf("note: %s after %s goes to the program; ranks are counted by muster run %s %s",
				words, p.argv[0], words, p.argv[0]))
		}
	}
	if n := c.ranks(); c.where.hosts == nil && n > cores && !c.oversubscribe {
		notes = append(notes, fmt.Sprintf("note: %d ranks share %s (--oversubscribe silences this)", n, count(cores, "core")))
	}
	if c.job.Insecure {
		notes = append(notes, "warning: --insecure-wire: messages are neither encrypted nor authenticated")
	}
	return notes
}

// misplaced returns what of the program's arguments looks like a number of ranks that
// was meant for muster run, where that has none.
func (p *program) misplaced() string {
	if p.counted || p.literal {
		return ""
	}
	isNumber := func(s string) bool { _, err := number(s, 1, maxRanks, ""); return err == nil }
	for i, arg := range p.argv[1:] {
		name, value, joined := strings.Cut(arg, "=")
		if !slices.Contains([]string{"-n", "--n", "-np", "--np"}, name) {
			continue
		}
		if joined && isNumber(value) {
			return arg
		}
		if rest := p.argv[i+2:]; !joined && len(rest) > 0 && isNumber(rest[0]) {
			return arg + " " + rest[0]
		}
	}
	return ""
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// shellWords joins words so that a shell would take them apart again.
func shellWords(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = w
		switch {
		case strings.ContainsFunc(w, func(r rune) bool { return r < ' ' || r == 0x7f }):
			inner := strconv.Quote(w)
			inner = strings.ReplaceAll(inner[1:len(inner)-1], `\"`, `"`)
			quoted[i] = "$'" + strings.ReplaceAll(inner, "'", `\'`) + "'"
		case w == "" || strings.ContainsAny(w, " '\"\\$`!*?[]{}()<>|&;~#"):
			quoted[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}
