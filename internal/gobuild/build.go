package gobuild

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Options of a build.
type Options struct {
	Flags  []string  // for go build, such as -race
	Stderr io.Writer // takes what the go command says; nil: os.Stderr
	Cache  string    // directory of the cache; empty: muster/build below os.UserCacheDir

	// The platform to build for; empty: the go command's own choice, this one unless the
	// environment says otherwise. A program for another than this one is built without C.
	GOOS, GOARCH string
}

// A Program is an executable that stays as it is until Release.
type Program struct {
	Path    string
	release func()
}

// Release says that no process will be started from the program any more.
func (p *Program) Release() {
	if p.release != nil {
		p.release()
		p.release = nil
	}
}

// Build returns t as an executable. Source is always handed to the go command,
// whose own cache decides what there is to do, so that the program is never
// stale; a build that finds nothing to do costs what go build costs. What the
// compiler says goes to Stderr as it is.
//
// Programs are kept in a directory that only the user can enter, one for each
// package and set of flags, the latest 16 used. Builds of the same program by
// several launchers take turns, and none replaces a program that another
// launcher's ranks are being started from. Where there is no such directory (HOME
// is unset, or belongs to somebody else) the program is built in a temporary
// one and removed by Release.
//
// Ending ctx interrupts the go command; the error is then ctx's.
func Build(ctx context.Context, t Target, o Options) (*Program, error) {
	if !t.IsSource() {
		return &Program{Path: t.Path}, nil
	}
	if o.Stderr == nil {
		o.Stderr = os.Stderr
	}
	goCommand, err := exec.LookPath("go")
	if err != nil {
		return nil, fmt.Errorf("%s is Go source, and the go command is not in PATH: install Go, or name an executable", t.Name)
	}
	b := &builder{goCommand: goCommand, target: t, Options: o}
	if err := b.place(); err != nil {
		return nil, err
	}
	if dir, err := b.openCache(); err == nil {
		return b.inCache(ctx, dir)
	}
	return b.inTemp(ctx)
}

type builder struct {
	Options
	goCommand string
	target    Target
	dir       string   // where the go command runs
	packages  []string // what it builds
}

// place decides where the go command runs: in the current directory, so that the
// compiler's messages name files as the user sees them, unless the package
// belongs to another module than the current directory.
func (b *builder) place() error {
	cwd, err := os.Getwd()
	if err != nil {
		return fmt.Errorf("building %s: the current directory is unknown (was it removed?): %w", b.target.Name, cause(err))
	}
	b.dir = cwd
	switch t := b.target; t.Kind {
	case ImportPath:
		b.packages = []string{t.Path}
	case Files:
		b.packages = t.Go
	case Directory:
		rel, err := filepath.Rel(cwd, t.Path)
		if err != nil || moduleRoot(cwd) != moduleRoot(t.Path) {
			b.dir, rel = t.Path, "."
		}
		b.packages = []string{"." + string(filepath.Separator) + rel}
	}
	return nil
}

// moduleRoot is the nearest directory above dir with a go.mod, or empty.
func moduleRoot(dir string) string {
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return ""
		}
		dir = parent
	}
}

// key names the program in the cache. Keys that should differ and do not cost
// a link, never a wrong program: go build checks what it finds.
func (b *builder) key() string {
	parts := []string{b.goCommand, b.dir, "packages"}
	parts = append(parts, b.packages...)
	parts = append(parts, "flags")
	parts = append(parts, b.Flags...)
	parts = append(parts, "platform", b.GOOS, b.GOARCH, "environment")
	for _, kv := range os.Environ() {
		if strings.HasPrefix(kv, "GO") || strings.HasPrefix(kv, "CGO_") {
			parts = append(parts, kv)
		}
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:12])
}

