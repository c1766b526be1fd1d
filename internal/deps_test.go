package internal_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/muster-mpi/muster/"

// table returns the rows of the table of ARCHITECTURE.md whose header begins
// with head.
func table(t *testing.T, head string) [][]string {
	t.Helper()
	return tableOf(t, "ARCHITECTURE.md", head)
}

// tableOf is table for another page.
func tableOf(t *testing.T, page, head string) [][]string {
	t.Helper()
	text, err := os.ReadFile("../" + page)
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]string
	in := false
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, head):
			in = true
		case !strings.HasPrefix(line, "|"):
			in = false
		case in && !strings.HasPrefix(line, "|---"):
			cells := strings.Split(strings.Trim(line, "|"), "|")
			for i := range cells {
				cells[i] = strings.TrimSpace(cells[i])
			}
			rows = append(rows, cells)
		}
	}
	if len(rows) == 0 {
		t.Fatalf("%s has no table %q", page, head)
	}
	return rows
}

type pkg struct {
	ImportPath string
	Name       string
	Imports    []string

	TestImports, XTestImports []string
}

// packages lists the module's packages as they build on Linux.
func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Name,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "GOOS=linux", "CGO_ENABLED=0")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var list []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
}

func TestPackagesImportWhatTheHouseAllows(t *testing.T) {
	allowed := make(map[string][]string)
	for _, row := range table(t, "| package | may import") {
		allowed[row[0]] = strings.Split(row[1], ", ")
	}
	found := make(map[string]bool)
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		found[name] = true
		may, ok := allowed[name]
		if !ok {
			if p.Name != "main" && p.Imports != nil { // a user's own program, as the README has one
				t.Errorf("package %s is not in ARCHITECTURE.md's table", name)
			}
			continue
		}
		for _, i := range p.Imports {
			if ours, ok := strings.CutPrefix(i, module); ok && !slices.Contains(may, ours) {
				t.Errorf("%s imports %s; ARCHITECTURE.md allows %v", name, ours, may)
			}
		}
	}
	for name := range allowed {
		if !found[name] {
			t.Errorf("ARCHITECTURE.md's table has package %s, which does not exist", name)
		}
	}
}

func TestDependenciesAreThoseArchitectureNames(t *testing.T) {
	allowed := make(map[string][]string)
	for _, row := range table(t, "| module | imported by") {
		allowed[row[0]] = strings.Split(row[1], ", ")
	}
	below := func(name string, roots []string) bool {
		return slices.ContainsFunc(roots, func(r string) bool { return name == r || strings.HasPrefix(name, r+"/") })
	}
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		check := func(what string, imports []string, ok func(who []string) bool) {
			for _, i := range imports {
				first, _, _ := strings.Cut(i, "/")
				if !strings.Contains(first, ".") || strings.HasPrefix(i, module) {
					continue
				}
				known := false
				for mod, who := range allowed {
					if i == mod || strings.HasPrefix(i, mod+"/") {
						known = true
						if !ok(who) {
							t.Errorf("%s imports %s; ARCHITECTURE.md allows %v", what, i, who)
						}
					}
				}
				if !known {
					t.Errorf("%s imports %s, which is not among ARCHITECTURE.md's dependencies", what, i)
				}
			}
		}
		check(name, p.Imports, func(who []string) bool { return below(name, who) })
		// Tests may import what any package may; what is for tests only, where it says so.
		tests := "tests of " + name
		check(tests, slices.Concat(p.TestImports, p.XTestImports), func(who []string) bool {
			return !strings.HasPrefix(who[0], "tests of ") || slices.Contains(who, tests)
		})
	}

	mod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	direct := make(map[string]bool)
	for line := range strings.Lines(string(mod)) {
		f := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		if len(f) == 2 && strings.HasPrefix(f[1], "v") {
			direct[f[0]] = true
			if allowed[f[0]] == nil {
				t.Errorf("go.mod requires %s, which is not among ARCHITECTURE.md's dependencies", f[0])
			}
		}
	}
	for m := range allowed {
		if !direct[m] {
			t.Errorf("ARCHITECTURE.md names %s, which go.mod does not require directly", m)
		}
	}
}
