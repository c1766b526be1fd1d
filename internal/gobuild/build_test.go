package gobuild

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

func program(text string) string {
	return fmt.Sprintf("package main\n\nfunc main() { println(%q) }\n", text)
}

const goMod = "module example.com/m\n\ngo 1.26\n"

// build builds the target from source and returns what it says.
func build(t *testing.T, o Options, argv ...string) (*Program, string) {
	t.Helper()
	target, err := Resolve(argv)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Build(context.Background(), target, o)
	if err != nil {
		t.Fatal(err)
	}
	return p, says(t, p)
}

func says(t *testing.T, p *Program) string {
	t.Helper()
	out, err := exec.Command(p.Path).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v", p.Path, err)
	}
	return strings.TrimSpace(string(out))
}

func TestSourceIsBuiltHoweverItIsNamed(t *testing.T) {
	dir := tree(t, map[string]string{
		"go.mod":            goMod,
		"cmd/one/main.go":   program("one"),
		"two.go":            program("two"),
		"other/go.mod":      "module example.com/other\n\ngo 1.26\n",
		"other/three/x.go":  program("three"),
		"tagged/main.go":    "package main\n\nfunc main() { println(name) }\n",
		"tagged/plain.go":   "//go:build !special\n\npackage main\n\nconst name = \"plain\"\n",
		"tagged/special.go": "//go:build special\n\npackage main\n\nconst name = \"special\"\n",
	})
	cache := filepath.Join(t.TempDir(), "cache")
	for _, test := range []struct {
		flags []string
		name  string
		want  string
	}{
		{nil, "./cmd/one", "one"},
		{nil, filepath.Join(dir, "cmd", "one"), "one"},
		{nil, "example.com/m/cmd/one", "one"},
		{nil, "two.go", "two"},
		{nil, "other/three", "three"}, // of another module
		{nil, "./tagged", "plain"},
		{[]string{"-tags=special"}, "./tagged", "special"},
	} {
		p, got := build(t, Options{Flags: test.flags, Cache: cache}, test.name)
		if got != test.want {
			t.Errorf("%s %v says %q, want %q", test.name, test.flags, got, test.want)
		}
		p.Release()
	}
}

func TestBuildFailuresAreExplained(t *testing.T) {
	tree(t, map[string]string{
		"go.mod":         goMod,
		"lib/lib.go":     "package lib\n",
		"empty/x.txt":    "",
		"broken/main.go": "package main\n\nfunc main() { undefinedName() }\n",
	})
	o := Options{Cache: filepath.Join(t.TempDir(), "cache")}
	for _, test := range []struct{ name, want, said string }{
		{"./lib", "./lib is a Go package but not a program: it is not package main", ""},
		{"./empty", "./empty is a directory without a Go program", ""},
		{"./broken", "building ./broken failed", "main.go:3:15: undefined: undefinedName"},
		{"example.com/m/nowhere", "example.com/m/nowhere is neither a file nor a directory nor a package known here", ""},
		{"no/such", "no/such is neither a file nor a directory nor a package known here", ""},
	} {
		var said bytes.Buffer
		o.Stderr = &said
		target, err := Resolve([]string{test.name})
		if err != nil {
			t.Fatal(err)
		}
		_, err = Build(context.Background(), target, o)
		if err == nil || err.Error() != test.want || !strings.Contains(said.String(), test.said) {
			t.Errorf("%s: error %v, want %s; the go command said:\n%s", test.name, err, test.want, said.String())
		}
	}
	t.Setenv("PATH", t.TempDir())
	_, err := Build(context.Background(), Target{Kind: Directory, Name: "./lib"}, o)
	if want := "./lib is Go source, and the go command is not in PATH: install Go, or name an executable"; err == nil || err.Error() != want {
		t.Errorf("without go: %v, want %s", err, want)
	}
}

