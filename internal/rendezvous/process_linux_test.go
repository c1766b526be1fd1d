package rendezvous_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
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

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/rank"
)

// programVariable in the environment makes the test binary a rank's program.
const programVariable = "RENDEZVOUS_TEST_PROGRAM"

func TestMain(m *testing.M) {
	switch name := os.Getenv(programVariable); name {
	case "":
	case "pmi1":
		if err := pmi1(); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	default:
		rank.Run(func(ctx context.Context, c *rank.Comm) error { return programs[name](ctx, c) })
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// programs are what ranks do. Rank 0 prints what is to be seen.
var programs = map[string]func(context.Context, *rank.Comm) error{
	"sum":  sum,
	"hang": hang,
	"patience": func(ctx context.Context, c *rank.Comm) error { // computes until it finds a file
		if err := sum(ctx, c); err != nil {
			return err
		}
		fmt.Printf("pid %d is rank %d\n", os.Getpid(), c.Rank())
		for {
			if _, err := os.Stat(os.Getenv("RENDEZVOUS_TEST_FILE")); err == nil {
				return sum(ctx, c)
			}
			time.Sleep(10 * time.Millisecond)
		}
	},
	"fail": func(ctx context.Context, c *rank.Comm) error {
		if c.Rank() == c.Size()-1 {
			return errors.New("it was too hard")
		}
		return hang(ctx, c)
	},
	"abort": func(ctx context.Context, c *rank.Comm) error {
		if c.Rank() == 0 {
			c.Abort(7, "no more")
		}
		return hang(ctx, c)
	},
	"exit": func(ctx context.Context, c *rank.Comm) error {
		if c.Rank() == 1 {
			os.Exit(0)
		}
		return hang(ctx, c)
	},
	"leftover": func(ctx context.Context, c *rank.Comm) error {
		if c.Rank() == 1 {
			return rank.Send(ctx, c, 0, 9, []byte{1, 2, 3})
		}
		return nil
	},
}

// hang waits for a message that nobody sends.
func hang(ctx context.Context, c *rank.Comm) error {
	if err := sum(ctx, c); err != nil {
		return err
	}
	fmt.Printf("pid %d is rank %d\n", os.Getpid(), c.Rank())
	_, err := rank.Recv(ctx, c, rank.AnySource, 1, make([]byte, 1))
	return err
}

// sum adds up over all ranks, which takes links between many of them.
func sum(ctx context.Context, c *rank.Comm) error {
	x := []float64{float64(c.Rank() + 1), 1}
	if err := collectives.AllReduce(ctx, c, x, collectives.Sum); err != nil {
		return err
	}
	n := float64(c.Size())
	if x[0] != n*(n+1)/2 || x[1] != n {
		return fmt.Errorf("rank %d: the sum is %v, want %v and %v", c.Rank(), x, n*(n+1)/2, n)
	}
	for r := range c.Size() { // and a link between every two
		if r != c.Rank() {
			got := make([]int32, 1)
			if _, err := rank.SendRecv(ctx, c, r, 3, []int32{int32(c.Rank())}, r, 3, got); err != nil || got[0] != int32(r) {
				return fmt.Errorf("rank %d hears %d from rank %d: %v", c.Rank(), got[0], r, err)
			}
		}
	}
	if c.Rank() == 0 {
		var hosts []string
		for r := range c.Size() {
			hosts = append(hosts, c.Host(r))
		}
		fmt.Printf("the sum of %d is right, on %s\n", c.Size(), strings.Join(hosts, " "))
	}
	return nil
}

// process is one rank's.
type process struct {
	cmd  *exec.Cmd
	done chan error

	mu  sync.Mutex
	out bytes.Buffer // both streams
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.Write(b)
}

func (p *process) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// run starts cmd. It is killed when the test ends.
func run(t testing.TB, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{cmd: cmd, done: make(chan error, 1)}
	cmd.Stdout, cmd.Stderr = p, p
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.done <- cmd.Wait() }()
	t.Cleanup(func() {
		cmd.Process.Kill()
		p.wait(t)
	})
	return p
}

// wait returns the exit code: 128 + n for signal n.
func (p *process) wait(t testing.TB) int {
	t.Helper()
	select {
	case err := <-p.done:
		p.done <- err
	case <-time.After(60 * time.Second):
		t.Fatalf("%v does not end; it said %q", p.cmd, p.text())
	}
	status := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

// job is n processes that know rank 0's address, as pods do.
type job struct {
	t       testing.TB
	program string
	n       int
	address string
	token   string // file
	secret  string // what is in it
	ranks   []*process
}

// until waits until every rank has said text.
func (j *job) until(text string) {
	j.t.Helper()
	for r, p := range j.ranks {
		poll(j.t, fmt.Sprintf("rank %d says %q", r, text), p.text, func() bool { return strings.Contains(p.text(), text) })
	}
}

// poll waits until a condition holds.
func poll(t testing.TB, what string, state func() string, holds func() bool) {
	t.Helper()
	for begin := time.Now(); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Since(begin) > 30*time.Second {
			t.Fatalf("after 30 s still not: %s; %s", what, state())
		}
	}
}

// all is what all ranks have said.
func (j *job) all() string {
	var b strings.Builder
	for _, p := range j.ranks {
		b.WriteString(p.text())
	}
	return b.String()
}

// lines returns the lines of text that begin so.
func lines(text, begin string) (found []string) {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, begin) {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}

// pod returns the environment of pod r of n that find rank 0 at address.
func pod(t testing.TB, program, address, tokenFile string, r, n int) []string {
	t.Helper()
	env := slices.DeleteFunc(os.Environ(), func(kv string) bool {
		return strings.HasPrefix(kv, "SLURM") || strings.HasPrefix(kv, "PMI") || strings.HasPrefix(kv, "MUSTER_")
	})
	return append(env, programVariable+"="+program, "MUSTER_RENDEZVOUS="+address, "MUSTER_TOKEN_FILE="+tokenFile,
		fmt.Sprint("MUSTER_SIZE=", n), fmt.Sprint("JOB_COMPLETION_INDEX=", r), "MUSTER_START_TIMEOUT=30s", "GOTRACEBACK=none")
}

func token(t testing.TB) (path, secret string) {
	t.Helper()
	secret = hex.EncodeToString([]byte(t.Name() + "0123456789abcdef"))
	path = filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, secret
}

// prepare makes a job of n ranks over loopback, none of which runs yet.
func prepare(t testing.TB, program string, n int) *job {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Skipf("no TCP over loopback: %v", err)
	}
	defer l.Close()
	j := &job{t: t, program: program, n: n, address: l.Addr().String()}
	j.token, j.secret = token(t)
	return j
}

