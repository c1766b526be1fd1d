package remote

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"

	"github.com/muster-mpi/muster/internal/gobuild"
)

// AgentBinary is the program that becomes the agent. Its whole program, given
// Args and the flags that the script adds, is launcher.AgentMain.
type AgentBinary struct {
	Path string   // empty: this very program
	Args []string // plain words; nil: agent

	// Other returns the program for another platform, which stays until release. Nil:
	// it is built from the source of this program, if that is Muster's and can be found.
	Other func(ctx context.Context, goos, goarch string) (path string, release func(), err error)
}

// agentFile is a binary to be staged.
type agentFile struct {
	path    string
	digest  string
	size    int64
	args    []string
	release func()
}

func (b AgentBinary) here() (*agentFile, error) {
	path := b.Path
	if path == "" {
		path = "/proc/self/exe" // whatever became of its file
	}
	return b.file(path, func() {})
}

func (b AgentBinary) file(path string, release func()) (*agentFile, error) {
	f := &agentFile{path: path, args: b.Args, release: release}
	if f.args == nil {
		f.args = []string{"agent"}
	}
	for _, word := range f.args {
		if err := plainName("agent argument", strings.TrimLeft(word, "-"), "-_=.,:/"); err != nil {
			return nil, err
		}
	}
	var err error
	if f.digest, f.size, err = Digest(path); err != nil {
		return nil, fmt.Errorf("the agent's binary cannot be read: %w", err)
	}
	return f, nil
}

// module is Muster's own.
const module = "github.com/muster-mpi/muster"

// building has launchers of many hosts build for a platform once at a time.
var building sync.Mutex

// buildAgent builds the muster command for another platform.
func buildAgent(ctx context.Context, goos, goarch string) (path string, release func(), err error) {
	building.Lock()
	defer building.Unlock()
	dir, err := source()
	if err != nil {
		return "", nil, err
	}
	var said strings.Builder
	p, err := gobuild.Build(ctx, gobuild.Target{
		Kind: gobuild.Directory, Name: module + "/cmd/muster", Path: filepath.Join(dir, "cmd", "muster"),
	}, gobuild.Options{GOOS: goos, GOARCH: goarch, Stderr: &said})
	if err != nil {
		if last := strings.TrimSpace(said.String()); last != "" {
			err = fmt.Errorf("%w: %s", err, last)
		}
		return "", nil, err
	}
	return p.Path, p.Release, nil
}

// source finds the module's source: where the user works, or in the module cache.
func source() (string, error) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "", errors.New("this program does not know its module")
	}
	if info.Main.Path != module {
		return "", fmt.Errorf("this program is of module %s, not of %s", info.Main.Path, module)
	}
	if dir, err := os.Getwd(); err == nil {
		for ; ; dir = filepath.Dir(dir) {
			text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
			if err == nil && moduleOf(string(text)) == module {
				return dir, nil
			}
			if dir == filepath.Dir(dir) {
				break
			}
		}
	}
	if cache := moduleCache(); cache != "" && strings.HasPrefix(info.Main.Version, "v") {
		dir := filepath.Join(cache, filepath.FromSlash(module)+"@"+info.Main.Version)
		if _, err := os.Stat(dir); err == nil {
			return dir, nil
		}
	}
	return "", fmt.Errorf("the source of %s is neither here nor in Go's module cache", module)
}

// moduleOf is the module that a go.mod declares.
func moduleOf(text string) string {
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == "module" {
			return strings.Trim(f[1], `"`)
		}
	}
	return ""
}

func moduleCache() string {
	if dir := os.Getenv("GOMODCACHE"); dir != "" {
		return dir
	}
	if list := filepath.SplitList(os.Getenv("GOPATH")); len(list) > 0 {
		return filepath.Join(list[0], "pkg", "mod")
	}
	if home, err := os.UserHomeDir(); err == nil {
		return filepath.Join(home, "go", "pkg", "mod")
	}
	return ""
}
