//go:build !race

// Package docs is pages for users. Its test runs what they say, once: without the race
// detector, which the programs it builds would not have anyway.
package docs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/muster-mpi/muster/internal/testbed"
)

// moduleRoot is the way to the top of the module.
const moduleRoot = ".."

// pages returns the pages whose commands are run, from the top of the module.
func pages(t *testing.T) []string {
	t.Helper()
	all := []string{"README.md", "CONTRIBUTING.md", "SECURITY.md", "bench/README.md"}
	for _, pattern := range []string{"docs/*.md", "examples/*/README.md"} {
		found, err := filepath.Glob(filepath.Join(moduleRoot, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range found {
			name, err := filepath.Rel(moduleRoot, name)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, name)
		}
	}
	return slices.DeleteFunc(all, func(name string) bool {
		_, err := os.Stat(filepath.Join(moduleRoot, name))
		return err != nil
	})
}

// A step is a command of a page, a script, or a file that the page shows.
type step struct {
	page   string
	line   int
	text   string
	output []string // lines that have to be among what it prints
	file   string   // not a command: what the file of this name holds
	script bool
	code   bool // Go
	block  int  // of the page
}

func (s step) String() string {
	text, _, _ := strings.Cut(s.text, "\n")
	return fmt.Sprintf("%s:%d %s", s.page, s.line, text)
}

var (
	commandLines = regexp.MustCompile(`^([A-Z_]+=\S+ )*(muster|go|bash|git|srun|salloc|sbatch|qsub|bsub|flux|kubectl|docker|ssh) \S`)
	codeSpans    = regexp.MustCompile("`([^`]+)`")
	spanCommands = regexp.MustCompile(`^(muster|go|kubectl|docker) \S+ \S`)
	spanNames    = regexp.MustCompile(`^muster (\w+( \w+)?)$`)
	catFile      = regexp.MustCompile(`^cat ([\w.]+)$`)
)

// steps reads a page. In blocks marked console, lines that begin with a dollar are
// commands and the others what is printed, where an ellipsis stands for anything. A
// command whose first line is a message of muster's fails. Blocks marked sh are scripts.
// In blocks without a mark, in indented ones and in code within a line, what begins as a
// command is one. names are the commands of muster's that are mentioned without
// anything behind.
func steps(t *testing.T, page string) (all []step, names []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(moduleRoot, page))
	if err != nil {
		t.Fatal(err)
	}
	const outside = "outside"
	block, blocks := outside, 0
	for i, line := range strings.Split(string(text), "\n") {
		s := step{page: page, line: i + 1, block: blocks}
		if mark, ok := strings.CutPrefix(line, "```"); ok {
			if block != outside {
				block = outside
				blocks++
				continue
			}
			block = mark
			blocks++
			if !slices.Contains([]string{"", "console", "sh", "go", "dockerfile"}, block) {
				t.Errorf("%s:%d: a block marked %q: expected console, sh, go, dockerfile or no mark", page, s.line, block)
			}
			if block == "sh" || block == "go" {
				all = append(all, step{page: page, line: i + 2, script: block == "sh", code: block == "go"})
			}
			continue
		}
		last := len(all) - 1
		switch block {
		case outside:
			if indented, ok := strings.CutPrefix(line, "    "); ok && commandLines.MatchString(indented) {
				s.text = indented
				all = append(all, s)
				break
			}
			for _, span := range codeSpans.FindAllStringSubmatch(line, -1) {
				if name := spanNames.FindStringSubmatch(span[1]); name != nil {
					names = append(names, name[1])
				} else if spanCommands.MatchString(span[1]) {
					s.text = span[1]
					all = append(all, s)
				}
			}
		case "":
			if commandLines.MatchString(line) {
				s.text = line
				all = append(all, s)
			}
		case "sh", "go":
			all[last].text += line + "\n"
		case "console":
			command, ok := strings.CutPrefix(line, "$ ")
			file := catFile.FindStringSubmatch(command)
			switch {
			case file != nil:
				s.file = file[1]
				all = append(all, s)
			case ok:
				s.text = command
				all = append(all, s)
			case last < 0 || all[last].block != blocks:
				t.Errorf("%s:%d: a console begins with what is printed: expected a command behind a dollar", page, s.line)
			case all[last].file != "":
				all[last].text += line + "\n"
			default:
				all[last].output = append(all[last].output, line)
			}
		}
	}
	return all, names
}