// add runs the next rank.
func (j *job) add(env ...string) {
	j.t.Helper()
	cmd := exec.Command(self(j.t))
	cmd.Env = append(pod(j.t, j.program, j.address, j.token, len(j.ranks), j.n), env...)
	j.ranks = append(j.ranks, run(j.t, cmd))
}

// start runs the program as n ranks over loopback.
func start(t testing.TB, program string, n int, env ...string) *job {
	t.Helper()
	j := prepare(t, program, n)
	for range n {
		j.add(env...)
	}
	return j
}

func self(t testing.TB) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestProcessesWithoutLauncherAreAJob(t *testing.T) {
	for _, n := range []int{2, 5} {
		j := start(t, "sum", n)
		for r, p := range j.ranks {
			if code := p.wait(t); code != 0 {
				t.Errorf("rank %d of %d exits with %d: %s", r, n, code, p.text())
			}
		}
		if want := fmt.Sprintf("the sum of %d is right", n); !strings.Contains(j.all(), want) {
			t.Errorf("%d ranks say %q, want %q", n, j.all(), want)
		}
	}
}

func TestTheDeathOfARankEndsAllWithinASecond(t *testing.T) {
	for _, victim := range []int{0, 1, 3} {
		j := start(t, "hang", 4)
		j.until("pid ")
		begin := time.Now()
		j.ranks[victim].cmd.Process.Kill()
		for r, p := range j.ranks {
			want := 71
			if r == victim {
				want = 137
			}
			if code := p.wait(t); code != want {
				t.Errorf("rank %d was killed; rank %d exits with %d, want %d: %s", victim, r, code, want, p.text())
			}
		}
		if d := time.Since(begin); d > time.Second {
			t.Errorf("rank %d was killed; the others end after %v, want within a second", victim, d)
		}
		named := lines(j.all(), "muster: ")
		want := fmt.Sprintf("pid %d) ended without leaving the job", j.ranks[victim].cmd.Process.Pid)
		if len(named) != 1 || !strings.Contains(named[0], fmt.Sprintf("rank %d (host ", victim)) || !strings.Contains(named[0], want) {
			t.Errorf("rank %d was killed; said: %q; want one line that names it", victim, named)
		}
	}
}

func TestHowARankEndsIsSaidOnce(t *testing.T) {
	for _, c := range []struct {
		program string
		codes   []int
		line    string
	}{
		{"fail", []int{1, 1, 1}, "rank 2 (host %s, pid %d) aborted the job: it was too hard"},
		{"abort", []int{7, 7, 7}, "rank 0 (host %s, pid %d) aborted the job: no more"},
		{"exit", []int{71, 0, 71}, "rank 1 (host %s, pid %d) ended without leaving the job"},
	} {
		j := start(t, c.program, 3)
		for r, p := range j.ranks {
			if code := p.wait(t); code != c.codes[r] {
				t.Errorf("%s: rank %d exits with %d, want %d: %s", c.program, r, code, c.codes[r], p.text())
			}
		}
		host, _ := os.Hostname()
		var who int
		fmt.Sscanf(c.line, "rank %d", &who)
		want := "muster: " + fmt.Sprintf(c.line, host, j.ranks[who].cmd.Process.Pid)
		if said := lines(j.all(), "muster: "); len(said) != 1 || said[0] != want {
			t.Errorf("%s: said %q, want %q", c.program, said, want)
		}
	}
}

