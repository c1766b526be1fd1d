package chaos

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/muster-mpi/muster/internal/boot"
	"github.com/muster-mpi/muster/internal/testbed"
	"github.com/muster-mpi/muster/launcher"
)

// field is where jobs are broken: a hub, where launchers run, and four hosts around it.
type field struct {
	t        *testing.T
	bed      *testbed.Net
	tmp      string // TMPDIR of the hub
	self     string // this program
	exchange string // launcher/testdata/exchange
	before   []string
}

func newField(t *testing.T) *field {
	f := &field{t: t, bed: testbed.Namespaces(t, 4), tmp: t.TempDir()}
	programs := t.TempDir()
	f.exchange = build(t, programs, "../../launcher/testdata/exchange")
	var err error
	if f.self, err = os.Executable(); err != nil {
		t.Fatal(err)
	}
	// Orphans come to this process, so that none stays a zombie. See settle.
	const prSetChildSubreaper = 36
	if _, _, e := syscall.RawSyscall(syscall.SYS_PRCTL, prSetChildSubreaper, 1, 0); e != 0 {
		t.Fatal(e)
	}
	// The programs are on all hosts from now on, and in the page cache.
	j, err := f.start(order{Argv: []string{f.exchange, "-rounds=1"}, Ranks: 4, Hosts: f.bed.Hosts()})
	if err == nil {
		err = j.wait(time.Minute)
	}
	if err != nil {
		t.Fatal(err)
	}
	if code := j.code(); code != 0 {
		t.Fatalf("a job that nobody harms: exit code %d\n%s", code, j.stderr)
	}
	f.settle(10 * time.Second)
	f.before = f.inventory()
	return f
}

// inventory lists what a job could leave on the hosts: files, sockets that listen or have
// a name, how many others, and shared memory with a name.
func (f *field) inventory() []string {
	var list []string
	for i := range len(f.bed.Hosts()) + 1 {
		proc := f.bed.Proc(i)
		for _, dir := range []string{proc + "/root/dev/shm", proc + "/root/run", f.bed.Home(i)} {
			filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
				if err == nil {
					list = append(list, fmt.Sprintf("host %d has %s", i, strings.TrimPrefix(path, proc+"/root")))
				}
				return nil
			})
		}
		for _, at := range f.bed.Listeners(i) {
			list = append(list, fmt.Sprintf("host %d listens at %v", i, at))
		}
		table, err := os.ReadFile(proc + "/net/unix")
		if err != nil {
			f.t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(string(table)), "\n")
		list = append(list, fmt.Sprintf("host %d has %d Unix sockets", i, len(lines)-1))
		for _, line := range lines[1:] {
			if at := strings.Fields(line); len(at) > 7 {
				list = append(list, fmt.Sprintf("host %d has the Unix socket %s", i, at[7]))
			}
		}
	}
	filepath.WalkDir(f.tmp, func(path string, _ os.DirEntry, err error) error {
		if err == nil && path != f.tmp {
			list = append(list, path)
		}
		return nil
	})
	slices.Sort(list)
	return list
}

// left returns what is on the hosts that was not there before any job.
func (f *field) left() []string {
	return slices.DeleteFunc(f.inventory(), func(x string) bool {
		_, known := slices.BinarySearch(f.before, x)
		return known
	})
}

// settle returns when no process runs on any host. An error says what is left then, or
// after limit. The first result are processes that ran for long.
func (f *field) settle(limit time.Duration) ([]testbed.Process, error) {
	last, err := f.settleBut(nil, limit)
	if err != nil || f.before == nil {
		return last, err
	}
	for deadline := time.Now().Add(limit); ; time.Sleep(time.Millisecond) {
		left := f.left()
		if len(left) == 0 {
			return last, nil
		}
		if time.Now().After(deadline) {
			return last, fmt.Errorf("this is left: %s", strings.Join(left, "; "))
		}
	}
}