// notAsTheyStand are the commands that are not run as they stand. One of test, ci, instead and
// why says what is done about them.
var notAsTheyStand = []struct {
	command string // a regular expression
	test    string // of this module, which runs it: directory and name
	ci      string // a line of .ci/run that does, a regular expression
	instead string // what is run, with $1 for what is in parentheses
	why     string // nothing is
}{
	{command: `go test \./\.\.\.( .*)?`, ci: `CGO_ENABLED=0 go test .*\./\.\.\.`},
	{command: `go test \./examples/matmul`, ci: `CGO_ENABLED=0 go test .*\./\.\.\.`},
	{command: `go test -race -short \./\.\.\.( .*)?`, ci: `go test -race .*\./\.\.\.`},
	{command: `go build \./\.\.\.( .*)?`, ci: `go vet \./\.\.\.`},
	{command: `go generate \./proto`, ci: `go generate \./proto`},
	{command: `bash \.ci/run .*`, why: "it is what runs this test"},
	{command: `RANKTEST_TRANSPORT=shm go test .*`, instead: "RANKTEST_TRANSPORT=shm go test ./rank -run Exchange"},
	{command: `go test .* -bench \. \./internal/engine .*`, instead: "go test -run '^$$' -bench . -benchtime 1x ./internal/engine"},
	{command: `go test (\S+ )?-run '\^\$' -fuzz '(\S+)' -fuzztime 1000000x( \S+)?`, instead: "go test $1 $3 -list '$2' | grep '$2'"},
	{command: `go test (\./examples/nbody -run|-tags netlib \./examples/matmul -run) .* -bench AgainstC`,
		why: "it measures for minutes, beside what a C compiler makes"},
	{command: `go test (\S+)( -run Campaign)? -campaign.*`, instead: "go test $1 -run '^$$' -campaign"},
	{command: `go run .* -tags netlib .*`, test: "examples/matmul TestLauncherBuildsWithOpenBLAS"},
	{command: `muster tune --local -n 2,8 --check .*`, // 1 says that a choice could be better, which a busy machine may make believe
		instead: "muster tune bcast --local -n 2 -m 8 --rounds 1 --repeat 1 --time 100us --check || test $$? = 1"},
	{command: `muster bench (p2p|coll|startup)\b.*`, test: "cmd/muster TestCommandsOfTheBenchReadmeRun"},
	{command: `muster bench scaling \./examples/matmul`, instead: "muster bench scaling --repeat 1 -n 1,2 ./examples/matmul -size 64"},
	{command: `muster bench scaling .*`, test: "cmd/muster TestStudiesOfTheBenchReadmeRun"},
	{command: `muster bench compare (\S+) (\S+) --fail-over 5%.*`,
		instead: "muster bench p2p latency -m 8:8 --transport shm --rounds 5 --json $1 && cp $1 $2 && muster bench compare $1 $2 --fail-over 5%"},
	{command: `muster run .* -dir ~/notes .*`,
		instead: "muster run --oversubscribe -n 4 ./examples/topics -dir docs -ext .md -like hosts.md -topics 3 -dimensions 3 -check never"},
	{command: `(muster run .* \./examples/nbody -n 16384 -decomposition ring) .*`, instead: "$1 -steps 4"},
	{command: `(muster run \S+ \S+ \./examples/heat -(problem|grid 64|check)[^#]*).*`, instead: "$1 -tol 1e-3"},
	{command: `(muster run .* \./examples/heat -grid 2000x2000) -steps 500 (.*)`, instead: "$1 -steps 20 $2"},
	{command: `go doc -all`, why: "it stands for what a program reads"},
	{command: `go run \./cmd/muster`, why: "it stands for muster in other commands"},
	{command: `kubectl apply -f -`, why: "there is no cluster; the manifest's fields are decoded strictly by TestAManifestIsWhatKubernetesTakes, and its pods run in TestPodsOfAManifestAreAJob"},
}

// TestEveryCommandOfTheDocumentationRuns keeps what the pages say true: a command of theirs
// ends with success and prints what stands below it.
func TestEveryCommandOfTheDocumentationRuns(t *testing.T) {
	if testing.Short() {
		t.Skip("runs for a minute or more")
	}
	d := newDesk(t)
	for _, page := range pages(t) {
		all, names := steps(t, page)
		run := func(t *testing.T, s step) {
			for _, e := range notAsTheyStand {
				match := regexp.MustCompile("^(?:" + e.command + ")$")
				if s.script || s.code || s.file != "" || !match.MatchString(s.text) {
					continue
				}
				switch {
				case e.test != "":
					insistOnTest(t, e.test)
				case e.ci != "":
					if text, err := os.ReadFile(moduleRoot + "/.ci/run"); err != nil || !regexp.MustCompile("(?m)^"+e.ci+"$").Match(text) {
						t.Errorf("%v: .ci/run has no line %s (%v)", s, e.ci, err)
					}
				case e.instead != "":
					s.text = match.ReplaceAllString(s.text, e.instead)
					d.run(t, s)
				}
				return
			}
			d.run(t, s)
		}
		t.Run(page, func(t *testing.T) {
			d.enter(t, page)
			for _, name := range names {
				if name == "agent" {
					continue // agent is for launchers, and has no help
				}
				if out, err := d.command(t, "muster "+name+" -h").CombinedOutput(); err != nil {
					t.Errorf("%s mentions muster %s: %s", page, name, out)
				}
			}
			for _, s := range all {
				t.Run(strconv.Itoa(s.line), func(t *testing.T) { run(t, s) })
			}
		})
	}
}

