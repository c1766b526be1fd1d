package rendezvous_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-mpi/muster/internal/rendezvous"
	"github.com/muster-mpi/muster/internal/testbed"
)

// pods runs the program as ranks that find rank 0 at the address, rank i on host
// hosts[i] of the bed.
func pods(t testing.TB, bed *testbed.Net, program, address string, hosts ...int) *job {
	t.Helper()
	j := &job{t: t, program: program, n: len(hosts), address: address}
	j.token, j.secret = token(t)
	for r, h := range hosts {
		cmd := bed.Command(h, self(t))
		cmd.Env = pod(t, program, address, j.token, r, j.n)
		j.ranks = append(j.ranks, run(t, cmd))
	}
	return j
}

// well checks that all ranks end well.
func (j *job) well() {
	j.t.Helper()
	for r, p := range j.ranks {
		if code := p.wait(j.t); code != 0 {
			j.t.Errorf("rank %d exits with %d: %s", r, code, p.text())
		}
	}
}

func TestPodsOnSeveralHostsAreAJob(t *testing.T) {
	bed := testbed.Namespaces(t, 3)
	table := filepath.Join(bed.Dir(), "hosts")
	text, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	// A name of two addresses, one of which leads nowhere.
	text = fmt.Appendf(text, "%v twin\n%v twin\n", bed.Address(99), bed.Address(1))
	if err := os.WriteFile(table, text, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"h1:7777", "h1-v6:7777", "twin:7777", bed.Address(1).String() + ":7777"} {
		j := pods(t, bed, "sum", address, 1, 2, 2, 3, 1)
		begin := time.Now()
		j.well()
		if d := time.Since(begin); d > 2*time.Second {
			t.Errorf("rank 0 at %s: it took %v", address, d)
		}
		if want := "the sum of 5 is right, on h1 h2 h2 h3 h1\n"; !strings.Contains(j.all(), want) {
			t.Errorf("rank 0 at %s: %q, want %q", address, j.all(), want)
		}
	}
}

func TestRankZeroWhoseNameMeansNothingIsNamed(t *testing.T) {
	bed := testbed.Namespaces(t, 1)
	cmd := bed.Command(1, self(t))
	path, _ := token(t)
	cmd.Env = append(pod(t, "sum", "nowhere:7777", path, 1, 2), "MUSTER_START_TIMEOUT=500ms")
	p := run(t, cmd)
	if code := p.wait(t); code != 1 || !strings.Contains(p.text(), "rank 1 of 2 cannot reach rank 0: lookup nowhere") {
		t.Errorf("exit code %d: %s", code, p.text())
	}
}

// Nobody listens on all addresses, and what listens is the ranks', one port each.
func TestPodsListenWhereOthersReachThem(t *testing.T) {
	bed := testbed.Namespaces(t, 2)
	before := [][]string{nil, ports(bed, 1), ports(bed, 2)}
	j := pods(t, bed, "hang", "h1:7777", 1, 2, 2)
	j.until("pid ")
	for h, want := range [][]string{nil, {"10.77.0.2:7777"}, {"10.77.0.3:7777", "10.77.0.3:"}} {
		if h == 0 {
			continue
		}
		var own []string
		for _, p := range ports(bed, h) {
			if !slices.Contains(before[h], p) {
				own = append(own, p)
			}
		}
		if len(own) != len(want) || !slices.ContainsFunc(own, func(p string) bool { return p == want[0] }) ||
			slices.ContainsFunc(own, func(p string) bool { return !strings.HasPrefix(p, strings.TrimSuffix(want[0], "7777")) }) {
			t.Errorf("ranks on host %d listen on %v, want %v", h, own, want)
		}
	}
}

func ports(bed *testbed.Net, host int) (list []string) {
	for _, p := range bed.Listeners(host) {
		list = append(list, p.String())
	}
	return list
}

// within checks that the ranks have ended by then with the exit code, but for those
// that are excepted.
func (j *job) within(begin time.Time, limit time.Duration, code int, but ...int) {
	j.t.Helper()
	for r, p := range j.ranks {
		if slices.Contains(but, r) {
			continue
		}
		if got := p.wait(j.t); got != code {
			j.t.Errorf("rank %d exits with %d, want %d: %s", r, got, code, p.text())
		}
	}
	if d := time.Since(begin); d > limit {
		j.t.Errorf("it took %v, want at most %v", d, limit)
	}
}

