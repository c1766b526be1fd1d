package main

import (
	"errors"
	"os"
	"path/filepath"
	"runtime/metrics"
	"strings"
	"testing"

	"github.com/muster-mpi/muster/internal/scheduler"
)

func lookup(name string) (string, bool) {
	if name == "SET" {
		return "here", true
	}
	return "", false
}

// dry returns what --dry-run prints for a command line, on 4 cores, in a
// directory with a program a, a Go package p and a Go file m.go.
func dry(t *testing.T, line ...string) (string, error) {
	t.Helper()
	c, err := parse(line, lookup)
	if err != nil {
		return "", err
	}
	targets, err := c.resolve()
	if err != nil {
		return "", err
	}
	if _, err := c.settle(scheduler.System{LookupEnv: lookup, ReadFile: os.ReadFile}); err != nil {
		return "", err
	}
	var b strings.Builder
	err = dryRun(&b, c, targets, 4)
	return b.String(), err
}

func workplace(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"a": "#!/bin/sh\n", "m.go": "package main\n", "p/p.go": "package main\n"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return wd
}

func TestDryRunShowsTheJob(t *testing.T) {
	dir := workplace(t)
	for _, test := range []struct {
		line []string
		want string
	}{
		{[]string{"./a"}, `1 rank on this host (4 cores)

rank 0  ./a
        executable

transport   shm
stdin       0
on failure  abort
bind to     none
`},
		{strings.Fields("-np 2 --x A=1 -x SET -race --tags=x,y -trimpath=false -wd /d ./p -n 3 -- : -n=1 m.go in.txt"),
			`3 ranks on this host (4 cores)

ranks 0-1  ./p -n 3 --
           Go package directory, built by go build -race -tags=x,y -trimpath=false
           with A=1
           with SET=here
           in /d

rank 2  m.go in.txt
        Go files, built by go build

transport   shm
stdin       0
on failure  abort
bind to     none
`},
		{[]string{"-n", "2", "--", "./a", ":", "a b", "", "it's", "\x1b\n"}, `2 ranks on this host (4 cores)

ranks 0-1  ./a : 'a b' '' 'it'\''s' $'\x1b\n'
           executable

transport   shm
stdin       0
on failure  abort
bind to     none
`},
		{strings.Fields("-n 4 -l -timestamp-output --raw-output --output-dir=o --output-policy drop --stdin 3 --timeout 90 " +
			"--start-timeout 1m --stop-timeout 2h --grace 500ms --on-failure return --strict --detach --report r.json --bind-to core " +
			"--report-bindings --transport tcp --insecure-wire --eager 8KiB --unexpected 1g --oversubscribe --color never ./a"),
			`4 ranks on this host (4 cores)

ranks 0-3  ./a
           executable

transport            tcp
stdin                3
on failure           return
bind to              core
insecure wire        yes
eager                8192 bytes
unexpected           1073741824 bytes
tags                 yes
timestamps           yes
raw output           yes
drop on slow reader  yes
output directory     o
strict               yes
detached             yes
report bindings      yes
report               r.json
timeout              1m30s
start timeout        1m0s
stop timeout         2h0m0s
grace                500ms
`},
		{strings.Fields("--dry-run --json -n 2 --transport=tcp ./a x : p/"), `{
  "ranks": 3,
  "cores": 4,
  "programs": [
    {
      "first": 0,
      "ranks": 2,
      "target": "./a",
      "kind": "executable",
      "path": "` + dir + `/a",
      "args": [
        "x"
      ]
    },
    {
      "first": 2,
      "ranks": 1,
      "target": "p/",
      "kind": "Go package directory",
      "path": "` + dir + `/p",
      "args": [],
      "build": [
        "go",
        "build"
      ]
    }
  ],
  "settings": [
    {
      "name": "transport",
      "value": "tcp"
    },
    {
      "name": "stdin",
      "value": "0"
    },
    {
      "name": "on failure",
      "value": "abort"
    },
    {
      "name": "bind to",
      "value": "none"
    }
  ]
}
`},
	} {
		got, err := dry(t, test.line...)
		if err != nil || got != test.want {
			t.Errorf("%q: %v\ngot:\n%s\nwant:\n%s", test.line, err, got, test.want)
		}
	}
}

