// Package sourcetest reads the source of packages for tests that hold it to promises:
// every rule has a test, every call an Example, every name in a table exists.
package sourcetest

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// parse parses those files of dir whose names keep takes.
func parse(t *testing.T, dir string, set *token.FileSet, mode parser.Mode, keep func(path string) bool) []*ast.File {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, path := range paths {
		if !keep(path) {
			continue
		}
		f, err := parser.ParseFile(set, path, nil, mode)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}

func isTest(path string) bool { return strings.HasSuffix(path, "_test.go") }

// TestFiles parses the test files of dir, for all platforms.
func TestFiles(t *testing.T, dir string) []*ast.File {
	t.Helper()
	return parse(t, dir, token.NewFileSet(), 0, isTest)
}

// Functions lists the functions that files declare.
func Functions(files []*ast.File) []string {
	var names []string
	for _, f := range files {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok {
				names = append(names, fn.Name.Name)
			}
		}
	}
	return names
}

// Exported returns what the package in dir exports: names, Type.Method and
// Type.Field, and of these the functions and methods.
func Exported(t *testing.T, dir string) (names, calls map[string]bool) {
	t.Helper()
	set := token.NewFileSet()
	files := parse(t, dir, set, parser.ParseComments, func(path string) bool { return !isTest(path) })
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