func TestAHostThatIsCutOffIsFoundOut(t *testing.T) {
	for _, c := range []struct {
		name  string
		cut   int // host
		crash bool
		lines int    // said by the others
		said  string // in each
	}{
		{"partition of a host", 3, false, 1, "rank 3 (host h3, pid %d) is not reached any more: its host has been silent for 4s"},
		{"crash of a host", 3, true, 1, "rank 3 (host h3, pid %d) is not reached any more: its host has been silent for 4s"},
		{"partition of rank 0's host", 1, false, 2, "rank 0 (host h1, pid %d) is not reached any more: its host has been silent for 4s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			bed := testbed.Namespaces(t, 3)
			j := pods(t, bed, "hang", "h1:7777", 1, 2, 2, 3)
			j.until("pid ")
			begin := time.Now()
			var but []int
			if c.crash {
				bed.Crash(c.cut)
				but = []int{3}
			} else {
				bed.Partition(c.cut)
			}
			j.within(begin, 6*time.Second, 71, but...)
			who := map[int]int{1: 0, 3: 3}[c.cut]
			want := fmt.Sprintf(c.said, j.ranks[who].cmd.Process.Pid)
			var said []string
			for r, p := range j.ranks {
				if r != who {
					said = append(said, lines(p.text(), "muster: ")...)
				}
			}
			if len(said) != c.lines || slices.ContainsFunc(said, func(s string) bool { return !strings.Contains(s, want) }) {
				t.Errorf("the others say %q, want %d lines with %q", said, c.lines, want)
			}
		})
	}
}

// srun runs the program as a step and returns its exit code and what it printed.
func srun(t testing.TB, c *testbed.Cluster, program string, args ...string) (int, string) {
	t.Helper()
	p := step(t, c, program, args...)
	return p.wait(t), p.text()
}

func step(t testing.TB, c *testbed.Cluster, program string, args ...string) *process {
	t.Helper()
	cmd := c.Command(append(append([]string{"srun", "--time=1", "--kill-on-bad-exit=0"}, args...), self(t))...)
	cmd.Env = append(cmd.Env, programVariable+"="+program, "GOTRACEBACK=none")
	return run(t, cmd)
}

func TestSlurmStepsAreJobs(t *testing.T) {
	c := testbed.SlurmOn(t, testbed.Namespaces(t, 3))
	for _, s := range []struct {
		args []string
		on   string
	}{
		{[]string{"--mpi=pmi2", "-N3", "-n5", "-m", "block"}, "h1 h1 h2 h2 h3"},
		{[]string{"--mpi=pmi2", "-N2", "-n4", "-m", "cyclic", "--nodelist=h1,h2"}, "h1 h2 h1 h2"},
		{[]string{"--mpi=pmi2", "-N1", "-n2", "--nodelist=h1"}, "h1 h1"},
		{[]string{"--mpi=pmi2", "-N1", "-n1"}, ""},
	} {
		code, out := srun(t, c, "sum", s.args...)
		want := fmt.Sprintf("the sum of %d is right, on %s\n", strings.Count(s.on, " ")+1, s.on)
		if s.on == "" {
			want = "the sum of 1 is right, on "
		}
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("srun %v exits with %d and says %q, want %q", s.args, code, out, want)
		}
	}
	code, out := srun(t, c, "pmi1", "--mpi=pmi2", "-N2", "-n4")
	if code != 0 || strings.Count(out, "got what rank 0 has put") != 4 {
		t.Errorf("version 1 of PMI: srun exits with %d and says %q", code, out)
	}
	logs, err := filepath.Glob(filepath.Join(filepath.Dir(c.Conf()), "*.log"))
	if err != nil || len(logs) < 3 {
		t.Fatalf("%d logs of Slurm's daemons: %v", len(logs), err)
	}
	for _, l := range logs {
		if b, err := os.ReadFile(l); err != nil || bytes.Contains(b, []byte("muster-rendezvous")) {
			t.Errorf("%s tells of the meeting, or cannot be read: %v", l, err)
		}
	}
}

