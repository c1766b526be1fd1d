package agent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/muster-mpi/muster/internal/boot"
	pb "github.com/muster-mpi/muster/proto"
	"golang.org/x/sys/unix"
)

// spawner starts the ranks of the host. Its goroutine keeps its thread for as
// long as the agent lives: the kernel sends a child the parent-death signal when
// the thread that made it ends, not the process.
type spawner struct {
	h        *host
	null     *os.File
	cores    [][]int
	affinity unix.CPUSet // of the thread when no rank is being started
}

// application is a program of the job as this host runs it.
type application struct {
	*pb.AppRun
	argv, env []string
	dir       string
}

func newApplication(run *pb.AppRun) *application {
	return &application{run, texts(run.GetArgv()), texts(run.GetEnv()), string(run.GetDir())}
}

// texts are what the messages hold as bytes.
func texts(all [][]byte) []string {
	texts := make([]string, len(all))
	for i, b := range all {
		texts[i] = string(b)
	}
	return texts
}

// spawnError is a rank that could not be started.
type spawnError struct {
	rank int
	err  error
	code int // of the job's exit
}

func (s *spawner) run() {
	runtime.LockOSThread()
	err := s.all()
	s.h.post(func() { s.h.onSpawned(err) })
	select {}
}

func (s *spawner) all() *spawnError {
	null, err := os.OpenFile(os.DevNull, os.O_RDONLY, 0)
	if err != nil {
		return &spawnError{rank: -1, err: err, code: ExitSpawn}
	}
	defer null.Close()
	s.null = null
	s.cores, s.affinity = cores(), s.h.affinity
	for _, app := range s.h.apps {
		program, err := s.h.locate(app)
		if err != nil {
			return &spawnError{rank: int(app.GetFirst()), err: err, code: ExitSpawn}
		}
		for i := range app.GetCount() {
			r := s.h.rank(int(app.GetFirst() + i))
			switch err := s.one(r, program); {
			case errors.Is(err, errEnding):
				return nil
			case err != nil:
				return &spawnError{rank: r.rank, err: err, code: ExitSpawn}
			}
		}
	}
	return nil
}

// locate completes the application for this host and returns the path of its
// executable.
func (h *host) locate(app *application) (string, error) {
	for _, f := range app.GetFiles() {
		set := string(f.GetVariable()) + "="
		app.env = append(slices.DeleteFunc(app.env, func(kv string) bool { return strings.HasPrefix(kv, set) }),
			set+h.programs[string(f.GetContent().GetDigest())])
	}
	if app.GetAddEnv() {
		app.env = mergeEnv(os.Environ(), app.env)
	}
	if _, err := os.Stat(app.dir); app.GetDirOptional() && err != nil {
		home, e := os.UserHomeDir()
		if e != nil {
			return "", fmt.Errorf("working directory: %w", err)
		}
		missing := app.dir
		h.post(func() { h.note("%s has no directory %s: its ranks start in %s", h.hostName(), missing, home) })
		app.dir = home
	}
	if p := app.GetProgram(); p != nil {
		return h.programs[string(p.GetDigest())], nil
	}
	return findProgram(app)
}

// mergeEnv returns base with the settings of over, each name once.
func mergeEnv(base, over []string) []string {
	set := make(map[string]bool)
	for _, kv := range over {
		name, _, _ := strings.Cut(kv, "=")
		set[name] = true
	}
	merged := slices.Clone(over)
	for _, kv := range base {
		if name, _, _ := strings.Cut(kv, "="); !set[name] && !slices.Contains(boot.Variables(), name) && name != EnvSocket {
			merged = append(merged, kv)
		}
	}
	return merged
}

// findProgram returns the path of the application's executable.
func findProgram(app *application) (string, error) {
	if len(app.argv) == 0 || app.argv[0] == "" {
		return "", errors.New("no program is named")
	}
	if dir := app.dir; dir != "" {
		if info, err := os.Stat(dir); err != nil {
			return "", fmt.Errorf("working directory: %w", err)
		} else if !info.IsDir() {
			return "", fmt.Errorf("working directory: %s is no directory", dir)
		}
	}
	name := app.argv[0]
	if strings.Contains(name, "/") {
		path := name
		if !filepath.IsAbs(path) {
			path = filepath.Join(app.dir, path)
			if app.dir == "" {
				path = name
			}
		}
		if err := executable(path); err != nil {
			return "", err
		}
		return name, nil // exec runs after the change of directory
	}
	var search string
	for _, kv := range app.env {
		if v, ok := strings.CutPrefix(kv, "PATH="); ok {
			search = v
		}
	}
	var found error
	for _, dir := range filepath.SplitList(search) {
		if !filepath.IsAbs(dir) {
			continue // a program of the working directory is named with a slash
		}
		path := filepath.Join(dir, name)
		err := executable(path)
		if err == nil {
			return path, nil
		}
		if !errors.Is(err, os.ErrNotExist) && found == nil {
			found = err
		}
	}
	if found != nil {
		return "", found
	}
	return "", fmt.Errorf("%s: no such program in PATH; a program of the working directory is ./%s", name, name)
}

func executable(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return fmt.Errorf("%s is a directory", path)
	}
	if err := unix.Faccessat(unix.AT_FDCWD, path, unix.X_OK, unix.AT_EACCESS); err != nil {
		return fmt.Errorf("%s is not executable: %w", path, err)
	}
	return nil
}

// birth is a rank's process and what the agent holds of it.
type birth struct {
	proc     *process
	listener *boot.Listener
	streams  [2]*stream
	stdin    *os.File // nil unless it reads the launcher's input
	cpus     []int    // that it is bound to
	spread   bool     // it begins on a share of the cores; see spread_linux.go
}

