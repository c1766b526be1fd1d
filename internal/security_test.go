package internal_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	pb "github.com/muster-mpi/muster/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// files calls f with the path, from the top of the module, and the text of every file of
// Go's in it.
func files(t *testing.T, f func(path string, text []byte)) {
	t.Helper()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		text, err := os.ReadFile(path)
		f(filepath.ToSlash(strings.TrimPrefix(path, "../")), text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// code returns the words in `backquotes` of a table's cell.
func code(cell string) (words []string) {
	for i, w := range strings.Split(cell, "`") {
		if i%2 == 1 {
			words = append(words, w)
		}
	}
	return words
}

// S12: who decodes what could be code, or starts programs, is on SECURITY.md's list. So is
// who calls what starts a process (S22).
func TestS12WhatRunsCodeIsImportedByAFewPackagesOnly(t *testing.T) {
	allowed := make(map[string][]string)
	for _, row := range tableOf(t, "SECURITY.md", "| what | used by") {
		what := code(row[0])[0]
		allowed[what] = append(allowed[what], code(row[1])...)
	}
	used := make(map[string]bool)
	use := func(what, where string) {
		used[what+" "+where] = true
		if !slices.Contains(allowed[what], where) {
			t.Errorf("%s uses %s, which SECURITY.md allows to %v only", where, what, allowed[what])
		}
	}
	watched := []string{
		"encoding/gob", "plugin", "net/rpc", "net/rpc/jsonrpc", "text/template", "html/template", "os/exec",
		"net/http", "net/http/pprof", "expvar",
	}
	for _, p := range packages(t) {
		for _, i := range p.Imports {
			if slices.Contains(watched, i) {
				use(i, strings.TrimPrefix(p.ImportPath, module))
			}
		}
	}
	starts := map[string]bool{
		"os.StartProcess": true, "syscall.ForkExec": true, "syscall.StartProcess": true, "syscall.Exec": true, "unix.Exec": true,
	}
	files(t, func(path string, text []byte) {
		if strings.HasSuffix(path, "_test.go") || strings.Contains(path, "/testdata/") {
			return
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, text, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok && starts[x.Name+"."+s.Sel.Name] {
					use(x.Name+"."+s.Sel.Name, filepath.ToSlash(filepath.Dir(path)))
				}
			}
			return true
		})
	})
	for what, who := range allowed {
		for _, where := range who {
			if !used[what+" "+where] {
				t.Errorf("SECURITY.md says that %s uses %s, which it does not", where, what)
			}
		}
	}
}

