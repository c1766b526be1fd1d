// Package gobuild turns what the user names on the command line into an
// executable: a program as it is, or Go source built by the go command into a
// private, bounded cache.
package gobuild

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A Kind says what a target is.
type Kind uint8

const (
	Executable Kind = iota // a file to run as it is
	Directory              // a directory with a Go package
	ImportPath             // a Go package by its import path
	Files                  // Go files of one package
)

// A Target is a program as the user named it.
type Target struct {
	Kind Kind
	Name string   // as the user wrote it; the first of Files
	Path string   // absolute path of an executable or a directory; the import path
	Go   []string // the Go files
	Args []string // the program's arguments
}

// IsSource tells whether the target has to be built.
func (t Target) IsSource() bool { return t.Kind != Executable }

// Resolve finds out what argv, a target and its arguments, names, without
// running anything. In this order:
//
//   - a name that ends with .go is a Go file, and so are the arguments next to it
//     that do, as with go run;
//   - a name without a slash is a program in PATH, and never one of the current
//     directory: ./name says that;
//   - a directory is a Go package, any other file a program;
//   - a path that does not exist, and does not begin with a slash, ./ or ../, is
//     an import path.
//
// So a file or a directory wins over an import path, and a program in PATH over
// both. Relative paths start at the current directory of the launcher, whatever
// directory the ranks run in.
func Resolve(argv []string) (Target, error) {
	if len(argv) == 0 || argv[0] == "" {
		return Target{}, errors.New("no program named")
	}
	t := Target{Name: argv[0], Args: argv[1:]}
	if strings.HasSuffix(t.Name, ".go") {
		return t.goFiles(argv)
	}
	if !isPath(t.Name) {
		return t.inPath()
	}
	info, err := os.Stat(t.Name)
	switch {
	case err == nil && info.IsDir():
		t.Kind = Directory
		t.Path, err = absolute(t.Name)
		return t, err
	case err == nil:
		return t.file()
	case errors.Is(err, fs.ErrNotExist) && !isRooted(t.Name):
		if strings.Contains(t.Name, "...") {
			return t, fmt.Errorf("%q may name several packages; name one", t.Name)
		}
		t.Kind, t.Path = ImportPath, t.Name
		return t, nil
	}
	return t, fmt.Errorf("%s: %w", t.Name, cause(err))
}

func (t Target) goFiles(argv []string) (Target, error) {
	n := 0
	for n < len(argv) && strings.HasSuffix(argv[n], ".go") {
		if info, err := os.Stat(argv[n]); err != nil {
			return t, fmt.Errorf("%s: %w", argv[n], cause(err))
		} else if info.IsDir() {
			return t, fmt.Errorf("%s is a directory; for the Go package in it, say %s/", argv[n], argv[n])
		}
		n++
	}
	t.Kind, t.Go, t.Args = Files, argv[:n], argv[n:]
	return t, nil
}

func (t Target) inPath() (Target, error) {
	path, err := exec.LookPath(t.Name)
	if err == nil {
		t.Path, err = absolute(path)
		return t, err
	}
	if _, here := os.Stat(t.Name); here == nil {
		return t, fmt.Errorf("%s is not a program in PATH; for the one in this directory, say ./%s", t.Name, t.Name)
	}
	return t, fmt.Errorf("%s is not a program in PATH; name a file (./%s), a Go package directory or an import path", t.Name, t.Name)
}

func (t Target) file() (Target, error) {
	path, err := exec.LookPath(t.Name)
	if err != nil {
		return t, fmt.Errorf("%s is not executable (chmod +x, or name a Go package or file): %w", t.Name, cause(err))
	}
	t.Path, err = absolute(path)
	return t, err
}

func absolute(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("%s: the current directory is unknown (was it removed?): %w", path, cause(err))
	}
	return abs, nil
}

func isPath(name string) bool {
	return name == "." || name == ".." || strings.ContainsRune(name, '/') || strings.ContainsRune(name, filepath.Separator)
}

// isRooted tells paths that can only be meant as files.
func isRooted(name string) bool {
	name = filepath.ToSlash(name)
	return filepath.IsAbs(name) || strings.HasPrefix(name, "/") || strings.HasPrefix(name, "./") || strings.HasPrefix(name, "../")
}

// cause is an error without the operation and the path, which the caller says.
func cause(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	var ee *exec.Error
	if errors.As(err, &ee) {
		return ee.Err
	}
	return err
}