func TestMistakesAreExplained(t *testing.T) {
	workplace(t)
	for _, test := range []struct{ line, want string }{
		{"", "no program named: expected muster run [flags] TARGET [ARGS]"},
		{"-n 2", "no program named: expected muster run [flags] TARGET [ARGS]"},
		{"-n", "-n: expected -n N"},
		{"-np : ./a", "-n: expected -n N"},
		{"-n x ./a", `-n: "x": expected a number of ranks, 1 to 65536`},
		{"-n 0 ./a", `-n: "0": expected a number of ranks, 1 to 65536`},
		{"-n -4 ./a", `-n: "-4": expected a number of ranks, 1 to 65536`},
		{"-n 99999999999999999999 ./a", `-n: "99999999999999999999": expected a number of ranks, 1 to 65536`},
		{"-n --tag-output ./a", `-n: "--tag-output": expected a number of ranks, 1 to 65536`},
		{"-n4 ./a", `flag "-n4": say -n 4`},
		{"-n 65000 ./a : -n 65000 ./a", "-n: 130000 ranks in all: expected 65536 at most"},
		{"./a :", "program 2: expected flags and TARGET between colons"},
		{": ./a", "program 1: expected flags and TARGET between colons"},
		{"./a : --timeout 3 ./a", "--timeout concerns the whole job: say it before the first program"},
		{"-x UNSET ./a", `-x: "UNSET" is not set here: expected NAME=VALUE, or NAME of a variable that is set`},
		{"-x =1 ./a", `-x: "=1": expected NAME=VALUE, or NAME of a variable that is set`},
		{"-x MUSTER_CONTROL=3 ./a", `-x: "MUSTER_CONTROL": names that begin with MUSTER_ are the launcher's`},
		{"-wdir= ./a", "--wdir: expected a directory, not an empty name"},
		{"--stdin 2 -n 2 ./a", `--stdin: "2": expected a rank of the job, 0 to 1`},
		{"--stdin some ./a", `--stdin: "some": expected a rank, all or none`},
		{"--timeout 0 ./a", `--timeout: "0": expected a time above zero, such as 30s, 5m or 1h30m; a bare number is seconds`},
		{"--timeout soon ./a", `--timeout: "soon": expected a time above zero, such as 30s, 5m or 1h30m; a bare number is seconds`},
		{"--eager 4XB ./a", `--eager: "4XB": expected a size of one byte or more, such as 65536, 64KiB, 4MiB or 1GiB`},
		{"--eager 9999999999GiB ./a", `--eager: "9999999999GiB": expected a size of one byte or more, such as 65536, 64KiB, 4MiB or 1GiB`},
		{"--transport udp ./a", `--transport: "udp": expected shm, unix or tcp`},
		{"--color sometimes ./a", `--color: "sometimes": expected auto, always or never`},
		{"--bind-to board ./a", `--bind-to: "board": expected none, core, hwthread, socket, numa or l3cache`},
		{"-l=perhaps ./a", `--tag-output: "perhaps": expected true or false`},
		{"--insecure-wire ./a", "--insecure-wire: expected --transport tcp or ranks on several hosts with it; other links leave no host and need no TLS"},
		{"--json ./a", "--json: expected --dry-run with it; --report FILE writes JSON about a job that ran"},
		{"-race ./a", "-race is for building Go source, and ./a is an executable"},
		{"./b", "./b: no such file or directory"},
		{"b", "b is not a program in PATH; name a file (./b), a Go package directory or an import path"},

		{"--tag-ouput ./a", `no flag "--tag-ouput"; did you mean --tag-output?`},
		{"--tiemout 3 ./a", `no flag "--tiemout"; did you mean --timeout?`},
		{"-rcae ./a", `no flag "-rcae"; did you mean -race?`},
		{"--bodies 3 ./a", `no flag "--bodies"; muster help run lists them, and flags of the program go after TARGET`},

		{"--nodelist a ./a", `flag "--nodelist": say --host LIST or --hostfile FILE`},
		{"-perhost 4 ./a", `flag "-perhost": say -N N`},
		{"--nproc-per-node=4 ./a", `flag "--nproc-per-node=4": say -n N`},
		{"-genv A 1 ./a", `flag "-genv": say -x NAME=VALUE`},
		{"--mca btl self ./a", `flag "--mca": there are no MCA parameters; --transport, --eager and --unexpected set what matters here`},
		{"-outfile-pattern o ./a", `flag "-outfile-pattern": say --output-dir DIR`},
		{"--allow-run-as-root ./a", `flag "--allow-run-as-root": it is not needed`},
	} {
		_, err := dry(t, strings.Fields(test.line)...)
		if err == nil || err.Error() != test.want {
			t.Errorf("muster run %s\n got: %v\nwant: %s", test.line, err, test.want)
		}
	}
}