// S13: every parser of what others send or write has a fuzz target.
func TestS13ParsersAreFuzzed(t *testing.T) {
	targets := make(map[string]bool)
	function := regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`)
	files(t, func(path string, text []byte) {
		for _, m := range function.FindAllSubmatch(text, -1) {
			targets[filepath.ToSlash(filepath.Dir(path))+"."+string(m[1])] = true
		}
	})
	for _, row := range tableOf(t, "SECURITY.md", "| what is parsed | from") {
		if len(code(row[2])) == 0 {
			t.Errorf("SECURITY.md names no target for %s", row[0])
		}
		for _, target := range code(row[2]) {
			if !targets[target] {
				t.Errorf("SECURITY.md names %s for %s, and there is none", target, row[0])
			}
		}
	}
}

// S22: what can be asked of an agent, and of a rank by another, is on the list.
func TestS22CallsAreThoseOnTheList(t *testing.T) {
	listed := make(map[string]bool)
	for _, row := range tableOf(t, "SECURITY.md", "| call | what it does") {
		listed[code(row[0])[0]] = true
	}
	found := make(map[string]bool)
	for _, file := range []protoreflect.FileDescriptor{
		pb.File_agent_proto, pb.File_control_proto, pb.File_frame_proto, pb.File_rendezvous_proto,
	} {
		for i := range file.Services().Len() {
			s := file.Services().Get(i)
			for k := range s.Methods().Len() {
				found[string(s.Name())+"."+string(s.Methods().Get(k).Name())] = true
			}
		}
	}
	for call := range found {
		if !listed[call] {
			t.Errorf("SECURITY.md does not list %s", call)
		}
	}
	for call := range listed {
		if !found[call] {
			t.Errorf("SECURITY.md lists %s, and there is no such call", call)
		}
	}
}

// floors are versions that are not to be gone below: what was mended in them matters here.
var floors = map[string]string{
	"google.golang.org/grpc": "v1.82.1",
}

// S25: modules are those on the list, whole, and not older than is known to be good.
func TestS25ModulesAreThoseOnTheList(t *testing.T) {
	mod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	listed := make(map[string]bool)
	for _, row := range tableOf(t, "SECURITY.md", "| indirect module | of") {
		listed[code(row[0])[0]] = true
	}
	found := make(map[string]bool)
	for line := range strings.Lines(string(mod)) {
		f := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		if len(f) == 0 {
			continue
		}
		if f[0] == "replace" || f[0] == "exclude" || f[0] == "toolchain" {
			t.Errorf("go.mod has %s", strings.TrimSpace(line))
		}
		if len(f) < 2 || !strings.HasPrefix(f[1], "v") {
			continue
		}
		if floor := floors[f[0]]; floor != "" && older(f[1], floor) {
			t.Errorf("go.mod has %s %s, want %s or later", f[0], f[1], floor)
		}
		if indirect := strings.HasSuffix(strings.TrimSpace(line), "// indirect"); indirect {
			found[f[0]] = true
			if !listed[f[0]] {
				t.Errorf("go.mod has %s, which is not among SECURITY.md's modules", f[0])
			}
		}
	}
	for name := range listed {
		if !found[name] {
			t.Errorf("SECURITY.md lists the module %s, which go.mod has not", name)
		}
	}
	sums, err := os.ReadFile("../go.sum")
	if err != nil || bytes.Count(sums, []byte("\n")) < len(found) {
		t.Errorf("go.sum: %v, %d lines", err, bytes.Count(sums, []byte("\n")))
	}
}

// older compares versions of three numbers.
func older(a, b string) bool {
	number := func(v string) (n [3]int) {
		core, _, _ := strings.Cut(strings.TrimPrefix(v, "v"), "-")
		for i, part := range strings.SplitN(core, ".", 3) {
			n[i], _ = strconv.Atoi(part)
		}
		return n
	}
	x, y := number(a), number(b)
	return slices.Compare(x[:], y[:]) < 0
}

// S19: the check of host keys, and the journal of TLS keys, are words that do not occur.
func TestS19NothingTurnsOffHostKeysOrTellsTLSKeys(t *testing.T) {
	off := regexp.MustCompile(`(?i)StrictHostKeyChecking[= ]+"?(no|off|accept-new)|UserKnownHostsFile[= ]+/dev/null`)
	files(t, func(path string, text []byte) {
		if strings.HasSuffix(path, "_test.go") {
			return
		}
		if m := off.Find(text); m != nil {
			t.Errorf("%s has %q", path, m)
		}
		if bytes.Contains(text, []byte("Key"+"LogWriter")) {
			t.Errorf("%s writes TLS keys to a journal", path)
		}
	})
}

// Every row of the table of threats is there, and names tests that exist.
func TestEveryThreatNamesItsTest(t *testing.T) {
	exists := make(map[string]bool)
	function := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	files(t, func(path string, text []byte) {
		for _, m := range function.FindAllSubmatch(text, -1) {
			exists[string(m[1])] = true
		}
	})
	named := regexp.MustCompile(`^(?:.*\.)?((?:Test|Fuzz)[A-Z0-9]\w*)$`)
	rows := tableOf(t, "SECURITY.md", "| row | threat")
	for i, row := range rows {
		if row[0] != "S"+strconv.Itoa(i+1) {
			t.Errorf("row %d is %q", i+1, row[0])
		}
		tests := 0
		for _, word := range code(row[len(row)-1]) {
			if m := named.FindStringSubmatch(word); m != nil {
				tests++
				if !exists[m[1]] {
					t.Errorf("%s names %s, and there is none", row[0], word)
				}
			}
		}
		if tests == 0 && !strings.Contains(row[len(row)-1], "not built") {
			t.Errorf("%s names no test, and does not say that it is not built", row[0])
		}
	}
	if len(rows) != 28 {
		t.Errorf("%d rows, want 28", len(rows))
	}
	// And each test that is called after a row is named there.
	page, err := os.ReadFile("../SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	for name := range exists {
		if regexp.MustCompile(`^TestS\d+`).MatchString(name) && !bytes.Contains(page, []byte("`"+name+"`")) {
			t.Errorf("SECURITY.md does not name %s", name)
		}
	}
}
