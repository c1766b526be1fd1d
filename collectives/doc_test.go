package collectives_test

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// exported returns what the package in dir exports: names, Type.Method and
// Type.Field, and of these the functions and methods.
func exported(t *testing.T, dir string) (names, calls map[string]bool) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	var files []*ast.File
	for _, p := range paths {
		if strings.HasSuffix(p, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(set, p, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	p, err := doc.NewFromFiles(set, files, "github.com/muster-mpi/muster/"+filepath.Base(dir))
	if err != nil {
		t.Fatal(err)
	}
	names, calls = make(map[string]bool), make(map[string]bool)
	addFuncs := func(fs []*doc.Func, prefix string) {
		for _, f := range fs {
			names[prefix+f.Name], calls[prefix+f.Name] = true, true
		}
	}
	addValues := func(vs []*doc.Value) {
		for _, v := range vs {
			for _, n := range v.Names {
				names[n] = true
			}
		}
	}
	addValues(p.Consts)
	addValues(p.Vars)
	addFuncs(p.Funcs, "")
	for _, typ := range p.Types {
		names[typ.Name] = true
		addValues(typ.Consts)
		addValues(typ.Vars)
		addFuncs(typ.Funcs, "")
		addFuncs(typ.Methods, typ.Name+".")
		if s, ok := typ.Decl.Specs[0].(*ast.TypeSpec).Type.(*ast.StructType); ok {
			for _, field := range s.Fields.List {
				for _, n := range field.Names {
					names[typ.Name+"."+n.Name] = n.IsExported()
				}
			}
		}
	}
	return names, calls
}

var (
	tableRow = regexp.MustCompile(`^//\t(\S.*?) {2,}((?:[A-Z—])\S*(?:, \S+)*)(?: {2,}(.+))?$`)
	docLink  = regexp.MustCompile(`\[\*?([A-Za-z]+(?:\.[A-Za-z]+)*)\]`)
)

// documentation returns the lines of doc.go, and of the rows of its tables the names.
func documentation(t *testing.T) (lines []string, rows map[int][]string) {
	t.Helper()
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	lines = strings.Split(string(text), "\n")
	rows = make(map[int][]string)
	inside := false
	for i, line := range lines {
		if strings.HasPrefix(line, "// # ") {
			inside = strings.HasPrefix(line, "// # From ")
		}
		if !inside || !strings.HasPrefix(line, "//\t") {
			continue
		}
		m := tableRow.FindStringSubmatch(line)
		if m == nil {
			t.Errorf("doc.go:%d: %q is no row: two or more spaces between the columns", i+1, line)
			continue
		}
		rows[i+1] = strings.Split(m[2], ", ")
	}
	return lines, rows
}

func TestEveryNameInThePackageDocumentationExists(t *testing.T) {
	packages := make(map[string]map[string]bool)
	here, _ := exported(t, ".")
	for _, name := range []string{"rank", "datatype"} {
		packages[name], _ = exported(t, filepath.Join("..", name))
	}
	exists := func(name string) bool {
		if first, rest, ok := strings.Cut(name, "."); ok && packages[first] != nil {
			return packages[first][rest]
		}
		return here[name]
	}
	lines, rows := documentation(t)
	if len(rows) < 60 {
		t.Errorf("found %d rows of tables, want 60 or more", len(rows))
	}
	for line, names := range rows {
		for _, name := range names {
			if name != "—" && !exists(name) {
				t.Errorf("doc.go:%d: %s does not exist", line, name)
			}
		}
	}
	for i, line := range lines {
		if strings.HasPrefix(line, "//\t") {
			continue
		}
		for _, m := range docLink.FindAllStringSubmatch(line, -1) {
			if !exists(m[1]) {
				t.Errorf("doc.go:%d: [%s] does not exist", i+1, m[1])
			}
		}
	}
	text := strings.Join(lines, "\n")
	for _, m := range regexp.MustCompile(`\b(collectives|rank|datatype)\.([A-Z]\w*)`).FindAllStringSubmatch(text, -1) {
		if known := packages[m[1]]; m[1] == "collectives" && !here[m[2]] || known != nil && !known[m[2]] {
			t.Errorf("doc.go: %s does not exist", m[0])
		}
	}
}

func TestThePackageDocumentationNamesEveryCall(t *testing.T) {
	_, calls := exported(t, ".")
	lines, _ := documentation(t)
	named := make(map[string]bool)
	for _, line := range lines {
		for _, w := range regexp.MustCompile(`[A-Z]\w*(?:\.[A-Z]\w*)?`).FindAllString(line, -1) {
			named[w] = true
		}
	}
	for _, call := range slices.Sorted(maps.Keys(calls)) {
		if !named[call] {
			t.Errorf("%s is exported, and doc.go does not name it", call)
		}
	}
}