func TestExceptionsAreOfCommandsThatPagesHave(t *testing.T) {
	var commands []string
	for _, page := range pages(t) {
		all, _ := steps(t, page)
		for _, s := range all {
			commands = append(commands, s.text)
		}
	}
	for _, e := range notAsTheyStand {
		if !slices.ContainsFunc(commands, regexp.MustCompile("^(?:"+e.command+")$").MatchString) {
			t.Errorf("no page has the command %s any more", e.command)
		}
	}
}

// insistOnTest fails unless there is a test: where is its directory and name.
func insistOnTest(t *testing.T, where string) {
	t.Helper()
	dir, name, _ := strings.Cut(where, " ")
	files, err := filepath.Glob(filepath.Join(moduleRoot, dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil && strings.Contains(string(text), "\nfunc "+name+"(") {
			return
		}
	}
	t.Errorf("there is no test %s in %s", name, dir)
}

// A desk is where a reader of the pages sits: in a clone with the program hello, a file of
// hosts, and muster in PATH.
type desk struct {
	dir, bin string
	env      map[string]string
	cluster  *testbed.Cluster // nil: not in Slurm

	at    string // working directory, from dir on, which cd changes until its block ends
	block int
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	top := t.TempDir()
	d := &desk{dir: filepath.Join(top, "muster"), bin: filepath.Join(top, "bin")}
	for _, dir := range []string{d.dir, d.bin} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	clone, err := filepath.Glob(filepath.Join(moduleRoot, "[^.]*"))
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cp", append([]string{"-R", "-t", d.dir}, clone...)...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	readme, err := os.ReadFile(filepath.Join(moduleRoot, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, source, _ := strings.Cut(string(readme), "```go\npackage main")
	source, _, _ = strings.Cut(source, "```")
	d.write(t, "hello/main.go", "package main"+source)
	d.write(t, "hosts", "node1:2\nnode2:2\n")
	d.env = map[string]string{
		"XDG_CACHE_HOME": filepath.Join(top, "cache"),
		"GOBIN":          filepath.Join(top, "gobin"),
		"PATH":           d.bin + ":" + os.Getenv("PATH"),
	}
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOPATH"} {
		value, err := exec.Command("go", "env", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		d.env[name] = strings.TrimSpace(string(value))
	}
	if out, err := d.command(t, "go build -o '"+d.bin+"/' ./cmd/muster").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return d
}

func (d *desk) write(t *testing.T, name, text string) {
	t.Helper()
	name = filepath.Join(d.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o755)); err != nil {
		t.Fatal(err)
	}
}

