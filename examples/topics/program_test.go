package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/muster-mpi/muster/rank"
	"github.com/muster-mpi/muster/rank/ranktest"
)

// runProgram runs the program on p ranks and returns its report and each rank's
// error.
func runProgram(t *testing.T, p int, args ...string) (string, []error) {
	t.Helper()
	var out bytes.Buffer // only rank 0 writes
	errs := make([]error, p)
	ranktest.Run(t, p, func(t *testing.T, c *rank.Comm) {
		errs[c.Rank()] = topics(t.Context(), c, args, &out)
	})
	return out.String(), errs
}

// table reads what -output wrote: names, and a line of numbers for each.
func table(t *testing.T, name string) (header, names []string, numbers [][]float64) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil || len(lines) == 0 {
		t.Fatalf("%s: %v", name, err)
	}
	for _, line := range lines[1:] {
		names = append(names, line[0])
		var row []float64
		for _, field := range line[1:] {
			x, err := strconv.ParseFloat(field, 64)
			if err != nil {
				t.Fatal(err)
			}
			row = append(row, x)
		}
		numbers = append(numbers, row)
	}
	return lines[0], names, numbers
}

// sameTables reports where two outputs differ by more than 1e-9.
func sameTables(t *testing.T, got, want string) {
	t.Helper()
	header, names, a := table(t, got)
	wantHeader, wantNames, b := table(t, want)
	if !slices.Equal(header, wantHeader) || !slices.Equal(names, wantNames) {
		t.Fatalf("%s has %v of %v, %s %v of %v", got, header, names, want, wantHeader, wantNames)
	}
	for i := range a {
		for j := range a[i] {
			if !(math.Abs(a[i][j]-b[i][j]) <= 1e-9) {
				t.Errorf("%s: %s of %s is %v, in %s %v", got, header[j+1], names[i], a[i][j], want, b[i][j])
			}
		}
	}
}

var analysis = []string{"-dimensions", "6", "-topics", "4", "-max-share", "0.6", "-min-docs", "2", "-similar", "5"}

// TestAnyNumberOfRanksGivesTheAnswerOfOne also holds each to nlp, and to what the
// corpus was made of: most alike are documents on one subject, and each subject
// has a topic.
func TestAnyNumberOfRanksGivesTheAnswerOfOne(t *testing.T) {
	corpus, out := writeCorpus(t, 7), t.TempDir()
	one := filepath.Join(out, "1.csv")
	for _, p := range []int{1, 2, 3, 4, 7} {
		name := filepath.Join(out, fmt.Sprint(p, ".csv"))
		text, errs := runProgram(t, p, append([]string{"-dir", corpus, "-like", "music/03.txt", "-output", name, "-check", "always"}, analysis...)...)
		for r, err := range errs {
			if err != nil {
				t.Fatalf("%d ranks, rank %d: %v\n%s", p, r, err, text)
			}
		}
		sameTables(t, name, one)
		for _, want := range []string{"28 text files in", "LSA         6 dimensions", "LDA         4 topics", "most like music/03.txt", "TF-IDF: relative", "LSA: singular values", "LDA: perplexity"} {
			if !strings.Contains(text, want) {
				t.Errorf("%d ranks: no %q in\n%s", p, want, text)
			}
		}
		if n := strings.Count(text, "music/"); n != 11 {
			t.Errorf("%d ranks: %d names of documents on music, want all 11\n%s", p, n, text)
		}
	}
	_, names, numbers := table(t, one)
	topicOf := make(map[string]int)
	for i, name := range names {
		mixture := numbers[i][6:]
		subject, _, _ := strings.Cut(name, "/")
		main := slices.Index(mixture, slices.Max(mixture))
		if other, ok := topicOf[subject]; ok && other != main {
			t.Errorf("%s is mainly of topic %d, others on %s of %d", name, main, subject, other)
		}
		topicOf[subject] = main
	}
	if len(topicOf) != 4 || len(slices.Compact(slices.Sorted(maps.Values(topicOf)))) != 4 {
		t.Errorf("subjects have topics %v, want four different ones", topicOf)
	}
}