func TestBuildWithoutCacheLeavesNothing(t *testing.T) {
	tree(t, map[string]string{"go.mod": goMod, "main.go": program("here")})
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	// A cache that others can write to is none.
	open := filepath.Join(t.TempDir(), "open")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	os.Chmod(open, 0o777)
	p, got := build(t, Options{Cache: open}, ".")
	if got != "here" || runtime.GOOS != "windows" && !strings.HasPrefix(p.Path, temp) {
		t.Errorf("built %s, which says %q", p.Path, got)
	}
	p.Release()
	p.Release() // again does nothing
	if left, _ := os.ReadDir(temp); runtime.GOOS != "windows" && len(left) > 0 {
		t.Errorf("left in the temporary directory: %v", left)
	}
}

func TestCancelledBuildSaysSo(t *testing.T) {
	tree(t, map[string]string{"go.mod": goMod, "main.go": program("")})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := Build(ctx, Target{Kind: Directory, Name: ".", Path: "."}, Options{Cache: filepath.Join(t.TempDir(), "c"), Stderr: new(bytes.Buffer)})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
}

func TestConcurrentLaunchersKeepTheirPrograms(t *testing.T) {
	dir := tree(t, map[string]string{"go.mod": goMod, "main.go": program("first")})
	o := Options{Cache: filepath.Join(t.TempDir(), "cache")}
	first, got := build(t, o, ".")
	if got != "first" {
		t.Fatalf("says %q", got)
	}
	if again, _ := build(t, o, "."); again.Path != first.Path && runtime.GOOS != "windows" {
		t.Errorf("an unchanged program moved from %s to %s", first.Path, again.Path)
	} else {
		again.Release()
	}
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(program("second")), 0o644); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			p, err := Build(context.Background(), Target{Kind: Directory, Name: ".", Path: dir}, o)
			if err != nil {
				t.Error(err)
				return
			}
			defer p.Release()
			out, err := exec.Command(p.Path).CombinedOutput()
			if strings.TrimSpace(string(out)) != "second" {
				t.Errorf("says %q, %v; want second", out, err)
			}
		})
	}
	wg.Wait()
	if got := says(t, first); got != "first" {
		t.Errorf("a program in use was replaced: it says %q", got)
	}
	first.Release()
	p, _ := build(t, o, ".")
	defer p.Release()
	if _, err := os.Stat(first.Path); err == nil && first.Path != p.Path {
		t.Errorf("%s remains, though nobody uses it", first.Path)
	}
}

func TestPlatformsAreBuiltApart(t *testing.T) {
	tree(t, map[string]string{"go.mod": goMod, "main.go": program("x")})
	// A go command whose programs say what it was asked for.
	bin := t.TempDir()
	script := `#!/bin/sh
mkdir -p "$3"
echo "#!/bin/sh" >"$3/m"
echo "echo $GOOS/$GOARCH cgo $CGO_ENABLED" >>"$3/m"
chmod +x "$3/m"
`
	if err := os.WriteFile(filepath.Join(bin, "go"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	for _, name := range []string{"GOOS", "GOARCH", "CGO_ENABLED"} {
		t.Setenv(name, "")
	}
	cache := filepath.Join(t.TempDir(), "cache")
	var programs []*Program
	var want []string
	for _, test := range []struct{ goos, goarch, want string }{
		{"", "", "/ cgo"},
		{"plan9", "", "plan9/ cgo 0"},
		{"", "loong64", "/loong64 cgo 0"},
		{"plan9", "loong64", "plan9/loong64 cgo 0"},
		{runtime.GOOS, runtime.GOARCH, runtime.GOOS + "/" + runtime.GOARCH + " cgo"},
	} {
		p, _ := build(t, Options{Cache: cache, GOOS: test.goos, GOARCH: test.goarch}, ".")
		defer p.Release()
		programs, want = append(programs, p), append(want, test.want)
	}
	for i, p := range programs { // none has taken another's place
		if got := says(t, p); got != want[i] {
			t.Errorf("%d: %s, want %s", i, got, want[i])
		}
	}
}