// enter prepares the desk for a page: a bed of hosts or of Slurm, where it speaks of them.
func (d *desk) enter(t *testing.T, page string) {
	t.Helper()
	d.at, d.block = "", 0
	ssh := filepath.Join(d.bin, "ssh")
	os.Remove(ssh)
	d.cluster = nil
	switch page {
	case "docs/slurm.md":
		d.cluster = testbed.Slurm(t, 2, 2)
	case "README.md", "docs/hosts.md", "docs/batch.md", "docs/faults.md", "SECURITY.md":
		farm := testbed.SSH(t, 2)
		path, err := exec.LookPath("ssh")
		if err != nil {
			t.Fatal(err)
		}
		// What the reader has in ~/.ssh/config.
		if err := os.WriteFile(ssh, []byte("#!/bin/sh\nexec "+path+" -F "+farm.Config()+" \"$@\"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// command returns a shell's command line at the desk.
func (d *desk) command(t *testing.T, line string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	dir := filepath.Join(d.dir, d.at)
	var cmd *exec.Cmd
	if d.cluster != nil {
		cmd = d.cluster.Command("sh", "-c", "cd '"+dir+"' && "+line)
	} else {
		cmd = exec.CommandContext(ctx, "sh", "-c", line)
		cmd.Dir = dir
	}
	for name, value := range d.env {
		cmd.Env = append(cmd.Environ(), name+"="+value)
	}
	return cmd
}

// startsHello is a command that starts ranks of hello, and received what they print.
var (
	startsHello = regexp.MustCompile(`(?m)(muster run( --(host|hostfile|display) \S+| -n \S+)*|srun .*) \./(hello|solver)$`)
	received    = regexp.MustCompile(`(?m)^rank [1-9]\d* received \[1 2 3\] from rank 0$`)
)

func (d *desk) run(t *testing.T, s step) {
	t.Helper()
	if s.file != "" {
		d.write(t, s.file, s.text)
		return
	}
	if s.block != d.block {
		d.block, d.at = s.block, ""
	}
	if s.code {
		d.compile(t, s)
		return
	}
	line := s.text
	if dir, ok := strings.CutPrefix(line, "cd "); ok {
		d.at = filepath.Join(d.at, dir)
		line = "true"
	}
	var env map[string]string
	if s.script {
		d.write(t, "job.sh", s.text)
		line, env = d.batch(t, s)
	}
	cmd := d.command(t, line)
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	begin := time.Now()
	err := cmd.Run()
	t.Logf("%v: %.1f s", s, time.Since(begin).Seconds())
	fails := len(s.output) > 0 && strings.HasPrefix(s.output[0], "muster: ")
	if fails != (err != nil) {
		t.Fatalf("%v: %v\n%s", s, err, &out)
	}
	for _, want := range s.output {
		line := strings.ReplaceAll(regexp.QuoteMeta(want), "…", ".*")
		if !regexp.MustCompile("(?m)^" + line + "$").MatchString(out.String()) {
			t.Errorf("%v: no line %q in\n%s", s, want, &out)
		}
	}
	if !fails && startsHello.MatchString(s.text) && !received.MatchString(out.String()) {
		t.Errorf("%v: hello says nothing:\n%s", s, &out)
	}
}

// compile looks after a piece of Go: a test runs, and lines of a program of which the page
// shows a part are in that program.
func (d *desk) compile(t *testing.T, s step) {
	t.Helper()
	switch {
	case strings.HasPrefix(s.text, "package main\n"):
		insistOnTest(t, "cmd/muster TestProgramsOfTheReadmeRun")
	case strings.Contains(s.text, "\nfunc Test"):
		d.write(t, "fragment/fragment_test.go", "package fragment\n\n"+s.text)
		if out, err := d.command(t, "go test ./fragment").CombinedOutput(); err != nil {
			t.Errorf("%v: %s", s, out)
		}
	default:
		var program strings.Builder
		files, err := filepath.Glob(filepath.Join(moduleRoot, filepath.Dir(s.page), "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			program.Write(text)
		}
		for line := range strings.Lines(s.text) {
			line, _, _ = strings.Cut(line, "//")
			if line = strings.TrimSpace(line); !strings.Contains(program.String(), line) {
				t.Errorf("%v: %s has no %q", s, filepath.Dir(s.page), line)
			}
		}
	}
}

// batch returns by which command job.sh is run, and the environment that its system gives.
func (d *desk) batch(t *testing.T, s step) (string, map[string]string) {
	t.Helper()
	const slots = 4 // of node1 and node2 each
	nodes := strings.Repeat("node1\n", slots) + strings.Repeat("node2\n", slots)
	systems := map[string]struct {
		line string
		env  map[string]string
	}{
		"#SBATCH ": {line: "sbatch --quiet --wait --output=job.out job.sh; code=$?; cat job.out; exit $code"},
		"#PBS ": {line: "cd / && exec sh -e '" + d.dir + "/job.sh'", env: map[string]string{
			"PBS_JOBID": "7.pbs", "PBS_NODEFILE": d.dir + "/nodes", "PBS_O_WORKDIR": d.dir}},
		"#BSUB ":  {env: map[string]string{"LSB_JOBID": "7", "LSB_DJOB_HOSTFILE": d.dir + "/nodes", "LSB_MCPU_HOSTS": "node1 4 node2 4"}},
		"#$ ":     {env: map[string]string{"JOB_ID": "7", "PE_HOSTFILE": d.dir + "/pe"}},
		"#flux: ": {env: map[string]string{"FLUX_URI": "local:///run/flux/local"}},
	}
	d.write(t, "nodes", nodes)
	d.write(t, "pe", "node1 4 all.q@node1 UNDEFINED\nnode2 4 all.q@node2 UNDEFINED\n")
	d.write(t, "../bin/flux", `#!/bin/sh
[ "$*" = 'kvs get resource.R' ] && echo '{"version":1,"execution":{"R_lite":[{"rank":"0-1","children":{"core":"0-3"}}],"nodelist":["node[1-2]"]}}'
`)
	for _, mark := range slices.Sorted(maps.Keys(systems)) {
		if system := systems[mark]; strings.Contains(s.text, "\n"+mark) {
			line := system.line
			if line == "" {
				line = "sh -e job.sh"
			}
			return line, system.env
		}
	}
	t.Fatalf("%v: a script without the directives of a batch system", s)
	return "", nil
}
