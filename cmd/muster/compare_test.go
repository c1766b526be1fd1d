package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/muster-mpi/muster/bench/results"
	"github.com/muster-mpi/muster/bench/scaling"
	"github.com/muster-mpi/muster/launcher"
)

func TestCompareLine(t *testing.T) {
	for _, line := range []string{"--fail-over 12.5% --changed a b", "a b --fail-over=12.5% -changed", "a --changed b --fail-over 12.5%"} {
		if l, err := parseCompare(strings.Fields(line)); err != nil || l.bound != 0.125 || !l.brief || fmt.Sprint(l.files) != "[a b]" {
			t.Errorf("%s: %v, %+v", line, err, l)
		}
	}
	for _, test := range []struct{ line, want string }{
		{"", "0 files named: expected muster bench compare OLD NEW, two files that --json wrote"},
		{"a", "1 file named: expected muster bench compare OLD NEW, two files that --json wrote"},
		{"a b c", "3 files named: expected muster bench compare OLD NEW, two files that --json wrote"},
		{"a b --fail-over 5", `--fail-over: "5": expected a percentage up to 1000%, such as 5%`},
		{"a b --fail-over -5%", `--fail-over: "-5%": expected a percentage up to 1000%, such as 5%`},
		{"a b --fail-over NaN%", `--fail-over: "NaN%": expected a percentage up to 1000%, such as 5%`},
		{"a b --fail-ower 5%", `no flag "--fail-ower"; did you mean --fail-over?`},
	} {
		if _, err := parseCompare(strings.Fields(test.line)); err == nil || err.Error() != test.want {
			t.Errorf("muster bench compare %s\n got: %v\nwant: %s", test.line, err, test.want)
		}
	}
}

// studyFile writes a study whose times are multiplied by factor.
func studyFile(t *testing.T, factor float64) string {
	t.Helper()
	s := &scaling.Study{Program: "./a", Clock: "the whole job", Threads: 1, Cores: 4, Base: 1}
	s.Environment = results.Environment{Machine: "Processor", Cores: 4, Commit: "abc"}
	for _, n := range []int{1, 2, 4} {
		p := scaling.Point{Ranks: n}
		for i := range 7 {
			p.Times = append(p.Times, factor*(1+float64(i)/1000)/float64(n))
		}
		s.Points = append(s.Points, p)
	}
	name := filepath.Join(t.TempDir(), "study.json")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := s.Analyse().WriteJSON(f); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestCompareExitCodes(t *testing.T) {
	old, same, slow := studyFile(t, 1), studyFile(t, 1.02), studyFile(t, 1.2)
	text := filepath.Join(t.TempDir(), "text.json")
	if err := os.WriteFile(text, []byte(`{"schema": "another/1"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args []string
		code int
		want string // in what it prints
	}{
		{[]string{old, same}, 0, "3 cells: 0 slower by more than 5.0 %, 0 faster, 3 the same within it, 0 open\n"},
		{[]string{old, slow, "--fail-over", "5%"}, exitSlower, "./a (the whole job) strong, 4 ranks "},
		{[]string{old, slow, "--fail-over", "25%"}, 0, "3 the same within it"},
		{[]string{slow, old}, 0, "3 faster"},
		{[]string{old, text}, exitIncomparable, "muster: " + text + `: results: schema "another/1", expected "muster-bench/1"`},
		{[]string{old, text + ".none"}, exitIncomparable, "no such file or directory"},
		{[]string{old}, launcher.ExitUsage, "muster: 1 file named"},
		{[]string{"-h"}, 0, compareHelp()},
	} {
		var stdout, stderr strings.Builder
		code := bench(append([]string{"compare"}, test.args...), &stdout, &stderr)
		if code != test.code || !strings.Contains(stdout.String()+stderr.String(), test.want) {
			t.Errorf("%v: exit code %d, want %d and %q\n%s%s", test.args, code, test.code, test.want, stdout.String(), stderr.String())
		}
	}
}
