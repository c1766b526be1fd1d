package launcher

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/muster-mpi/muster/internal/testbed"
)

// ownAgent is this test's program as an agent.
func ownAgent() []string { return []string{os.Args[0], "agent"} }

func examine(t *testing.T, e Exam) Diagnosis {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	e.Agent = ownAgent()
	t.Setenv("TEST_TRIAL", fmt.Sprintf("%s-%d", t.Name(), time.Now().UnixNano()))
	d, err := Examine(ctx, e)
	if err != nil {
		t.Fatal(err)
	}
	assertClean(t, "TEST_TRIAL="+os.Getenv("TEST_TRIAL"))
	return d
}

// testDoctor examines the hosts of its arguments, and prints what it finds.
func testDoctor(names []string) {
	e := Exam{Agent: ownAgent(), Timeout: 4 * time.Second, Shell: strings.Fields(os.Getenv("TEST_SHELL"))}
	for _, name := range names {
		e.Hosts = append(e.Hosts, Host{Name: name, Slots: 1})
	}
	d, err := Examine(context.Background(), e)
	if err != nil {
		die("%v", err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(d); err != nil {
		die("%v", err)
	}
}

// fromHub examines hosts of a bed from its hub.
func fromHub(t *testing.T, b *testbed.Net, names ...string) Diagnosis {
	t.Helper()
	cmd := b.Command(0, append([]string{os.Args[0], "doctor"}, names...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var d Diagnosis
	if err := json.Unmarshal(out, &d); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	awaitEmpty(t, b)
	return d
}

// awaitEmpty returns when nothing of an examination is left on the hosts of a bed: neither
// processes nor open ports, beside sshd's.
func awaitEmpty(t *testing.T, b *testbed.Net) {
	t.Helper()
	for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		left := fmt.Sprint(b.Processes())
		for i := range b.Hosts() {
			for _, l := range b.Listeners(i + 1) {
				if l.Port() != 22 {
					left += fmt.Sprintf(" %v of host %d", l, i+1)
				}
			}
		}
		if left == "[]" {
			reapOrphans(time.Second)
			return
		}
		if time.Since(begin) > 10*time.Second {
			t.Fatalf("these are left: %s", left)
		}
	}
}

func show(d any) string {
	text, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// expect fails the test unless a check of the host has this verdict, and these texts in
// its sentence.
func (d *Diagnosis) expect(t *testing.T, host, name string, verdict Verdict, texts ...string) {
	t.Helper()
	i := slices.IndexFunc(d.Hosts, func(h HostDiagnosis) bool { return h.Host == host })
	if i < 0 {
		t.Errorf("no host %s in %s", host, show(d))
		return
	}
	h := d.Hosts[i]
	for _, c := range h.Checks {
		if c.Name == name && c.Verdict == verdict && !slices.ContainsFunc(texts, func(s string) bool {
			return !strings.Contains(c.Sentence(host), s)
		}) {
			if worse(h.Verdict, verdict) != h.Verdict || worse(d.Verdict, h.Verdict) != d.Verdict {
				t.Errorf("check %s of %s is %s, the host %s, all is %s", name, host, verdict, h.Verdict, d.Verdict)
			}
			return
		}
	}
	t.Errorf("no check %s of %s is %s and says %q:\n%s", name, host, verdict, texts, show(h.Checks))
}

// pair returns what is said of a way.
func (d *Diagnosis) pair(t *testing.T, from, to string) PairDiagnosis {
	t.Helper()
	for _, p := range d.Pairs {
		if p.From == from && p.To == to {
			return p
		}
	}
	t.Fatalf("no way from %s to %s in %s", from, to, show(d.Pairs))
	return PairDiagnosis{}
}

func TestThisMachineIsExamined(t *testing.T) {
	d := examine(t, Exam{})
	if len(d.Hosts) != 1 || len(d.Pairs) != 0 || d.Verdict == Fail {
		t.Errorf("got %s", show(d))
	}
	for _, name := range []string{CheckName, CheckReach, CheckPlatform, CheckAgent, CheckLimits} {
		d.expect(t, d.Here, name, Fine)
	}
}

func TestHostsBehindSSHAreExamined(t *testing.T) {
	f := testbed.SSH(t, 3)
	e := Exam{Shell: []string{"ssh", "-F", f.Config()}}
	for _, name := range f.Hosts() {
		e.Hosts = append(e.Hosts, Host{Name: name, Slots: 1})
	}
	// Something that is no directory stands where the third would have its cache.
	if err := os.WriteFile(filepath.Join(f.Cache(3), "muster"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, agent := range []string{"brought there", "cached"} {
		d := examine(t, e)
		for _, name := range f.Hosts()[:2] {
			for _, check := range []string{CheckReach, CheckPlatform, CheckClock, CheckLimits, CheckStore, CheckPort, CheckMTU} {
				d.expect(t, name, check, Fine)
			}
			d.expect(t, name, CheckName, Warning, "leads to 127.0.0.", "this very machine")
			d.expect(t, name, CheckAgent, Fine, agent)
		}
		d.expect(t, "node2", CheckPlatform, Warning, "is the same machine as node1")
		d.expect(t, "node3", CheckAgent, Warning, "for each job anew", "cannot be made", "make ~/.cache/muster")
		d.expect(t, "node3", CheckStore, Warning, "for each job anew", "no directory", "make ~/.cache/muster")
		if len(d.Pairs) != 6 || d.Verdict != Warning {
			t.Errorf("verdict %s, ways %s", d.Verdict, show(d.Pairs))
		}
		for _, p := range d.Pairs {
			if p.RoundTrip <= 0 || p.BytesPerSecond <= 0 || p.Address == "" || p.Interface != "lo" {
				t.Errorf("got %s", show(p))
			}
		}
	}
	begin := time.Now()
	for left := f.Processes(); len(left) > 0; left = f.Processes() {
		if time.Since(begin) > 5*time.Second {
			t.Fatalf("these are left: %v", left)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestHostsThatCannotBeReachedAreNamedWithTheMend(t *testing.T) {
	f := testbed.SSH(t, 2)
	// Behind the second's door nobody has our key.
	if err := os.WriteFile(filepath.Join(f.Dir(), "node2.sshd"), []byte("HostKey "+f.Dir()+"/hostkey\nAuthorizedKeysFile none\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	e := Exam{Shell: []string{"ssh", "-F", f.Config()}, Hosts: []Host{{Name: "node1"}, {Name: "node2"}, {Name: "no-such-host.invalid"}}}
	d := examine(t, e)
	d.expect(t, "node1", CheckReach, Fine)
	d.expect(t, "node1", CheckPort, Warning, "no other host could be reached")
	d.expect(t, "node2", CheckReach, Fail, "node2: cannot be reached by ssh: ", "Permission denied", "ssh-copy-id node2", "see it with: ssh -F ", " node2 true")
	d.expect(t, "no-such-host.invalid", CheckName, Fail, "cannot be resolved here", "/etc/hosts")
	if n := len(d.Hosts[2].Checks); n != 1 {
		t.Errorf("the host without an address has %s", show(d.Hosts[2].Checks))
	}
	if d.Verdict != Fail {
		t.Errorf("the verdict is %s", d.Verdict)
	}
}

// loginShell examines one host, beside a healthy one, whose login shell does this first.
func loginShell(t *testing.T, first string) Diagnosis {
	t.Helper()
	script := `[ $0 = well ] || { ` + first + `; }; exec sh -c "$1"`
	return examine(t, Exam{Shell: []string{"sh", "-c", script, "{host}"}, Hosts: []Host{{Name: "well", Slots: 1}, {Name: "ill", Slots: 4}}})
}

// mounting is a shell's command for a file system of its own at the cache.
func mounting(t *testing.T, options string) string {
	t.Helper()
	if out, err := exec.Command("unshare", "-rm", "true").CombinedOutput(); err != nil {
		t.Skipf("needs mount namespaces (root, or unprivileged user namespaces, and unshare of util-linux): %v %s", err, out)
	}
	dir := t.TempDir()
	return `[ "$IN" ] || { export IN=1; exec unshare -rm sh -c "mount -t tmpfs -o ` + options + ` none ` + dir +
		` && XDG_CACHE_HOME=` + dir + ` exec sh -c \"\$1\"" sh "$1"; }`
}

func TestDisksThatAreFullOrForbidProgramsAreNamed(t *testing.T) {
	info, err := os.Stat(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, options string
		agent, store  Verdict
		texts         []string
	}{
		{"room for the agent alone", fmt.Sprintf("size=%dm", info.Size()>>20+3), Fine, Fail, []string{"the disk is full", "free some space there", "df -h"}},
		{"room for nothing", "size=1m", Warning, Fail, []string{"the disk is full", "free some space there", "df -h"}},
		{"noexec", "noexec", Warning, Fail, []string{"noexec"}},
		{"read-only", "ro", Warning, Warning, []string{"for each job anew", "read-only file system"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := loginShell(t, mounting(t, c.options))
			d.expect(t, "well", CheckStore, Fine)
			d.expect(t, "ill", CheckAgent, c.agent)
			d.expect(t, "ill", CheckStore, c.store, c.texts...)
		})
	}
}

func TestLimitsThatAreTooLowAreNamed(t *testing.T) {
	d := loginShell(t, "ulimit -n 64")
	d.expect(t, "well", CheckLimits, Fine)
	d.expect(t, "ill", CheckLimits, Fail, "ill: 64 descriptors are allowed", "4 ranks need 72", "raise nofile", "ulimit -Hn")
}

func TestF68WhatAContainerForbidsIsNamed(t *testing.T) {
	d := loginShell(t, `[ "$IN" ] || IN=1 exec `+os.Args[0]+` contained "$1"`)
	d.expect(t, "well", CheckMemory, Fine)
	d.expect(t, "ill", CheckMemory, Warning, "its ranks are linked by Unix sockets", "memfd_create: operation not permitted", "seccomp profile")
	d.expect(t, "ill", CheckMemory, Warning, "are copied twice", "process_vm_readv: operation not permitted", "CAP_SYS_PTRACE")
	d.expect(t, "ill", CheckSystem, Warning, "pidfd_open: operation not permitted", "Linux 5.3")
	d.expect(t, "ill", CheckSystem, Warning, "short messages between its ranks take longer", "membarrier: operation not permitted")
	if d.Verdict != Warning {
		t.Errorf("the verdict is %s", d.Verdict)
	}

	if out, err := exec.Command("unshare", "-rm", "mount", "-t", "tmpfs", "none", "/sys/fs/cgroup").CombinedOutput(); err != nil {
		t.Skipf("needs cgroups and mount namespaces: %v %s", err, out)
	}
	d = loginShell(t, `[ "$IN" ] || IN=1 exec unshare -rm sh -c "mount -t tmpfs none /sys/fs/cgroup && exec sh -c \"\$1\"" sh "$1"`)
	d.expect(t, "ill", CheckSystem, Warning, "without the reason", "mount the cgroup file system")
}

func TestExaminationThatIsGivenUpLeavesNothing(t *testing.T) {
	t.Setenv("TEST_TRIAL", fmt.Sprintf("%s-%d", t.Name(), time.Now().UnixNano()))
	begun := filepath.Join(t.TempDir(), "begun")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for ; ctx.Err() == nil; time.Sleep(time.Millisecond) {
			if _, err := os.Stat(begun); err == nil {
				cancel()
			}
		}
	}()
	began := time.Now()
	_, err := Examine(ctx, Exam{Agent: ownAgent(), Hosts: []Host{{Name: "localhost"}, {Name: "slow"}},
		Shell: []string{"sh", "-c", "touch " + begun + "; sleep 60", "{host}"}})
	if !errors.Is(err, context.Canceled) || time.Since(began) > 8*time.Second {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
	reapOrphans(time.Second)
	assertClean(t, "TEST_TRIAL="+os.Getenv("TEST_TRIAL"))
}

func TestHostsOfANetAreExaminedFromOutside(t *testing.T) {
	b := testbed.Namespaces(t, 3)
	d := fromHub(t, b, b.Hosts()...)
	for i, name := range b.Hosts() {
		d.expect(t, name, CheckName, Fine, name+" is 10.77.0.")
		d.expect(t, name, CheckReach, Fine, "let in after")
		d.expect(t, name, CheckPort, Fine, b.Address(i+1).String(), b.Address6(i+1).String())
		d.expect(t, name, CheckMTU, Fine, "eth0 1500")
		d.expect(t, name, CheckClock, Fine)
	}
	if d.Verdict == Fail || len(d.Pairs) != 6 || d.Here != "hub" {
		t.Errorf("got %s", show(d))
	}
	for _, p := range d.Pairs {
		if p.Verdict == Fail || p.PathMTU != 1500 || p.Interface != "eth0" || len(p.Roads) != 2 {
			t.Errorf("got %s", show(p))
		}
	}
}

func TestF32WaysThatAreClosedAreNamed(t *testing.T) {
	b := testbed.Namespaces(t, 3)
	b.Block(1, 2)
	d := fromHub(t, b, b.Hosts()...)
	for _, ends := range [][2]string{{"h1", "h2"}, {"h2", "h1"}} {
		p := d.pair(t, ends[0], ends[1])
		if p.Verdict != Fail || len(p.Roads) != 2 || !strings.Contains(p.Problem, "nothing comes back") {
			t.Errorf("got %s", show(p))
		}
		d.expect(t, ends[0], CheckNetwork, Fail, "the way to "+ends[1]+" is closed", "nothing comes back", "allow TCP from "+ends[0], "--via ssh")
	}
	if p := d.pair(t, "h1", "h3"); p.Verdict == Fail || p.BytesPerSecond == 0 {
		t.Errorf("got %s", show(p))
	}
	d.expect(t, "h3", CheckReach, Fine)
}

func TestWaysThatAreSlowAreNamed(t *testing.T) {
	b := testbed.Namespaces(t, 3)
	b.Rate(3, 40)
	d := fromHub(t, b, b.Hosts()...)
	for _, p := range d.Pairs {
		if slow := p.From == "h3" || p.To == "h3"; slow != (p.BytesPerSecond < 12.5e6) || slow != (p.Verdict == Warning && strings.Contains(p.Problem, "Fast Ethernet")) {
			t.Errorf("got %s", show(p))
		}
	}
	d.expect(t, "h3", CheckNetwork, Warning, "the way to h1 carries ", "ethtool eth0")
}

func TestPathsThatDropFullPacketsAreNamed(t *testing.T) {
	b := testbed.Namespaces(t, 2)
	for i := 1; i <= 2; i++ { // jumbo frames, of which the switch knows nothing
		if out, err := b.Command(i, "ip", "link", "set", "dev", "eth0", "mtu", "9000", "gso_max_segs", "1").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	d := fromHub(t, b, b.Hosts()...)
	d.expect(t, "h1", CheckNetwork, Fail, "carries short messages", "and no long ones", "ip link set dev eth0 mtu 1500")
	if out, err := b.Command(2, "ip", "link", "set", "dev", "eth0", "mtu", "1500").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	d = fromHub(t, b, b.Hosts()...)
	d.expect(t, "h1", CheckMTU, Warning, "its eth0 has an MTU of 9000, and eth0 of h2 one of 1500", "ip link set dev eth0 mtu 1500")
}

func TestHostsThatAreDownOrWithoutSSHAreNamed(t *testing.T) {
	b := testbed.Namespaces(t, 4)
	b.Partition(2)
	sshd(t, b, 3, syscall.SIGKILL)
	sshd(t, b, 4, syscall.SIGSTOP)
	defer sshd(t, b, 4, syscall.SIGCONT)
	d := fromHub(t, b, b.Hosts()...)
	d.expect(t, "h1", CheckReach, Fine)
	d.expect(t, "h2", CheckReach, Fail, "h2: cannot be reached by ssh", "see it with: ssh -o BatchMode=yes h2 true")
	d.expect(t, "h3", CheckReach, Fail, "no ssh server listens", "start sshd there")
	d.expect(t, "h4", CheckReach, Fail, "see that it is up")
	for _, h := range d.Hosts[1:] {
		if len(h.Checks) != 2 {
			t.Errorf("of %s there is %s", h.Host, show(h.Checks))
		}
	}
}

// sshd sends a signal to the ssh server of host i.
func sshd(t *testing.T, b *testbed.Net, i int, s syscall.Signal) {
	t.Helper()
	config := filepath.Join(b.Dir(), b.Hosts()[i-1]+".sshd")
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, file := range files {
		line, _ := os.ReadFile(file)
		var pid int
		if _, err := fmt.Sscanf(file, "/proc/%d/", &pid); err == nil && strings.HasPrefix(string(line), "sshd: ") && strings.Contains(string(line), config+" ") {
			syscall.Kill(pid, s)
			found++
		}
	}
	if found == 0 {
		t.Fatalf("no ssh server with %s", config)
	}
}

func TestWaysOfManyHostsAreChosen(t *testing.T) {
	b := testbed.Namespaces(t, allPairsUpTo+1)
	d := fromHub(t, b, b.Hosts()...)
	if n := len(b.Hosts()); len(d.Hosts) != n || len(d.Pairs) < 2*n || len(d.Pairs) >= n*(n-1) || d.Chosen == "" {
		t.Errorf("got %s", show(d))
	}
	for _, p := range d.Pairs {
		if p.BytesPerSecond == 0 {
			t.Errorf("got %s", show(p))
		}
	}
}

func TestSlurmAllocationIsExamined(t *testing.T) {
	c := testbed.Slurm(t, 2, 2)
	cmd := c.Command(append([]string{"salloc", "--quiet", "--nodes=2", "--exclusive", os.Args[0], "doctor"}, c.Nodes()...)...)
	cmd.Env, cmd.Stderr = append(cmd.Environ(), "TEST_SHELL=srun"), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var d Diagnosis
	if err := json.Unmarshal(out, &d); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	for _, node := range c.Nodes() {
		d.expect(t, node, CheckName, Fine, "reached through srun")
		d.expect(t, node, CheckReach, Fine)
		d.expect(t, node, CheckPort, Fine)
	}
	if len(d.Pairs) != 2 || d.Verdict == Fail {
		t.Errorf("got %s", show(d))
	}
	awaitNoSteps(t, c)
}

func TestNothingOutlivesADoctorThatIsKilled(t *testing.T) {
	b := testbed.Namespaces(t, 3)
	cmd := b.Command(0, append([]string{os.Args[0], "doctor"}, b.Hosts()...)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for begin := time.Now(); len(b.Listeners(1)) == 4; time.Sleep(time.Millisecond) {
		if time.Since(begin) > 30*time.Second {
			t.Fatal("no port was opened")
		}
	}
	cmd.Process.Kill()
	cmd.Wait()
	awaitEmpty(t, b)
}

// contained runs a command of the shell's under rules that forbid all that ranks can do without.
func contained(command string) {
	forbid("memfd_create,pidfd_open,process_vm_readv,membarrier")
	die("sh: %v", syscall.Exec("/bin/sh", []string{"sh", "-c", command}, os.Environ()))
}