func (b *builder) inTemp(ctx context.Context) (*Program, error) {
	dir, err := os.MkdirTemp("", "muster-build-")
	if err != nil {
		return nil, fmt.Errorf("building %s needs a cache directory (set HOME or XDG_CACHE_HOME) or a temporary one (set TMPDIR): %w", b.target.Name, err)
	}
	remove := func() { os.RemoveAll(dir) }
	path, err := b.run(ctx, dir)
	if err != nil {
		remove()
		return nil, err
	}
	return &Program{Path: path, release: remove}, nil
}

// run has the go command build into dir, and returns the program's path.
func (b *builder) run(ctx context.Context, dir string) (string, error) {
	// A directory as -o makes the go command name the program, and refuse
	// what is no program.
	args := []string{"build", "-o", dir + string(filepath.Separator)}
	if !slices.ContainsFunc(b.Flags, func(f string) bool { return strings.HasPrefix(f, "-buildvcs") }) {
		// As go run does: asking git takes longer than the rest.
		args = append(args, "-buildvcs=false")
	}
	args = append(args, b.Flags...)
	args = append(args, "--")
	args = append(args, b.packages...)
	var tail tailWriter
	cmd := exec.CommandContext(ctx, b.goCommand, args...)
	cmd.Dir = b.dir
	cmd.Env = append(cmd.Environ(), b.platform()...)
	cmd.Stderr = io.MultiWriter(b.Stderr, &tail)
	cmd.Stdout = cmd.Stderr
	cmd.Cancel = func() error { return interrupt(cmd.Process) }
	cmd.WaitDelay = 5 * time.Second // then the go command is killed
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", fmt.Errorf("building %s: %w", b.target.Name, context.Cause(ctx))
		}
		return "", b.explain(err, tail.String())
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", fmt.Errorf("building %s: %w", b.target.Name, err)
	}
	if len(entries) != 1 {
		return "", &countError{b.target.Name, len(entries)}
	}
	return filepath.Join(dir, entries[0].Name()), nil
}

// platform is what the go command's environment has to say of the platform.
func (b *builder) platform() (env []string) {
	if b.GOOS != "" {
		env = append(env, "GOOS="+b.GOOS)
	}
	if b.GOARCH != "" {
		env = append(env, "GOARCH="+b.GOARCH)
	}
	if b.GOOS != "" && b.GOOS != runtime.GOOS || b.GOARCH != "" && b.GOARCH != runtime.GOARCH {
		env = append(env, "CGO_ENABLED=0")
	}
	return env
}

// A countError says that a directory that should hold one program does not.
type countError struct {
	name string
	n    int
}

func (e *countError) Error() string {
	return fmt.Sprintf("%s names %d programs; name one", e.name, e.n)
}

// explain adds what the go command's message, shown already, does not say.
func (b *builder) explain(err error, said string) error {
	name := b.target.Name
	switch {
	case strings.Contains(said, "no main packages to build"):
		return fmt.Errorf("%s is a Go package but not a program: it is not package main", name)
	case strings.Contains(said, "no Go files in"):
		return fmt.Errorf("%s is a directory without a Go program", name)
	case strings.Contains(said, "build cache is required"), strings.Contains(said, "module cache not found"):
		return fmt.Errorf("building %s: the go command needs HOME, or GOCACHE and GOPATH, to be set", name)
	case strings.Contains(said, "creating work dir"):
		return fmt.Errorf("building %s: the go command has no temporary directory: set TMPDIR or GOTMPDIR", name)
	case b.target.Kind == ImportPath && (strings.Contains(said, "is not in std") || strings.Contains(said, "no required module provides")):
		return fmt.Errorf("%s is neither a file nor a directory nor a package known here", name)
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return fmt.Errorf("building %s failed", name)
	}
	return fmt.Errorf("building %s: %w", name, err)
}

// A tailWriter keeps the end of what is written to it.
type tailWriter struct{ b []byte }

func (t *tailWriter) Write(p []byte) (int, error) {
	const kept = 4 << 10
	t.b = append(t.b, p[max(0, len(p)-kept):]...)
	t.b = t.b[max(0, len(t.b)-kept):]
	return len(p), nil
}

func (t *tailWriter) String() string { return string(t.b) }
