package main

import (
	"bytes"
	"errors"
	"flag"
	"strings"
	"testing"
)

func TestOptions(t *testing.T) {
	for _, test := range []struct {
		args string
		want shape
	}{
		{"", shape{1024, 1024, 1024}},
		{"-size 7", shape{7, 7, 7}},
		{"-size 7 -n 2", shape{m: 7, n: 2, k: 7}},
		{"-m 1 -n 2 -k 3", shape{m: 1, n: 2, k: 3}},
		{"-a x.mtx -b y.NPY -out z.csv", shape{}},
	} {
		o, err := parseOptions(strings.Fields(test.args))
		if err != nil || o.shape != test.want {
			t.Errorf("%q: %+v, %v, want %+v", test.args, o.shape, err, test.want)
		}
	}
}

func TestWrongOptionsGiveOneSentence(t *testing.T) {
	for _, test := range []struct{ args, want string }{
		{"-colour", "flag provided but not defined: -colour (-h lists the flags)"},
		{"-size x", `invalid value "x" for flag -size: parse error (-h lists the flags)`},
		{"100", `unexpected argument "100" (-h lists the flags)`},
		{"-size 0", "-size is 0, expected 1 to 2147483647"},
		{"-m 0", "-m is 0, expected 1 to 2147483647"},
		{"-k -3", "-k is -3, expected 1 to 2147483647"},
		{"-repeat 0", "-repeat is 0, expected 1 to 2147483647"},
		{"-size 2147483647", "the matrices 2147483647×2147483647 · 2147483647×2147483647 and their product take 1.03e+11 GiB, more than -memory 4"},
		{"-memory 0", "-memory is 0, expected more than 0 and at most 8388608 GiB"},
		{"-memory NaN", "-memory is NaN, expected more than 0 and at most 8388608 GiB"},
		{"-algorithm strassen", `-algorithm is "strassen", expected auto, cannon, summa or ring`},
		{"-check yes", `-check is "yes", expected auto, always or never`},
		{"-a x.mtx", "-a and -b go together: both matrices come from files, or neither does"},
		{"-a x.mtx -b y.txt", "y.txt: the name of a matrix file ends with .mtx, .csv or .npy"},
		{"-out c", "c: the name of a matrix file ends with .mtx, .csv or .npy"},
		{"-a x.mtx -b y.csv -seed 2", "-seed is for generated matrices and does not go with -a and -b"},
	} {
		if _, err := parseOptions(strings.Fields(test.args)); err == nil || err.Error() != test.want {
			t.Errorf("%q: error %v, want %q", test.args, err, test.want)
		}
	}
}

func TestHelpNamesEveryFlag(t *testing.T) {
	if _, err := parseOptions([]string{"-h"}); !errors.Is(err, flag.ErrHelp) {
		t.Fatalf("-h: %v, want flag.ErrHelp", err)
	}
	var text bytes.Buffer
	help(&text)
	var size int
	newFlags(new(options), &size).VisitAll(func(f *flag.Flag) {
		if !strings.Contains(text.String(), "\n  -"+f.Name+" ") {
			t.Errorf("the help text leaves -%s out", f.Name)
		}
	})
}

func TestCannonNamesTheSquaresNearby(t *testing.T) {
	_, err := newPlan(options{algorithm: "cannon"}, shape{3, 3, 3}, 6)
	if err == nil || !strings.Contains(err.Error(), "such as 4 or 9, there are 6") {
		t.Errorf("cannon on 6 ranks: %v", err)
	}
	for p, want := range map[int]string{1: "cannon", 4: "cannon", 2: "ring", 6: "summa", 7: "ring", 8: "summa", 9: "cannon"} {
		if pl, err := newPlan(options{algorithm: "auto"}, shape{3, 3, 3}, p); err != nil || pl.algorithm != want {
			t.Errorf("auto on %d ranks: %v, %v, want %s", p, pl, err, want)
		}
	}
}

func TestRingLaysTheLongerSideOfCAcrossTheRanks(t *testing.T) {
	for s, want := range map[shape][2]int{{4, 5, 1}: {1, 6}, {5, 5, 1}: {1, 6}, {5, 4, 1}: {6, 1}} {
		pl, err := newPlan(options{algorithm: "ring"}, s, 6)
		if err != nil || [2]int{pl.rows, pl.cols} != want {
			t.Errorf("ring of 6 ranks for %+v: %v, %v, want a grid of %v", s, pl, err, want)
		}
	}
}

// FuzzOptions checks that no command line crashes, or asks for more than -memory.
func FuzzOptions(f *testing.F) {
	f.Add("-size 7\n-m\n3")
	f.Add("-a\nx.mtx\n-b\ny.csv\n-check\nalways")
	f.Add("-memory\n1e300\n-size\n2147483647")
	f.Fuzz(func(t *testing.T, line string) {
		o, err := parseOptions(strings.Split(line, "\n"))
		if err != nil || o.a != "" {
			return
		}
		if s := o.shape; s.m < 1 || s.n < 1 || s.k < 1 || bytesOf(s.m, s.n) > o.memory*(1<<30) {
			t.Fatalf("%q: accepted %+v with -memory %v", line, s, o.memory)
		}
	})
}
