package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/build"
	"go/doc"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// platform is the one whose files make up the packages, whatever machine this is:
// so the corpus depends on the Go version alone.
var platform = func() build.Context {
	p := build.Default
	p.GOOS, p.GOARCH, p.CgoEnabled = "linux", "amd64", false
	p.BuildTags, p.ToolTags = nil, nil
	return p
}()

// listPackages lists the packages of the Go standard library that programs can
// import.
func listPackages() (catalogue, error) {
	out, err := exec.Command("go", "env", "GOROOT").Output()
	root := strings.TrimSpace(string(out))
	if err == nil && root == "" {
		err = errors.New("it is empty")
	}
	if err != nil {
		return catalogue{}, fmt.Errorf("go env GOROOT, to find the standard library: %w (-dir takes other documents)", err)
	}
	k := catalogue{Library: "packages of the Go standard library in " + root, Root: filepath.Join(root, "src"), Packages: true}
	err = filepath.WalkDir(k.Root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return err
		}
		switch name := e.Name(); {
		case path == k.Root:
			return nil
		case slices.Contains([]string{"internal", "vendor", "testdata", "cmd"}, name), name[0] == '.', name[0] == '_':
			return filepath.SkipDir
		}
		files, bytes, err := sources(path)
		if err != nil || len(files) == 0 {
			return err
		}
		name, err := filepath.Rel(k.Root, path)
		if err != nil {
			return err
		}
		k.Documents = append(k.Documents, document{filepath.ToSlash(name), bytes})
		return nil
	})
	if err == nil && len(k.Documents) == 0 {
		err = errors.New("it has no packages")
	}
	if err != nil {
		return catalogue{}, fmt.Errorf("the standard library's source in %s: %w (-dir takes other documents)", k.Root, err)
	}
	k.sort()
	return k, nil
}

// sources returns the names and total size of the Go files of a package, without
// its tests.
func sources(dir string) (names []string, bytes int64, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, 0, err
	}
	for _, e := range entries {
		name := e.Name()
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		if ok, err := platform.MatchFile(dir, name); err != nil {
			return nil, 0, fmt.Errorf("%s: %w", filepath.Join(dir, name), err)
		} else if !ok {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, 0, err
		}
		names = append(names, name)
		bytes += info.Size()
	}
	return names, bytes, nil
}

// readPackage returns the documentation of a package, which is the comments that go
// doc -all shows, and the size of its source.
func readPackage(root, name string) (string, int64, error) {
	dir := filepath.Join(root, filepath.FromSlash(name))
	names, bytes, err := sources(dir)
	if err != nil {
		return "", 0, err
	}
	fset := token.NewFileSet()
	var files []*ast.File
	for _, n := range names {
		f, err := parser.ParseFile(fset, filepath.Join(dir, n), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return "", 0, err
		}
		files = append(files, f)
	}
	p, err := doc.NewFromFiles(fset, files, name)
	if err != nil {
		return "", 0, fmt.Errorf("%s: %w", dir, err)
	}
	return comments(p), bytes, nil
}

// comments joins the documentation comments of p.
func comments(p *doc.Package) string {
	parts := []string{p.Doc}
	values := func(list []*doc.Value) {
		for _, v := range list {
			parts = append(parts, v.Doc)
		}
	}
	funcs := func(list []*doc.Func) {
		for _, f := range list {
			parts = append(parts, f.Doc)
		}
	}
	values(p.Consts)
	values(p.Vars)
	funcs(p.Funcs)
	for _, t := range p.Types {
		parts = append(parts, t.Doc)
		values(t.Consts)
		values(t.Vars)
		funcs(t.Funcs)
		funcs(t.Methods)
	}
	return strings.Join(parts, "\n")
}