func TestEveryFlagIsKnownOnceAndExplained(t *testing.T) {
	seen := map[string]bool{}
	for _, o := range options {
		for _, n := range o.names {
			if seen[n] {
				t.Errorf("two flags are called %s", n)
			}
			seen[n] = true
			if !strings.Contains(runHelp(), dashed(n, o.group == groupBuild || n != o.names[0])) {
				t.Errorf("the help does not name %s", n)
			}
		}
	}
	for _, e := range elsewhere {
		for n := range strings.FieldsSeq(e.names) {
			if seen[n] {
				t.Errorf("%s is listed twice, or is a flag of ours: the hint is never shown", n)
			}
			seen[n] = true
		}
	}
}

func TestHelpFitsATerminal(t *testing.T) {
	for _, text := range []string{overview, runHelp(), psHelp(), killHelp(), stacksHelp(), exitCodes, environment} {
		for line := range strings.Lines(text) {
			if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 80 {
				t.Errorf("%d columns: %s", n, line)
			}
		}
	}
}

// A command line is what a user or a script makes of it: whatever it holds, it
// is a job or an error, and costs no more memory than its length allows.
func FuzzCommandLine(f *testing.F) {
	for _, line := range []string{
		"./a", "-n 4 -l ./a x : -n 2 ./b", "-- ./a : b", "-n=3 --timeout 5s ./a", "--eager 4KiB ./a", "--stdin all ./a",
		"-x A=1 -x B ./a", "-race -tags x ./p", "--dry-run --json ./a", "-h", ": :", "-n", "--hostfile h ./a", "-np4", "---n 3", "-=",
		"--host a:2,u@[::1]:1 -H n[1-3,07-12] ./a", "--rsh 'ssh -4' -N 2 --map-by ppr:2:node --rank-by node ./a", "--display map,allocation ./a -n 3",
	} {
		f.Add(strings.Join(strings.Fields(line), "\x00"))
	}
	f.Fuzz(func(t *testing.T, line string) {
		args := strings.Split(line, "\x00")
		before := allocated()
		c, err := parse(args, lookup)
		limit := uint64(16*len(line) + 1<<20)
		if strings.Contains(line, "[") { // lists of hosts, as long as they may be
			limit += uint64(len(line)) << 20
		}
		if used := allocated() - before; used > limit {
			t.Fatalf("%d bytes allocated for a line of %d", used, len(line))
		}
		if err != nil {
			if text := err.Error(); text == "" || len(text) > 1000 {
				t.Fatalf("a message of %d bytes: %.200q", len(text), text)
			}
			return
		}
		if c.help {
			return
		}
		if n := c.ranks(); n < 1 || n > maxRanks {
			t.Fatalf("%q: %d ranks", args, n)
		}
		for _, p := range c.programs {
			if len(p.argv) == 0 || p.argv[0] == "" {
				t.Fatalf("%q: a part without program", args)
			}
			for _, kv := range p.env {
				if name, _, ok := strings.Cut(kv, "="); !ok || name == "" {
					t.Fatalf("%q: variable %q", args, kv)
				}
			}
		}
	})
}

// allocated is the bytes the process has ever allocated.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

func TestColourNeedsATerminalUnlessForced(t *testing.T) {
	none := func(string) string { return "" }
	for _, test := range []struct {
		when string
		want bool
	}{{"auto", false}, {"always", true}, {"never", false}} {
		if got := colored(test.when, new(strings.Builder), new(strings.Builder), none); got != test.want {
			t.Errorf("--color %s into a file: %v, want %v", test.when, got, test.want)
		}
	}
}

func TestUsageErrorsAreTold(t *testing.T) {
	workplace(t)
	_, err := dry(t, "-race", "./a")
	var usage usageError
	if !errors.As(err, &usage) {
		t.Errorf("%v is not counted as a mistake in the command line", err)
	}
}
