package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/muster-mpi/muster/bench/contest"
	"github.com/muster-mpi/muster/bench/peer"
	"github.com/muster-mpi/muster/bench/results"
	"github.com/muster-mpi/muster/internal/gobuild"
	"github.com/muster-mpi/muster/internal/output"
	"github.com/muster-mpi/muster/launcher"
)

// benchSource is where the programs of the benchmarks are.
const benchSource = "github.com/muster-mpi/muster/bench/"

// bench is muster bench.
func bench(args []string, stdout, stderr io.Writer) int {
	if len(args) > 0 {
		switch args[0] {
		case "scaling":
			return benchScaling(args[1:], stdout, stderr)
		case "compare":
			return benchCompare(args[1:], stdout, stderr)
		}
	}
	complain := func(code int, err error) int {
		fmt.Fprintf(stderr, "muster: %s\n", output.Escape(err.Error()))
		return code
	}
	b, err := parseBench(args)
	if err != nil {
		return complain(launcher.ExitUsage, err)
	}
	if b.help {
		fmt.Fprint(stdout, benchHelp())
		return 0
	}
	ctx, stop := untilSignal()
	defer stop()
	r := &benchRun{line: b, stderr: stderr}
	defer r.close()
	if err = r.prepare(ctx); err == nil {
		r.report.Environment.Command = shellWords(append([]string{"muster", "bench"}, args...))
		err = r.measure(ctx)
		// Half an hour's figures are worth showing even if the last one failed.
		if err == nil || len(r.report.Series) > 0 {
			err = errors.Join(err, r.show(stdout))
		}
	}
	if err == nil {
		err = r.keep()
	}
	var sig interrupted
	var failed *benchError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &sig):
		return complain(sig.code(), err)
	case errors.As(err, &failed):
		return complain(failed.code, err)
	}
	return complain(launcher.ExitInternal, err)
}

// A benchError is an error with the exit code that belongs to it.
type benchError struct {
	code int
	error
}

func (e *benchError) Unwrap() error { return e.error }

// A benchRun is a benchmark under way.
type benchRun struct {
	line    *benchLine
	stderr  io.Writer
	outputs []*benchOutput
	peers   []*peer.Peer
	limits  []contest.Contestant
	program map[string]*gobuild.Program // of those below benchSource
	dir     string                      // of the peers' programs
	report  results.Report
}

func (r *benchRun) close() {
	for _, p := range r.program {
		p.Release()
	}
	for _, o := range r.outputs {
		o.close()
	}
	if r.dir != "" {
		os.RemoveAll(r.dir)
	}
}

// prepare does all that can fail before the first measurement.
func (r *benchRun) prepare(ctx context.Context) (err error) {
	b := r.line
	for _, o := range []benchOutput{{name: b.json, write: r.report.WriteJSON}, {name: b.csv, write: r.report.WriteCSV}} {
		if o.name == "" {
			continue
		}
		if err := o.open(); err != nil {
			return &benchError{launcher.ExitResource, err}
		}
		r.outputs = append(r.outputs, &o)
	}
	r.report.Environment = results.Here()
	r.report.Environment.Rounds, r.report.Environment.Repeat = b.rounds, b.repeat
	if r.peers, err = peer.Find(ctx, b.against); err != nil {
		return &benchError{launcher.ExitSpawn, fmt.Errorf("--against: %w", err)}
	}
	if len(r.peers) > 0 {
		if r.dir, err = os.MkdirTemp("", "muster-bench-"); err != nil {
			return &benchError{launcher.ExitResource, err}
		}
	}
	for _, p := range r.peers {
		if err := p.Compile(ctx, r.dir, r.line.twin()); err != nil {
			return &benchError{launcher.ExitSpawn, fmt.Errorf("%s cannot compile the program: %w", p.Name, err)}
		}
		r.report.Environment.Peers = append(r.report.Environment.Peers, p.Version)
	}
	r.program = make(map[string]*gobuild.Program)
	names := []string{r.line.twin()}
	if b.what == "startup" {
		names = append(names, "empty")
	} else if *b.limits {
		names = append(names, "limits")
	}
	for _, name := range names {
		t := gobuild.Target{Kind: gobuild.ImportPath, Name: benchSource + name, Path: benchSource + name}
		p, err := gobuild.Build(ctx, t, gobuild.Options{Stderr: r.stderr})
		if err != nil {
			return &benchError{launcher.ExitSpawn, fmt.Errorf("%w; muster bench builds its programs from source: run it in a clone of muster, or in a module that requires it", err)}
		}
		r.program[name] = p
	}
	r.report.Environment.Commit = sourceCommit(ctx)
	if r.program["limits"] != nil {
		return r.findLimits(ctx)
	}
	return nil
}