// settleBut returns when only processes run that are to be spared.
func (f *field) settleBut(sparing func(testbed.Process) bool, limit time.Duration) ([]testbed.Process, error) {
	var last []testbed.Process
	begin := time.Now()
	deadline := begin.Add(limit)
	for {
		list := f.bed.Processes()
		if sparing != nil {
			list = slices.DeleteFunc(list, sparing)
		}
		if len(list) == 0 {
			break
		}
		if time.Since(begin) > 500*time.Millisecond {
			last = list
		}
		if time.Now().After(deadline) {
			return list, fmt.Errorf("after %v these processes run: %v", limit, list)
		}
		time.Sleep(time.Millisecond)
	}
	reapOrphans()
	return last, nil
}

// reapOrphans takes note of the ends of what launchers that were killed have left.
func reapOrphans() {
	threads, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		return
	}
	for _, name := range threads {
		text, _ := os.ReadFile(name)
		for pid := range strings.FieldsSeq(string(text)) {
			if n, err := strconv.Atoi(pid); err == nil {
				stat, _ := os.ReadFile("/proc/" + pid + "/stat")
				if end := bytes.LastIndexByte(stat, ')'); end > 0 && bytes.HasPrefix(stat[end:], []byte(") Z")) {
					syscall.Wait4(n, nil, syscall.WNOHANG, nil)
				}
			}
		}
	}
}

// clear ends what a case that failed has left, so that the next is not blamed for it.
func (f *field) clear() {
	for i := range f.bed.Hosts() {
		f.bed.Heal(i + 1)
	}
	for range 100 {
		list := f.bed.Processes()
		for _, p := range list {
			syscall.Kill(p.PID, syscall.SIGKILL)
		}
		if len(list) == 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	reapOrphans()
	f.before = f.inventory()
}

// job is a launcher that runs in the hub.
type job struct {
	f              *field
	order          order
	cmd            *exec.Cmd
	stdout, stderr *heard
	ended          chan struct{}
	end            time.Time // when ended was closed
}

func (f *field) start(o order) (*job, error) { return f.startTo(nil, o) }

// startTo starts a job whose output goes to w, if that is not nil.
func (f *field) startTo(w io.Writer, o order) (*job, error) {
	o.Report = filepath.Join(f.bed.Dir(), "report.json")
	os.Remove(o.Report)
	text, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	return f.run(o, w, nil, f.self, "launch", string(text))
}

// run starts any launcher in the hub.
func (f *field) run(o order, w io.Writer, env []string, argv ...string) (*job, error) {
	j := &job{f: f, order: o, cmd: f.bed.Command(0, argv...), stdout: newHeard(), stderr: newHeard(), ended: make(chan struct{})}
	j.cmd.Env = append(append(j.cmd.Env, "TMPDIR="+f.tmp), env...)
	j.cmd.Stdout, j.cmd.Stderr = j.stdout, j.stderr
	if w != nil {
		j.cmd.Stdout = w
	}
	j.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	j.cmd.WaitDelay = 5 * time.Second
	if err := j.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		j.cmd.Wait() // the error is the exit code, or that a stray holds a pipe
		j.end = time.Now()
		close(j.ended)
	}()
	return j, nil
}

// wait returns when the launcher has ended.
func (j *job) wait(limit time.Duration) error {
	select {
	case <-j.ended:
		return nil
	case <-time.After(limit):
		return fmt.Errorf("the job does not end within %v\n%s", limit, j.stderr)
	}
}

// await returns when the job has printed text, on standard output or as an error.
func (j *job) await(h *heard, text string, limit time.Duration) error {
	deadline := time.After(limit)
	for !strings.Contains(h.String(), text) {
		select {
		case <-h.news:
		case <-j.ended:
			if strings.Contains(h.String(), text) {
				return nil
			}
			return fmt.Errorf("the job ends with code %d and without %q\n%s%s", j.code(), text, j.stdout, j.stderr)
		case <-deadline:
			return fmt.Errorf("no %q within %v\n%s%s", text, limit, j.stdout, j.stderr)
		}
	}
	return nil
}

