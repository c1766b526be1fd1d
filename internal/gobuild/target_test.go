package gobuild

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// tree makes the files named, with their contents, below a directory of its own
// and enters that. A name that ends with a * is made executable.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		mode := os.FileMode(0o644)
		if strings.HasSuffix(name, "*") {
			name, mode = strings.TrimSuffix(name, "*"), 0o755
		}
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return wd
}

func TestTargetIsWhatItsNameSays(t *testing.T) {
	dir := tree(t, map[string]string{
		"prog*":         "#!/bin/sh\n",
		"notes.txt":     "",
		"bin/inpath*":   "#!/bin/sh\n",
		"inpath/x.go":   "",
		"cmd/x/main.go": "",
		"a.go":          "",
		"b.go":          "",
		"d.go/main.go":  "",
	})
	t.Setenv("PATH", filepath.Join(dir, "bin"))
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, test := range []struct {
		argv []string
		want Target
		err  string
	}{
		{argv: []string{"./prog", "-x", "y.go"}, want: Target{Kind: Executable, Path: at("prog"), Args: []string{"-x", "y.go"}}},
		{argv: []string{at("prog")}, want: Target{Kind: Executable, Path: at("prog"), Args: []string{}}},
		{argv: []string{"inpath"}, want: Target{Kind: Executable, Path: at("bin/inpath"), Args: []string{}}},
		{argv: []string{"./inpath"}, want: Target{Kind: Directory, Path: at("inpath"), Args: []string{}}},
		{argv: []string{"cmd/x"}, want: Target{Kind: Directory, Path: at("cmd/x"), Args: []string{}}},
		{argv: []string{"."}, want: Target{Kind: Directory, Path: dir, Args: []string{}}},
		{argv: []string{"example.com/m/cmd"}, want: Target{Kind: ImportPath, Path: "example.com/m/cmd", Args: []string{}}},
		{argv: []string{"a.go", "b.go", "x", "c.go"}, want: Target{Kind: Files, Go: []string{"a.go", "b.go"}, Args: []string{"x", "c.go"}}},
		{argv: []string{"prog"}, err: "prog is not a program in PATH; for the one in this directory, say ./prog"},
		{argv: []string{"nothing"}, err: "nothing is not a program in PATH; name a file (./nothing), a Go package directory or an import path"},
		{argv: []string{"./nothing"}, err: "./nothing: no such file or directory"},
		{argv: []string{"./notes.txt"}, err: "./notes.txt is not executable (chmod +x, or name a Go package or file): permission denied"},
		{argv: []string{"cmd/..."}, err: `"cmd/..." may name several packages; name one`},
		{argv: []string{"a.go", "c.go"}, err: "c.go: no such file or directory"},
		{argv: []string{"d.go"}, err: "d.go is a directory; for the Go package in it, say d.go/"},
		{argv: nil, err: "no program named"},
	} {
		got, err := Resolve(test.argv)
		if test.err != "" {
			if err == nil || err.Error() != test.err {
				t.Errorf("%q: error %v, want %s", test.argv, err, test.err)
			}
			continue
		}
		test.want.Name = test.argv[0]
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%q: got %+v, %v; want %+v", test.argv, got, err, test.want)
		}
	}
}
