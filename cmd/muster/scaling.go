package main

import (
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/muster-mpi/muster/bench/results"
	"github.com/muster-mpi/muster/bench/scaling"
	"github.com/muster-mpi/muster/internal/gobuild"
	"github.com/muster-mpi/muster/internal/output"
	"github.com/muster-mpi/muster/launcher"
)

// benchScaling is muster bench scaling.
func benchScaling(args []string, stdout, stderr io.Writer) int {
	complain := func(code int, err error) int {
		fmt.Fprintf(stderr, "muster: %s\n", output.Escape(err.Error()))
		return code
	}
	l, err := parseScaling(args)
	if err != nil {
		return complain(launcher.ExitUsage, err)
	}
	if l.help {
		fmt.Fprint(stdout, scalingHelp())
		return 0
	}
	targets, err := l.run.resolve()
	var usage usageError
	if errors.As(err, &usage) {
		return complain(launcher.ExitUsage, err)
	}
	if err != nil {
		return complain(launcher.ExitSpawn, err)
	}
	files, err := openStudyFiles(l.dir)
	defer files.close()
	if err != nil {
		return complain(launcher.ExitResource, err)
	}
	programs, code, err := build(targets, l.run.programs, stderr)
	for _, p := range programs {
		defer p.Release()
	}
	if err != nil {
		return complain(code, err)
	}
	ctx, stop := untilSignal()
	defer stop()
	r := &scalingRun{line: l, path: programs[0].Path, args: targets[0].Args, stderr: stderr}
	r.study = r.about(ctx, targets[0], args)
	return r.outcome(r.measure(ctx), files, stdout, complain)
}

// A scalingRun is a study under way.
type scalingRun struct {
	line     *scalingLine
	path     string // of the executable
	args     []string
	stderr   io.Writer
	study    *scaling.Study
	failures int
	reports  *bool // the program says its time; nil: not known yet
}

// about is what there is to say of the study before the first run.
func (r *scalingRun) about(ctx context.Context, t gobuild.Target, args []string) *scaling.Study {
	l := r.line
	e := results.Here()
	e.Cores, e.Rounds, e.Repeat = l.cores, l.repeat, 1
	e.Command = shellWords(append([]string{"muster", "bench", "scaling"}, args...))
	e.Commit = programCommit(ctx, t)
	s := &scaling.Study{Program: shellWords(l.run.programs[0].argv), Weak: l.weak, Threads: l.threads, Cores: l.cores, Base: l.base, Environment: e}
	if smt, _ := os.ReadFile("/sys/devices/system/cpu/smt/active"); strings.TrimSpace(string(smt)) == "1" && l.cores == coresHere() {
		s.Notes = append(s.Notes, fmt.Sprintf("The %d cores are hardware threads, several of which are one core: --cores says how many cores there are.", l.cores))
	}
	return s
}

// programCommit is the commit of a program's source, or what an executable that Go
// built says it is made from.
func programCommit(ctx context.Context, t gobuild.Target) string {
	switch t.Kind {
	case gobuild.Directory:
		return dirCommit(ctx, t.Path)
	case gobuild.Files:
		return dirCommit(ctx, filepath.Dir(t.Go[0]))
	case gobuild.ImportPath:
		return importCommit(ctx, t.Path)
	}
	info, err := buildinfo.ReadFile(t.Path)
	if err != nil {
		return ""
	}
	commit := ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = s.Value[:min(len(s.Value), 12)] + commit
		case s.Key == "vcs.modified" && s.Value == "true":
			commit += "+"
		}
	}
	return commit
}

// measure makes the runs.
func (r *scalingRun) measure(ctx context.Context) error {
	terminal := output.IsTerminal(r.stderr)
	erase := func() {
		if terminal {
			fmt.Fprint(r.stderr, "\r\x1b[K")
		}
	}
	defer erase()
	return r.study.Run(ctx, r.line.ranks, r.line.repeat, r.once, func(round, n int) {
		if terminal {
			fmt.Fprintf(r.stderr, "\r\x1b[Kround %d of %d: %s", round, r.line.repeat, count(n, "rank"))
		}
	}, func(n int, err error) {
		erase()
		r.failures++
		fmt.Fprintf(r.stderr, "muster: %s: %s\nmuster: no further run with %s\n", count(n, "rank"), output.Escape(err.Error()), count(n, "rank"))
	})
}