// code is the exit code as a shell has it, once the job has ended.
func (j *job) code() int {
	if ws, ok := j.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return j.cmd.ProcessState.ExitCode()
}

// failed checks that the job has ended with this code, one banner that begins with this
// cause, and a report that says the same.
func (j *job) failed(code int, cause string) (*launcher.Failure, error) {
	all := j.stderr.String()
	var problems []error
	if got := j.code(); got != code {
		problems = append(problems, fmt.Errorf("exit code %d, want %d", got, code))
	}
	if n := strings.Count(all, banner); n != 1 {
		problems = append(problems, fmt.Errorf("%d banners, want 1", n))
	}
	_, rest, _ := strings.Cut(all, banner)
	if line, _, _ := strings.Cut(rest, "\n"); !strings.Contains(line, cause) {
		problems = append(problems, fmt.Errorf("the banner does not say %q", cause))
	}
	var r launcher.Result
	text, err := os.ReadFile(j.order.Report)
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	switch {
	case err != nil:
		problems = append(problems, fmt.Errorf("report: %w", err))
	case r.Failure == nil || r.Code != code || r.Failure.Time.IsZero():
		problems = append(problems, fmt.Errorf("the report has code %d, failure %+v", r.Code, r.Failure))
	default:
		if r.Failure.Rank >= 0 {
			x := r.Ranks[r.Failure.Rank]
			if x.PID == 0 || r.Failure.Host != x.Host {
				problems = append(problems, fmt.Errorf("the report has failure %+v of rank %+v", r.Failure, x))
			}
		}
		if n := len(r.Survivors); n > 0 {
			problems = append(problems, fmt.Errorf("processes %v survive", r.Survivors))
		}
	}
	if len(problems) > 0 {
		return r.Failure, fmt.Errorf("%w\nstandard error:\n%s", errors.Join(problems...), all)
	}
	return r.Failure, nil
}

// banner is in the first line of every account of a failed job, and nowhere else.
const banner = " FAILED after "

// rankProcess is a process of a rank.
type rankProcess struct {
	rank, pid int
	host      int // of the bed
}

// ranks returns the processes that hold a rank by now, told by this variable.
func (f *field) ranks(variable string) []rankProcess {
	found := make(map[int]rankProcess)
	for _, p := range f.bed.Processes() {
		env, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", p.PID))
		for kv := range strings.SplitSeq(string(env), "\x00") {
			if value, ok := strings.CutPrefix(kv, variable+"="); ok {
				if n, err := strconv.Atoi(value); err == nil {
					found[n] = rankProcess{n, p.PID, p.Host}
				}
			}
		}
	}
	return slices.SortedFunc(maps.Values(found), func(a, b rankProcess) int { return a.rank - b.rank })
}

// awaitRanks returns once at least n ranks have processes, or the job has ended.
func (j *job) awaitRanks(n int) ([]rankProcess, error) {
	deadline := time.Now().Add(20 * time.Second)
	for {
		if list := j.f.ranks(boot.EnvRank); len(list) >= n {
			return list, nil
		}
		select {
		case <-j.ended:
			return nil, fmt.Errorf("the job has ended before it had %d ranks\n%s", n, j.stderr)
		default:
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("in 20 s no %d ranks\n%s", n, j.stderr)
		}
		time.Sleep(time.Millisecond)
	}
}

// parent returns the parent of a process; 0 if there is none any more.
func parent(pid int) int {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(f) < 2 {
		return 0
	}
	n, _ := strconv.Atoi(f[1])
	return n
}

// heard is output that may be read while it is written, and knows when a banner came.
type heard struct {
	mu     sync.Mutex
	b      bytes.Buffer
	banner time.Time
	news   chan struct{}
}

func newHeard() *heard { return &heard{news: make(chan struct{}, 1)} }

func (h *heard) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.b.Write(p)
	if h.banner.IsZero() && bytes.Contains(h.b.Bytes(), []byte(banner)) {
		h.banner = time.Now()
	}
	select {
	case h.news <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (h *heard) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.b.String()
}

func (h *heard) bannerTime() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.banner
}
