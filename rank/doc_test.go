package rank_test

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// exported returns what a package in dir exports: names, Type.Method and
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
	tableRow = regexp.MustCompile(`^//\t(\S.*?) {2,}((?:[A-Z—]|datatype\.)\S*(?:, \S+)*)(?: {2,}(.+))?$`)
	docLink  = regexp.MustCompile(`\[\*?([A-Za-z]+(?:\.[A-Za-z]+)*)\]`)
)

// tables returns the rows of the tables in doc.go: line number to names.
func tables(t *testing.T) (rows map[int][]string, lines []string) {
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
	return rows, lines
}

func TestEveryNameInThePackageDocumentationExists(t *testing.T) {
	here, _ := exported(t, ".")
	types, _ := exported(t, filepath.Join("..", "datatype"))
	exists := func(name string) bool {
		if n, ok := strings.CutPrefix(name, "datatype."); ok {
			return types[n]
		}
		return here[name] || strings.HasPrefix(name, "context.")
	}
	rows, lines := tables(t)
	if len(rows) < 100 {
		t.Errorf("found %d rows of tables, want 100 or more", len(rows))
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
	for _, m := range regexp.MustCompile(`\brank\.([A-Z]\w*)`).FindAllStringSubmatch(strings.Join(lines, "\n"), -1) {
		if !here[m[1]] {
			t.Errorf("doc.go: rank.%s does not exist", m[1])
		}
	}
}

// beyondMPI are calls that the tables need not have: Go's conventions, the rest of
// types that they have, and what is for Muster's own packages.
var beyondMPI = regexp.MustCompile(`^Comm\.Below$|\.(String|Error|Is|Unwrap|Err|Status)$|^Persistent\.|^PartitionedSend\.|^PartitionedRecv\.`)

func TestThePackageDocumentationNamesEveryCall(t *testing.T) {
	_, calls := exported(t, ".")
	_, lines := tables(t)
	named := make(map[string]bool)
	for _, line := range lines {
		for _, w := range regexp.MustCompile(`[A-Z]\w*(?:\.[A-Z]\w*)?`).FindAllString(line, -1) {
			named[w] = true
		}
	}
	for call := range calls {
		if !named[call] && !beyondMPI.MatchString(call) {
			t.Errorf("%s is exported, and doc.go does not name it", call)
		}
	}
}