// twin is the program of the benchmark that has a twin in C.
func (b *benchLine) twin() string {
	if b.what == "coll" {
		return "coll"
	}
	return "p2p"
}

// sourceCommit is the commit of the programs' source; without git, the version of
// this command.
func sourceCommit(ctx context.Context) string {
	if commit := importCommit(ctx, benchSource+"p2p"); commit != "" {
		return commit
	}
	return version()
}

// importCommit is dirCommit of a package's directory.
func importCommit(ctx context.Context, path string) string {
	dir, ok := said(ctx, "go", "list", "-f", "{{.Dir}}", path)
	if !ok {
		return ""
	}
	return dirCommit(ctx, dir)
}

// dirCommit is the commit of a directory, with a plus if files have changed since;
// empty if git knows none.
func dirCommit(ctx context.Context, dir string) string {
	commit, ok := said(ctx, "git", "-C", dir, "rev-parse", "--short=12", "HEAD")
	if !ok {
		return ""
	}
	if changed, _ := said(ctx, "git", "-C", dir, "status", "--porcelain", "--untracked-files=no"); changed != "" {
		commit += "+"
	}
	return commit
}

// said is what a command prints.
func said(ctx context.Context, name string, args ...string) (string, bool) {
	out, err := exec.CommandContext(ctx, name, args...).Output()
	return strings.TrimSpace(string(out)), err == nil
}

// measure lets all contestants take turns.
func (r *benchRun) measure(ctx context.Context) (err error) {
	var tests []contest.Test
	var contestants []contest.Contestant
	switch r.line.what {
	case "p2p":
		tests, contestants = r.p2p()
	case "coll":
		if tests, contestants, err = r.collectives(); err != nil {
			return &benchError{launcher.ExitUsage, err}
		}
	default:
		tests, contestants = r.startup()
	}
	terminal := output.IsTerminal(r.stderr)
	r.report.Series, err = contest.Run(ctx, r.line.rounds, tests, contestants, func(test string, round int, who string) {
		if terminal {
			fmt.Fprintf(r.stderr, "\r\x1b[K%s, round %d of %d: %s", test, round+1, r.line.rounds, who)
		}
	})
	if terminal {
		fmt.Fprint(r.stderr, "\r\x1b[K")
	}
	if r.line.what == "coll" {
		r.noteShortRuns()
	}
	return err
}

// p2p are the tests between pairs of ranks, and who takes part.
func (r *benchRun) p2p() (tests []contest.Test, list []contest.Contestant) {
	b := r.line
	for _, name := range b.tests {
		tests = append(tests, contest.Test{Name: name, Ranks: b.ranks[0], Args: b.programArgs(name)})
	}
	for _, t := range b.transports {
		list = append(list, contest.Contestant{Kind: results.Ours, Name: "muster", Transport: t.name, Run: r.launched("p2p", t.job, t.insecure)})
	}
	list = append(list, r.peersOver(b.transports)...)
	return tests, append(list, r.limits...)
}

// launched runs a program as muster run would by default.
func (r *benchRun) launched(name, transport string, insecure bool) func(context.Context, contest.Test) (string, error) {
	return func(ctx context.Context, t contest.Test) (string, error) {
		var out, said strings.Builder
		job := launcher.Job{
			Apps:      []launcher.App{{Ranks: t.Ranks, Argv: append([]string{r.program[name].Path}, t.Args...)}},
			Transport: transport, Insecure: insecure,
			Stdout: &out, Stderr: &said,
		}
		code, err := launch(ctx, job, nil)
		switch {
		case ctx.Err() != nil:
			return "", context.Cause(ctx)
		case err != nil:
			return "", err
		case code != 0:
			return "", fmt.Errorf("the job ended with code %d\n%s", code, strings.TrimSpace(said.String()))
		}
		return out.String(), nil
	}
}
