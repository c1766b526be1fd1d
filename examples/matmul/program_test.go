package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/muster-mpi/muster/rank"
	"github.com/muster-mpi/muster/rank/ranktest"
)

// runProgram runs the program on n ranks and returns what it wrote and each rank's
// error.
func runProgram(t *testing.T, n int, args ...string) (string, []error) {
	t.Helper()
	var out bytes.Buffer // only rank 0 writes
	errs := make([]error, n)
	ranktest.Run(t, n, func(t *testing.T, c *rank.Comm) {
		errs[c.Rank()] = program(t.Context(), c, args, &out)
	})
	return out.String(), errs
}

// The product of testdata/a.mtx, second differences, and testdata/b.csv, whose
// columns are i, (i+1)² and 5−i: inside, the differences are 0, −2 and 0.
var sampleProduct = matrixOf(5, 3, -1, -2, 6, 0, -2, 0, 0, -2, 0, 0, -2, 0, 5, 34, 0)

func TestFilesAreMultipliedAndWrittenInEveryFormat(t *testing.T) {
	for n := 1; n <= 9; n++ {
		for ext, f := range formats {
			name := filepath.Join(t.TempDir(), "c"+ext)
			text, errs := runProgram(t, n, "-a", "testdata/a.mtx", "-b", "testdata/b.csv", "-out", name, "-repeat", "2")
			if i := slices.IndexFunc(errs, func(err error) bool { return err != nil }); i >= 0 {
				t.Fatalf("%d ranks: rank %d: %v", n, i, errs[i])
			}
			file, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			c, err := f.read(file)
			if err != nil {
				t.Fatal(err)
			}
			if !same(c.matrix(), sampleProduct) {
				t.Errorf("%d ranks, %s: got %v, want %v", n, ext, c.dense, sampleProduct.Data)
			}
			for _, want := range []string{"(5×5)·(5×3)", "run 2", "best", "GFLOP/s", "check      passed", "written to " + name} {
				if !strings.Contains(text, want) {
					t.Errorf("%d ranks, %s: the report lacks %q:\n%s", n, ext, want, text)
				}
			}
			if left, _ := filepath.Glob(filepath.Join(filepath.Dir(name), ".*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		}
	}
}

// TestGeneratedInputPassesItsCheck runs every number of ranks against the bound of
// a single rank's product, more ranks than rows included.
func TestGeneratedInputPassesItsCheck(t *testing.T) {
	for n := 1; n <= 9; n++ {
		for _, args := range []string{"-size 1", "-m 3 -n 50 -k 301", "-size 65 -algorithm summa", "-m 130 -n 7 -k 2 -seed 9"} {
			text, errs := runProgram(t, n, append(strings.Fields(args), "-check", "always", "-repeat", "1")...)
			for i, err := range errs {
				if err != nil {
					t.Errorf("%d ranks, %s: rank %d: %v", n, args, i, err)
				}
			}
			if !strings.Contains(text, "check      passed") {
				t.Errorf("%d ranks, %s: no check in\n%s", n, args, text)
			}
		}
	}
}

func TestCheckIsMadeWhenAsked(t *testing.T) {
	for check, want := range map[string]string{
		"-check never -size 9":                 "check      none",
		"-check auto -size 9":                  "check      passed",
		"-check always -size 9":                "check      passed",
		"-m 1500000 -n 30 -k 45 -memory 0.001": "more than -memory 0.001",
	} {
		text, errs := runProgram(t, 2, strings.Fields(check)...)
		if errs[0] != nil {
			text = errs[0].Error()
		}
		if !strings.Contains(text, want) {
			t.Errorf("%s: no %q in\n%s", check, want, text)
		}
	}
}

// TestWrongInputEndsEveryRank runs what cannot work on several ranks: each returns
// an error that names the cause, none waits for another.
func TestWrongInputEndsEveryRank(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return name
	}
	bad := file("bad.csv", "1,2\n3,x\n")
	row := file("row.csv", "1,2\n")
	sparse := file("sparse.mtx", "%%MatrixMarket matrix coordinate pattern general\n2000000 2000000 1\n1 1\n")
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"-a", bad, "-b", row}, bad + ": line 2, column 3: expected a finite decimal number, found \"x\""},
		{[]string{"-a", row, "-b", bad}, bad + ": line 2, column 3"},
		{[]string{"-a", row, "-b", row}, "A needs as many columns as B has rows"},
		{[]string{"-a", row, "-b", filepath.Join(dir, "none.csv")}, "none.csv: "},
		{[]string{"-a", sparse, "-b", sparse}, "and their product take 8.94e+04 GiB, more than -memory 4"},
		{[]string{"-a", row, "-b", row, "-memory", "1e-9"}, "are more than -memory 1e-09 GiB"},
		{[]string{"-size", "4", "-out", filepath.Join(dir, "none", "c.csv")}, "none: "},
		{[]string{"-size", "4", "-out", filepath.Join(bad, "c.csv")}, "bad.csv: not a directory"},
		{[]string{"-size", "4", "-algorithm", "cannon"}, "needs a square number of ranks such as 1 or 4, there are 3"},
		{[]string{"-size", "-1"}, "-size is -1"},
	} {
		_, errs := runProgram(t, 3, test.args...)
		for i, err := range errs {
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v: rank %d returns %v, want %q", test.args, i, err, test.want)
			}
		}
	}
}

func TestHelpIsPrintedOnceAndIsNoError(t *testing.T) {
	text, errs := runProgram(t, 3, "-h")
	if strings.Count(text, "-algorithm") != 1 || slices.ContainsFunc(errs, func(err error) bool { return err != nil }) {
		t.Errorf("-h: %v\n%s", errs, text)
	}
}

// TestVerdictIsThatOfRankZero checks both outcomes; what other ranks pass in does
// not count.
func TestVerdictIsThatOfRankZero(t *testing.T) {
	ranktest.Run(t, 3, func(t *testing.T, c *rank.Comm) {
		var own error
		if c.Rank() != 0 {
			own = fmt.Errorf("of rank %d", c.Rank())
		}
		if err := verdict(t.Context(), c, own); err != nil {
			t.Errorf("rank %d: %v, want nil", c.Rank(), err)
		}
		err := verdict(t.Context(), c, context.DeadlineExceeded)
		if err == nil || !strings.HasSuffix(err.Error(), context.DeadlineExceeded.Error()) {
			t.Errorf("rank %d: %v, want rank 0's error", c.Rank(), err)
		}
	})
}