// once runs the program with n ranks and returns its time in seconds.
func (r *scalingRun) once(ctx context.Context, n int) (float64, error) {
	l := r.line
	argv := []string{r.path}
	for _, g := range l.weak {
		argv = append(argv, g.Arg(n))
	}
	out, said := &timeReader{form: timeLine}, &tail{}
	if l.time != nil {
		out.form = l.time
	}
	p := l.run.programs[0]
	job := l.run.job
	job.Apps = []launcher.App{{Ranks: n, Argv: append(argv, r.args...), Env: p.env, Dir: p.dir}}
	job.Stdout, job.Stderr = out, said
	start := time.Now()
	code, err := launch(ctx, job, nil)
	whole := time.Since(start)
	switch {
	case ctx.Err() != nil:
		return 0, context.Cause(ctx)
	case err != nil:
		return 0, err
	case code != 0:
		return 0, fmt.Errorf("the job ended with code %d\n%s", code, strings.TrimSpace(said.String()))
	}
	own, has, err := out.time()
	if err != nil {
		return 0, err
	}
	return r.choose(own, has, whole)
}

// choose returns the time that counts: the program's own if it says one, else that
// of the whole job. Which it is shows in the first run and is the same in all.
func (r *scalingRun) choose(own time.Duration, has bool, whole time.Duration) (float64, error) {
	if r.reports == nil {
		if r.line.time != nil && !has {
			return 0, fmt.Errorf("no line of the program's output is matched by --time-from %s", quote(r.line.time.String()))
		}
		r.reports = &has
		r.study.Clock = "the whole job"
		if has {
			r.study.Clock = "what the program reports"
		}
	}
	switch {
	case has != *r.reports && has:
		return 0, errors.New("the program says its time, and in an earlier run it did not: the two are not comparable")
	case has != *r.reports:
		return 0, errors.New("the program does not say its time, and in an earlier run it did: the two are not comparable")
	case has:
		return own.Seconds(), nil
	}
	return whole.Seconds(), nil
}

// outcome shows and keeps what was measured, also if not all was, and returns the
// exit code.
func (r *scalingRun) outcome(err error, files studyFiles, stdout io.Writer, complain func(int, error) int) int {
	measured := 0
	for _, p := range r.study.Points {
		measured += len(p.Times)
	}
	if measured > 0 {
		a := r.study.Analyse()
		if lost := errors.Join(a.WriteTable(stdout), files.fill(a)); lost != nil {
			return complain(launcher.ExitResource, lost)
		}
	}
	var sig interrupted
	switch {
	case errors.As(err, &sig):
		return complain(sig.code(), fmt.Errorf("%w: %s of %d made", err, count(measured, "run"), len(r.study.Points)*r.line.repeat))
	case err != nil:
		return complain(launcher.ExitInternal, err)
	case measured == 0:
		return complain(launcher.ExitInternal, errors.New("nothing was measured: the program failed with every number of ranks"))
	case r.failures > 0:
		return launcher.ExitInternal // and why has been said
	}
	return 0
}

// studyFiles are the files of -o.
type studyFiles struct {
	outputs []*benchOutput
	made    string // directory that was not there before
}

// openStudyFiles opens all files that a study may have, so that nobody waits for
// what cannot be kept. The files are to be closed in either case.
func openStudyFiles(dir string) (files studyFiles, err error) {
	if dir == "" {
		return files, nil
	}
	if _, missing := os.Stat(dir); missing != nil {
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return files, err
		}
		files.made = dir
	}
	for _, name := range []string{"index.html", "scaling.csv", "scaling.json", "time.svg", "speedup.svg", "efficiency.svg"} {
		o := &benchOutput{name: filepath.Join(dir, name)}
		if err := o.open(); err != nil {
			return files, err
		}
		files.outputs = append(files.outputs, o)
	}
	return files, nil
}

// fill writes the study to its files. A picture of which nothing is known is not
// written.
func (f studyFiles) fill(a *scaling.Analysis) error {
	write := map[string]func(io.Writer) error{"index.html": a.WritePage, "scaling.csv": a.WriteCSV, "scaling.json": a.WriteJSON}
	for _, p := range a.Pictures() {
		write[p.Name+".svg"] = func(w io.Writer) error {
			_, err := io.WriteString(w, p.SVG)
			return err
		}
	}
	for _, o := range f.outputs {
		if o.write = write[filepath.Base(o.name)]; o.write == nil {
			continue
		}
		if err := o.replace(); err != nil {
			return err
		}
	}
	return nil
}

func (f studyFiles) close() {
	for _, o := range f.outputs {
		o.close()
	}
	if f.made != "" {
		os.Remove(f.made) // fails if something is in it, as it should
	}
}