// TestWrongInputEndsEveryRank runs what cannot work on three ranks: each returns an
// error that names the cause, none waits for another.
func TestWrongInputEndsEveryRank(t *testing.T) {
	corpus, empty, binary, common := writeCorpus(t, 1), t.TempDir(), t.TempDir(), t.TempDir()
	file := func(dir, name, text string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return name
	}
	file(empty, ".hidden", "words that nobody asked for")
	for i := range 6 { // the last belongs to the last rank
		file(binary, fmt.Sprint("file", i), "text")
		file(common, fmt.Sprint("file", i), "same words everywhere")
	}
	bad := file(binary, "file5", "te\x00t")
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"-dir", filepath.Join(corpus, "nowhere")}, "nowhere: "},
		{[]string{"-dir", bad}, "expected a directory"},
		{[]string{"-dir", empty}, "there are no files in or below it"},
		{[]string{"-dir", corpus, "-ext", ".md,.html"}, "there are no files that end in .md or .html in or below it"},
		{[]string{"-dir", binary, "-dimensions", "2"}, bad + ": byte 2 is zero, expected a text file"},
		{[]string{"-dir", common, "-min-docs", "2", "-max-share", "0.4"}, "no word is in 2 to 2 of the documents"},
		{[]string{"-dir", common, "-dimensions", "2", "-max-share", "1"}, "every word is in all documents"},
		{[]string{"-dir", corpus, "-dimensions", "20"}, "-dimensions 20: " + corpus + " has 4 documents, expected 1 to 4"},
		{[]string{"-dir", corpus, "-dimensions", "2", "-min-docs", "5"}, "-min-docs 5: " + corpus + " has 4 documents"},
		{[]string{"-dir", corpus, "-dimensions", "2", "-like", "usi"}, `-like "usi": ` + corpus + " has no document of that name, but for example music/00.txt"},
		{[]string{"-dir", corpus, "-dimensions", "2", "-max-share", "0.9", "-check", "never", "-output", filepath.Join(corpus, "none", "o.csv")}, "-output: open "},
		{[]string{"-topics", "0"}, "-topics 0: expected 1 or more"},
		{[]string{"-iterations", "-1"}, "-iterations -1: expected 0 or more"},
		{[]string{"-alpha", "0"}, "-alpha 0: expected 0.005 to 1000"},
		{[]string{"-eta", "NaN"}, "-eta NaN: expected 0.005 to 1000"},
		{[]string{"-max-share", "1.5"}, "-max-share 1.5: expected more than 0 and at most 1"},
		{[]string{"-check", "sometimes"}, `-check "sometimes": expected auto, always or never`},
		{[]string{"-dir", ""}, "-dir is empty"},
		{[]string{"-ext", ".md"}, "-ext is for the files in -dir"},
		{[]string{"-dir", corpus, "-ext", "md"}, `-ext "md": expected endings that begin with a dot`},
		{[]string{"corpus"}, `unexpected argument "corpus"`},
		{[]string{"-k", "3"}, "flag provided but not defined: -k"},
	} {
		_, errs := runProgram(t, 3, test.args...)
		own := 0
		for r, err := range errs {
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%q: rank %d returns %v, want %q", test.args, r, err, test.want)
			}
			if _, foreign := errors.AsType[*foreignError](err); !foreign {
				own++
			}
		}
		// What every rank finds out by itself is everybody's own; else one has it.
		if own != 1 && own != 3 {
			t.Errorf("%q: %d ranks call the error their own: %v", test.args, own, errs)
		}
	}
}

func TestWithoutGoTheDefaultCorpusIsAnError(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, errs := runProgram(t, 2)
	for r, err := range errs {
		if err == nil || !strings.Contains(err.Error(), "go env GOROOT, to find the standard library: ") || !strings.Contains(err.Error(), "(-dir takes other documents)") {
			t.Errorf("rank %d: %v", r, err)
		}
	}
}

