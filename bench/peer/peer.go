// Package peer compiles and runs the twins in C of bench/p2p and bench/coll over
// other implementations of MPI, with the settings under which they are at their
// best.
package peer

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

//go:embed c/p2p.c c/coll.c
var sources embed.FS

// An implementation is what we know of one.
type implementation struct {
	name     string
	packages string // of Debian
	mark     string // in what mpicc -show prints
}

var implementations = []implementation{
	{"openmpi", "openmpi-bin libopenmpi-dev", "openmpi"},
	{"mpich", "mpich libmpich-dev", "mpich"},
}

// Names are the implementations that can be asked for.
func Names() []string {
	var list []string
	for _, i := range implementations {
		list = append(list, i.name)
	}
	return list
}

// A Peer is an implementation that is installed, with a program compiled.
type Peer struct {
	Name    string
	Version string // first line of what its mpirun says
	mpicc   string
	mpirun  string
	program string
}

// ErrMissing is the error of peers that are not installed; it says which
// packages to install.
var ErrMissing = errors.New("not installed")

// Find returns the peers called names, not compiled yet. If one is not
// installed the error is ErrMissing and names the packages of all such.
func Find(ctx context.Context, names []string) ([]*Peer, error) {
	var found []*Peer
	var missing, packages []string
	for _, i := range implementations {
		if !slices.Contains(names, i.name) {
			continue
		}
		if p := i.find(ctx); p != nil {
			found = append(found, p)
		} else {
			missing = append(missing, i.name)
			packages = append(packages, i.packages)
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("%s: %w: neither their mpicc nor their mpirun is in PATH; on Debian, apt-get install %s",
			strings.Join(missing, " and "), ErrMissing, strings.Join(packages, " "))
	}
	return found, nil
}

// find looks for the commands under the names that Debian gives them, and then
// for an mpicc that says it is this implementation's.
func (i implementation) find(ctx context.Context) *Peer {
	p := &Peer{Name: i.name}
	for _, suffix := range []string{"." + i.name, ""} {
		mpicc, err := exec.LookPath("mpicc" + suffix)
		if err != nil {
			continue
		}
		if suffix == "" {
			shown, err := exec.CommandContext(ctx, mpicc, "-show").CombinedOutput()
			if err != nil || !strings.Contains(string(shown), i.mark) {
				continue
			}
		}
		mpirun := filepath.Join(filepath.Dir(mpicc), "mpirun"+suffix)
		if _, err := exec.LookPath(mpirun); err != nil {
			if mpirun, err = exec.LookPath("mpirun" + suffix); err != nil {
				continue
			}
		}
		p.mpicc, p.mpirun = mpicc, mpirun
		p.Version = version(ctx, i.name, mpirun)
		return p
	}
	return nil
}

// version is what mpirun says about itself, on one line.
func version(ctx context.Context, name, mpirun string) string {
	text, _ := exec.CommandContext(ctx, mpirun, "--version").Output()
	first, rest, _ := strings.Cut(string(text), "\n")
	if strings.HasPrefix(first, "HYDRA") { // its second line has the number
		line, _, _ := strings.Cut(rest, "\n")
		first = "HYDRA" + strings.TrimPrefix(strings.Join(strings.Fields(line), " "), "Version:")
	}
	return name + ": " + strings.TrimSpace(first)
}

// Compile compiles the program with the name, p2p or coll, into dir; it is what
// Run runs from then on. The error has what the compiler said.
func (p *Peer) Compile(ctx context.Context, dir, name string) error {
	source, err := sources.ReadFile("c/" + name + ".c")
	if err != nil {
		return err
	}
	file := filepath.Join(dir, name+".c")
	if err := os.WriteFile(file, source, 0o600); err != nil {
		return err
	}
	p.program = filepath.Join(dir, name+"-"+p.Name)
	args := []string{"-O2", "-std=gnu11", "-o", p.program, file, "-lm"}
	if said, err := exec.CommandContext(ctx, p.mpicc, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", p.mpicc, strings.Join(args, " "), err, said)
	}
	return nil
}

// Run runs the program on ranks ranks over "shm", which is what it chooses
// within a host, or "tcp", with cores cores to share, and returns what it
// printed. The error has what it said on standard error.
//
// A program that has measured everything and then does not end is ended, and its
// output stands: MPICH over UCX's tcp hangs in MPI_Finalize now and then.
func (p *Peer) Run(ctx context.Context, transport string, ranks, cores int, args []string) (string, error) {
	flags, env := p.settings(transport, ranks, cores)
	args = slices.Concat(flags, []string{"-n", fmt.Sprint(ranks), p.program}, args)
	running, end := context.WithTimeoutCause(ctx, longest, fmt.Errorf("it did not end within %v", longest))
	defer end()
	cmd := exec.CommandContext(running, p.mpirun, args...)
	cmd.Env = append(os.Environ(), env...)
	// Asked to end, mpirun takes its ranks along.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	var said strings.Builder
	out := &transcript{grace: grace, overdue: end}
	cmd.Stdout, cmd.Stderr = out, &said
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case err != nil && out.stop():
		return out.String(), nil
	case err == nil:
		out.stop()
		return out.String(), nil
	}
	if cause := context.Cause(running); cause != nil {
		err = cause
	}
	return "", fmt.Errorf("%s %s: %w\n%s", p.mpirun, strings.Join(args, " "), err, strings.TrimSpace(out.String()+said.String()))
}

const (
	longest = 15 * time.Minute // that a run may take
	grace   = 3 * time.Second  // from a program's last word to its end
)

// A transcript is what a program prints. After a line "end" it has grace to end,
// and then is overdue.
type transcript struct {
	grace   time.Duration
	overdue func()

	strings.Builder
	timer *time.Timer
	late  atomic.Bool
}

func (t *transcript) Write(b []byte) (int, error) {
	n, err := t.Builder.Write(b)
	if t.timer == nil && strings.HasSuffix("\n"+t.String(), "\nend\n") {
		t.timer = time.AfterFunc(t.grace, func() {
			t.late.Store(true)
			t.overdue()
		})
	}
	return n, err
}

// stop stops the waiting and reports whether the program was overdue.
func (t *transcript) stop() bool {
	if t.timer != nil {
		t.timer.Stop()
	}
	return t.late.Load()
}

// settings are the flags and variables under which the peer is at its best:
// bound to cores if each rank has one; where ranks share cores, Open MPI yields
// when it is idle, and MPICH, which has no such setting, is as it comes. As root
// Open MPI wants to be told that this is meant.
func (p *Peer) settings(transport string, ranks, cores int) (flags, env []string) {
	crowded := ranks > cores
	switch p.Name {
	case "openmpi":
		env = []string{"OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"}
		if crowded {
			flags = []string{"--oversubscribe", "--bind-to", "none", "--mca", "mpi_yield_when_idle", "1"}
		} else {
			flags = []string{"--bind-to", "core"}
		}
		if transport == "tcp" {
			flags = append(flags, "--mca", "btl", "tcp,self")
		}
	case "mpich":
		if !crowded {
			flags = []string{"-bind-to", "core"}
		}
		if transport == "tcp" {
			// NOLOCAL alone is not enough: UCX then takes its own shared memory.
			env = []string{"MPIR_CVAR_NOLOCAL=1", "UCX_TLS=tcp,self"}
		}
	}
	return flags, env
}