func TestLeftoversAreSaidWithoutALauncher(t *testing.T) {
	j := start(t, "leftover", 2)
	for _, p := range j.ranks {
		if code := p.wait(t); code != 0 {
			t.Errorf("exit code %d: %s", code, p.text())
		}
	}
	if want := "muster: rank 0 left without completing: message never received: from 1 to 0, tag 9, 3 bytes"; !strings.Contains(j.ranks[0].text(), want) {
		t.Errorf("rank 0 says %q, want %q", j.ranks[0].text(), want)
	}
}

func TestAWrongTokenGetsNobodyIn(t *testing.T) {
	j := prepare(t, "sum", 3)
	j.add()
	j.add()
	path := filepath.Join(t.TempDir(), "wrong")
	if err := os.WriteFile(path, []byte(strings.Repeat("wrong", 10)), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self(t))
	cmd.Env = append(pod(t, "sum", j.address, path, 2, 3), "MUSTER_START_TIMEOUT=1s")
	wrong := run(t, cmd)
	if code := wrong.wait(t); code != 1 || !strings.Contains(wrong.text(), "it says that it belongs to job ") || !strings.Contains(wrong.text(), ", this is job ") {
		t.Errorf("a process with another token exits with %d: %s", code, wrong.text())
	}
	j.add() // and the job goes on
	for r, p := range j.ranks {
		if code := p.wait(t); code != 0 {
			t.Errorf("rank %d exits with %d: %s", r, code, p.text())
		}
	}
}

// A rank that computes, or is stopped, is alive, for however long.
func TestAStoppedRankIsNotTakenForDead(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seven seconds")
	}
	file := filepath.Join(t.TempDir(), "go")
	j := start(t, "patience", 3, "RENDEZVOUS_TEST_FILE="+file)
	j.until("pid ")
	for _, r := range []int{0, 1} {
		j.ranks[r].cmd.Process.Signal(syscall.SIGSTOP)
	}
	time.Sleep(6 * time.Second) // longer than an unreachable host has
	for _, r := range []int{0, 1} {
		j.ranks[r].cmd.Process.Signal(syscall.SIGCONT)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for r, p := range j.ranks {
		if code := p.wait(t); code != 0 {
			t.Errorf("rank %d exits with %d: %s", r, code, p.text())
		}
	}
}

// Each rank listens on one port of one address, and the secret is in no environment or
// command line.
func TestWhatOthersSeeOfARank(t *testing.T) {
	j := start(t, "hang", 3)
	j.until("pid ")
	for r, p := range j.ranks {
		pid := p.cmd.Process.Pid
		list := listeners(t, pid)
		if len(list) != 1 || !list[0].Addr().IsLoopback() {
			t.Errorf("rank %d listens on %v, want one port on loopback", r, list)
		}
		for _, name := range []string{"environ", "cmdline"} {
			b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(b, []byte(j.secret)) {
				t.Errorf("rank %d's %s holds the token", r, name)
			}
		}
	}
}

// listeners returns the ports that a process listens on.
func listeners(t testing.TB, pid int) (list []netip.AddrPort) {
	t.Helper()
	inodes := make(map[string]bool)
	links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, l := range links {
		if target, err := os.Readlink(l); err == nil {
			if inode, ok := strings.CutPrefix(target, "socket:["); ok {
				inodes[strings.TrimSuffix(inode, "]")] = true
			}
		}
	}
	for _, name := range []string{"tcp", "tcp6"} {
		table, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, name))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(table)) {
			f := strings.Fields(line)
			if len(f) < 10 || f[3] != "0A" || !inodes[f[9]] {
				continue
			}
			host, port, _ := strings.Cut(f[1], ":")
			b, err := hex.DecodeString(host)
			n, err2 := strconv.ParseUint(port, 16, 16)
			if err != nil || err2 != nil {
				t.Fatalf("%q is no address", f[1])
			}
			for i := 0; i < len(b); i += 4 {
				binary.BigEndian.PutUint32(b[i:], binary.LittleEndian.Uint32(b[i:]))
			}
			a, _ := netip.AddrFromSlice(b)
			list = append(list, netip.AddrPortFrom(a, uint16(n)))
		}
	}
	return list
}