func TestHelpIsPrintedOnceAndIsNoError(t *testing.T) {
	text, errs := runProgram(t, 3, "-h")
	if strings.Count(text, "-dimensions") != 1 || slices.ContainsFunc(errs, func(err error) bool { return err != nil }) {
		t.Errorf("%v\n%s", errs, text)
	}
}

func TestLowestRanksErrorIsEverybodys(t *testing.T) {
	onRanks(t, func(t *testing.T, c *rank.Comm) {
		if err := agree(t.Context(), c, nil); err != nil {
			t.Errorf("rank %d: %v, want nil", c.Rank(), err)
		}
		var own error
		if c.Rank() > 0 {
			own = fmt.Errorf("cause %d", c.Rank())
		}
		err := agree(t.Context(), c, own)
		switch {
		case c.Size() == 1:
			if err != nil {
				t.Errorf("%v, want nil", err)
			}
		case c.Rank() == 1 && err != own:
			t.Errorf("rank 1: %v, want its own", err)
		case c.Rank() != 1 && (err == nil || err.Error() != "rank 1: cause 1"):
			t.Errorf("rank %d: %v, want that of rank 1", c.Rank(), err)
		}
	})
}

func TestFilesThatDifferFromTheListAreRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.txt"), []byte("four"), 0o644); err != nil {
		t.Fatal(err)
	}
	k, err := listFolder(dir, []string{".txt"})
	if err != nil {
		t.Fatal(err)
	}
	if text, err := k.read(0); err != nil || text != "four" {
		t.Errorf("got %q, %v", text, err)
	}
	k.Documents[0].Bytes = 5
	if _, err := k.read(0); err == nil || !strings.Contains(err.Error(), "has 4 bytes here, rank 0 listed 5") {
		t.Errorf("got %v", err)
	}
}

func TestStandardLibraryIsItsExportedDocumentation(t *testing.T) {
	k, err := listPackages()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range k.Documents {
		if strings.Contains("/"+d.Name+"/", "/internal/") || strings.HasPrefix(d.Name, "cmd/") || strings.HasPrefix(d.Name, "vendor/") {
			t.Errorf("%s is no package that programs import", d.Name)
		}
	}
	if len(k.Documents) < 150 || !slices.IsSortedFunc(k.Documents, func(a, b document) int { return strings.Compare(a.Name, b.Name) }) {
		t.Errorf("%d packages, want 150 or more in the order of their names", len(k.Documents))
	}
	i, err := k.find("")
	if err != nil {
		t.Fatal(err)
	}
	text, err := k.read(i)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Package json implements",            // of the package
		"Marshal returns the JSON encoding",  // a function
		"A Decoder reads and decodes JSON",   // a type
		"NewDecoder returns a new decoder",   // a function of a type
		"Decode reads the next JSON-encoded", // a method
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the documentation of %s lacks %q", k.Documents[i].Name, want)
		}
	}
	if strings.Contains(text, "Copyright") {
		t.Errorf("the documentation of %s has its licence", k.Documents[i].Name)
	}
}

// TestUnreadableFileIsAnErrorOnEveryRank needs a user whom permissions stop.
func TestUnreadableFileIsAnErrorOnEveryRank(t *testing.T) {
	if os.Getuid() == 0 || runtime.GOOS == "windows" {
		t.Skip("this user may read everything")
	}
	corpus := writeCorpus(t, 1)
	name := filepath.Join(corpus, "stars", "00.txt")
	if err := os.Chmod(name, 0); err != nil {
		t.Fatal(err)
	}
	_, errs := runProgram(t, 3, "-dir", corpus, "-dimensions", "2")
	for r, err := range errs {
		if err == nil || !strings.Contains(err.Error(), name+": permission denied") {
			t.Errorf("rank %d: %v", r, err)
		}
	}
}