// one starts rank r.
func (s *spawner) one(r *rankState, program string) error {
	named := namedCPUs(r)
	if !includes(&s.affinity, named) {
		return fmt.Errorf("it is to be bound to CPUs %v, of which this host lets us use %v", named, cpusOf(&s.affinity))
	}
	var b birth
	var child []*os.File // ends that only the child keeps
	defer func() {
		for _, f := range child {
			f.Close()
		}
	}()
	listener, door, err := boot.Listen()
	if err != nil {
		return err
	}
	b.listener = listener
	child = append(child, door)
	stdin := s.null
	if s.h.readsStdin(r.rank) {
		var w *os.File
		if stdin, w, err = os.Pipe(); err != nil {
			listener.Close()
			return err
		}
		child = append(child, stdin)
		b.stdin = w
	}
	var outputs [2]*os.File
	for i := range outputs {
		var read *os.File
		if read, outputs[i], err = os.Pipe(); err == nil {
			child = append(child, outputs[i])
			b.streams[i], err = newStream(r.rank, i == 1, read, r.credit, s.h.send)
		}
		if err != nil {
			listener.Close()
			return err
		}
	}
	if bind := s.h.start.GetBindCores() || named != nil; bind || s.spreads() {
		cpus := named
		if cpus == nil {
			cpus = place(s.cores, r.local, len(s.h.ranks))
		}
		if unix.SchedSetaffinity(0, cpuSet(cpus)) == nil {
			defer unix.SchedSetaffinity(0, &s.affinity)
			b.spread = !bind
		}
		if bind {
			b.cpus = cpus
		}
	}
	const doorNumber = 3 // after standard input, output and error
	attr := &syscall.ProcAttr{
		Dir: r.app.dir,
		Env: s.h.environment(r, doorNumber),
		// Fd makes the ends blocking, as a program expects them.
		Files: []uintptr{stdin.Fd(), outputs[0].Fd(), outputs[1].Fd(), door.Fd()},
		Sys: &syscall.SysProcAttr{
			Setpgid:   true,
			Pdeathsig: syscall.SIGKILL,
		},
	}
	b.proc, err = s.h.table.start(r.rank, func() (int, error) {
		return syscall.ForkExec(program, r.app.argv, attr)
	})
	if err != nil {
		listener.Close()
		if errors.Is(err, errEnding) {
			return err
		}
		return explainExec(program, err)
	}
	s.h.post(func() { s.h.onStarted(r, b) })
	return nil
}

// namedCPUs are those that the launcher binds rank r to; nil if it leaves that to the
// host.
func namedCPUs(r *rankState) (cpus []int) {
	i := r.rank - int(r.app.GetFirst())
	if i >= len(r.app.GetCpus()) {
		return nil
	}
	for _, cpu := range r.app.GetCpus()[i].GetCpus() {
		cpus = append(cpus, int(cpu))
	}
	return cpus
}

// includes reports whether set has all cpus.
func includes(set *unix.CPUSet, cpus []int) bool {
	return !slices.ContainsFunc(cpus, func(cpu int) bool { return !set.IsSet(cpu) })
}

func cpusOf(set *unix.CPUSet) (cpus []int) {
	for cpu := range len(set) * 64 {
		if set.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	return cpus
}

// explainExec adds what the error number alone does not say.
func explainExec(program string, err error) error {
	if path, e := filepath.EvalSymlinks(program); e == nil && strings.HasPrefix(program, "/proc/") {
		program = path // one of the store is started by way of a descriptor
	}
	switch err {
	case unix.ENOEXEC:
		return fmt.Errorf("%s is no program for this machine (%w)", program, err)
	case unix.ENOENT:
		return fmt.Errorf("%s: its interpreter or loader is missing (%w)", program, err)
	case unix.EAGAIN:
		return fmt.Errorf("%s: the limit of processes is reached (%w; see ulimit -u and the pids cgroup)", program, err)
	}
	return fmt.Errorf("%s: %w", program, err)
}

// environment is the application's, with what a rank has to know.
func (h *host) environment(r *rankState, doorNumber int) []string {
	env := slices.Clone(r.app.env)
	if h.procsPerRank > 0 && !slices.ContainsFunc(env, func(kv string) bool { return strings.HasPrefix(kv, "GOMAXPROCS=") }) {
		env = append(env, "GOMAXPROCS="+strconv.Itoa(h.procsPerRank))
	}
	return append(env,
		boot.EnvControl+"="+strconv.Itoa(doorNumber),
		boot.EnvRank+"="+strconv.Itoa(r.rank),
		boot.EnvSize+"="+strconv.Itoa(int(h.start.GetSize())),
		boot.EnvLocalRank+"="+strconv.Itoa(r.local),
		boot.EnvLocalSize+"="+strconv.Itoa(len(h.ranks)),
		boot.EnvJob+"="+h.jobName,
	)
}

// descriptors is how many descriptors the agent needs for n ranks at most: of
// each its door, connection, pipes and bell, and a link of two descriptors on the
// way to it; and some of its own.
func descriptors(n int) uint64 { return uint64(8*n + 40) }

// checkDescriptors says whether the limit suffices, for as many more besides. The Go
// runtime has raised the soft limit to the hard one already.
func checkDescriptors(n, more int) error {
	var limit unix.Rlimit
	need := descriptors(n) + uint64(more)
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil || limit.Cur >= need {
		return nil
	}
	return fmt.Errorf("%d ranks need %d descriptors in their agent, the limit is %d (ulimit -n)", n, need, limit.Cur)
}