func TestSlurmStepsWithoutPMISayWhatToDo(t *testing.T) {
	c := testbed.Slurm(t, 2, 2)
	code, out := srun(t, c, "sum", "--mpi=none", "-N2", "-n4")
	if code == 0 || strings.Contains(out, "is right") || strings.Count(out, "use `srun --mpi=pmi2 PROGRAM`, or `muster run PROGRAM` in the allocation") != 4 {
		t.Errorf("srun --mpi=none exits with %d and says %q", code, out)
	}
	cmd := c.Command("srun", "--time=1", "--mpi=none", "-N2", "-n2", self(t))
	cmd.Env = append(cmd.Env, programVariable+"=sum", "MUSTER_ALONE=1")
	p := run(t, cmd)
	if code := p.wait(t); code != 0 || strings.Count(p.text(), "the sum of 1 is right") != 2 {
		t.Errorf("with MUSTER_ALONE=1 it exits with %d and says %q", code, p.text())
	}
}

func TestTheDeathOfARankEndsAStep(t *testing.T) {
	c := testbed.SlurmOn(t, testbed.Namespaces(t, 2))
	p := step(t, c, "hang", "--mpi=pmi2", "-N2", "-n4")
	poll(t, "all ranks have begun", p.text, func() bool { return len(lines(p.text(), "pid ")) == 4 })
	var pid int
	for _, line := range lines(p.text(), "pid ") {
		var n, r int
		if fmt.Sscanf(line, "pid %d is rank %d", &n, &r); r == 2 {
			pid = n
		}
	}
	begin := time.Now()
	victim, err := os.FindProcess(pid)
	if err != nil || victim.Kill() != nil {
		t.Fatalf("rank 2 is process %d: %v", pid, err)
	}
	poll(t, "the ranks have ended", p.text, func() bool {
		return !slices.ContainsFunc(c.Net().Processes(), func(q testbed.Process) bool { return slices.Equal(q.Args, []string{self(t)}) })
	})
	if d := time.Since(begin); d > time.Second {
		t.Errorf("the others have ended after %v, want within a second", d)
	}
	if code := p.wait(t); code == 0 {
		t.Error("srun exits with 0")
	}
	want := fmt.Sprintf("muster: rank 2 (host h2, pid %d) ended without leaving the job", pid)
	if said := lines(p.text(), "muster: "); len(said) != 1 || said[0] != want {
		t.Errorf("the ranks say %q, want %q", said, want)
	}
}

func TestATaskThatDoesNotJoinIsNotWaitedForForEver(t *testing.T) {
	c := testbed.Slurm(t, 1, 2)
	cmd := c.Command("srun", "--time=1", "--mpi=pmi2", "--kill-on-bad-exit=1", "-n2", "sh", "-c", "[ $SLURM_PROCID = 0 ] && exec sleep 50; exec "+self(t))
	cmd.Env = append(cmd.Env, programVariable+"=sum", "MUSTER_START_TIMEOUT=1s")
	p := run(t, cmd)
	if code := p.wait(t); code == 0 || !strings.Contains(p.text(), "not all of the 2 processes of Slurm step") || !strings.Contains(p.text(), "within 1s (MUSTER_START_TIMEOUT)") {
		t.Errorf("srun exits with %d and says %q", code, p.text())
	}
}

func TestRanksOfHydraAreAJob(t *testing.T) {
	mpiexec, err := exec.LookPath("mpiexec.hydra")
	if err != nil {
		t.Skip("this test wants mpiexec.hydra: apt-get install mpich")
	}
	cmd := exec.Command(mpiexec, "-n", "3", self(t))
	cmd.Env = append(os.Environ(), programVariable+"=sum")
	p := run(t, cmd)
	if code := p.wait(t); code != 0 || !strings.Contains(p.text(), "the sum of 3 is right") {
		t.Errorf("%v exits with %d and says %q", cmd, code, p.text())
	}
}

// pmi1 exchanges by version 1 of PMI.
func pmi1() error {
	got, err := rendezvous.Exchange(1, "a/b:c")
	if err == nil && got != "a/b:c" {
		err = errors.New("got " + got)
	}
	if err == nil {
		fmt.Println("got what rank 0 has put")
	}
	return err
}
