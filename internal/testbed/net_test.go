package testbed_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-mpi/muster/internal/testbed"
)

func TestHostsOfANetAreHosts(t *testing.T) {
	net := testbed.Namespaces(t, 3)
	testbed.Namespaces(t, 1) // another of the same addresses and names
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	boots := make(map[string]bool)
	var logins sync.WaitGroup
	for i := range 4 {
		f := strings.Fields(run(t, net.Command(i, "sh", "-c", "echo $(hostname) $(pwd) $HOME ~root; cat /proc/sys/kernel/random/boot_id; echo x >$HOME/mine")))
		name := append([]string{"hub"}, net.Hosts()...)[i]
		if want := []string{name, wd, net.HomePath(), net.HomePath()}; !slices.Equal(f[:4], want) {
			t.Errorf("host %d: name, directory and home are %q, want %q", i, f[:4], want)
		}
		boots[f[4]] = true
		if _, err := os.Stat(filepath.Join(net.Home(i), "mine")); err != nil {
			t.Error(err)
		}
		for j, peer := range net.Hosts() {
			for _, name := range []string{peer, peer + "-v6"} {
				logins.Go(func() {
					if got, err := net.Command(i, "ssh", name, "hostname").CombinedOutput(); string(got) != peer+"\n" {
						t.Errorf("from host %d, %s (host %d) calls itself %q (%v)", i, name, j+1, got, err)
					}
				})
			}
		}
		for _, l := range net.Listeners(i) {
			if l.Addr().IsUnspecified() || l.Port() != 22 {
				t.Errorf("host %d listens at %v", i, l)
			}
		}
	}
	logins.Wait()
	if len(boots) != 4 {
		t.Errorf("boot ids of 4 hosts: %v", boots)
	}
	if got := net.Listeners(2); !slices.Contains(got, netip.AddrPortFrom(net.Address(2), 22)) || !slices.Contains(got, netip.AddrPortFrom(net.Address6(2), 22)) {
		t.Errorf("h2 listens at %v, want port 22 of both its addresses", got)
	}
}

func TestACommandOnAHostIsSignalledItself(t *testing.T) {
	net := testbed.Namespaces(t, 1)
	cmd := net.Command(1, "sleep", "987")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "sleep runs on h1", func() bool {
		return slices.ContainsFunc(net.Processes(), func(p testbed.Process) bool {
			return p.PID == cmd.Process.Pid && p.Host == 1 && p.Args[0] == "sleep"
		})
	})
	cmd.Process.Kill()
	cmd.Wait()
	if left := net.Processes(); len(left) != 0 {
		t.Errorf("left over: %v", left)
	}
}

// wants skips the test without these commands.
func wants(t *testing.T, net *testbed.Net, commands ...string) {
	t.Helper()
	for _, c := range commands {
		if net.Command(0, "which", c).Run() != nil {
			t.Skipf("this test wants %s: apt-get install iputils-ping iptables", c)
		}
	}
}

func TestFaultsOfANetAreWhatTheySay(t *testing.T) {
	net := testbed.Namespaces(t, 3)
	wants(t, net, "ping")
	table := func(want string) {
		t.Helper()
		var all, got []string
		for _, from := range []int{1, 2, 3} {
			for _, to := range []int{1, 2, 3} {
				if from != to {
					all = append(all, fmt.Sprintf("%d>h%d", from, to), fmt.Sprintf("%d>h%d-v6", from, to))
				}
			}
		}
		reached := make([]bool, len(all))
		var probes sync.WaitGroup
		for k, way := range all {
			patience := "20"
			if slices.Contains(strings.Fields(want), way) {
				patience = "1"
			}
			probes.Go(func() {
				reached[k] = net.Command(int(way[0]-'0'), "ping", "-n", "-q", "-c", "1", "-w", patience, way[2:]).Run() == nil
			})
		}
		probes.Wait()
		for k, way := range all {
			if !reached[k] {
				got = append(got, way)
			}
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("unreachable: %q, want %q", s, want)
		}
	}
	table("")
	net.Partition(2)
	table("1>h2 1>h2-v6 2>h1 2>h1-v6 2>h3 2>h3-v6 3>h2 3>h2-v6")
	net.Heal(2)
	table("")
	net.Crash(3)
	for _, p := range net.Processes() {
		if p.Host == 3 {
			t.Errorf("after the crash: %v", p)
		}
	}
	table("1>h3 1>h3-v6 2>h3 2>h3-v6 3>h1 3>h1-v6 3>h2 3>h2-v6")
}

func TestBlockedAndLostPackets(t *testing.T) {
	net := testbed.Namespaces(t, 2)
	pings := func(from int, to netip.Addr) int {
		out, _ := net.Command(from, "ping", "-n", "-q", "-c", "100", "-i", "0.002", "-W", "1", to.String()).CombinedOutput()
		var sent, received int
		for line := range strings.Lines(string(out)) {
			if n, _ := fmt.Sscanf(line, "%d packets transmitted, %d received", &sent, &received); n == 2 {
				return received
			}
		}
		t.Errorf("ping: %s", out)
		return -1
	}
	wants(t, net, "ping", "iptables", "ip6tables")
	for _, c := range []struct {
		what     string
		do       func()
		least    int
		most     int
		from, to int
	}{
		{"nothing", func() {}, 100, 100, 1, 2},
		{"a block of h1 at h2", func() { net.Block(1, 2) }, 0, 0, 1, 2},
		{"a block of the hub at h2", func() { net.Block(0, 2) }, 0, 0, 0, 2},
		{"a loss of 30 % at h1", func() { net.Drop(1, 30) }, 40, 90, 2, 1},
	} {
		c.do()
		var both sync.WaitGroup
		for _, address := range []netip.Addr{net.Address(c.to), net.Address6(c.to)} {
			both.Go(func() {
				if got := pings(c.from, address); got < c.least || got > c.most {
					t.Errorf("with %s: %d of 100 pings of %v answered, want %d to %d", c.what, got, address, c.least, c.most)
				}
			})
		}
		both.Wait()
		net.Heal(1)
		net.Heal(2)
	}
	net.Block(1, 2)
	for _, c := range []struct{ from, to, heard int }{{2, 1, 100}, {1, 2, 0}} {
		before := echos(t, net, c.to)
		if got := pings(c.from, net.Address(c.to)); got != 0 {
			t.Errorf("with a block of h1 at h2: %d of 100 pings of h%d answered", got, c.to)
		}
		if got := echos(t, net, c.to) - before; got != c.heard {
			t.Errorf("with a block of h1 at h2: h%d heard %d pings of h%d, want %d", c.to, got, c.from, c.heard)
		}
	}
}

// echos returns how many pings have come to host i by IPv4.
func echos(t *testing.T, net *testbed.Net, i int) int {
	t.Helper()
	var names []string
	for line := range strings.Lines(run(t, net.Command(i, "cat", "/proc/net/snmp"))) {
		f := strings.Fields(line)
		if f[0] != "Icmp:" {
			continue
		}
		if names == nil {
			names = f
			continue
		}
		n, err := strconv.Atoi(f[slices.Index(names, "InEchos")])
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	t.Fatal("/proc/net/snmp has no numbers of ICMP")
	return 0
}

func TestARateIsKept(t *testing.T) {
	net := testbed.Namespaces(t, 2)
	for _, c := range []struct{ from, to int }{{1, 2}, {2, 1}} {
		net.Rate(1, 40)
		const megabytes = 4
		begin := time.Now()
		run(t, net.Command(c.from, "sh", "-c", fmt.Sprintf("head -c %d /dev/zero | ssh h%d 'cat >/dev/null'", megabytes<<20, c.to)))
		limited := time.Since(begin)
		if least := time.Duration(megabytes<<20*8/40) * time.Microsecond * 8 / 10; limited < least {
			t.Errorf("from h%d: %d MB at 40 Mbit/s took %v, want %v or more", c.from, megabytes, limited, least)
		}
		net.Heal(1)
	}
}

func TestANetLeavesNothing(t *testing.T) {
	var left []testbed.Process
	var spaces []string
	t.Run("up", func(up *testing.T) {
		net := testbed.Namespaces(up, 2)
		for i := range 3 {
			for _, kind := range []string{"net", "mnt"} {
				name := net.Proc(i) + "/ns/" + kind
				space, err := os.Readlink(name)
				if err != nil {
					up.Fatal(err)
				}
				spaces = append(spaces, space)
				// Kept open beyond the bed: the kernel would give the number of a namespace
				// that has ended to the next one, perhaps to that of another test.
				f, err := os.Open(name)
				if err != nil {
					up.Fatal(err)
				}
				t.Cleanup(func() { f.Close() })
			}
		}
		run(up, net.Command(0, "ssh", "h1", "setsid -f sleep 987 </dev/null >/dev/null 2>&1"))
		run(up, net.Command(2, "sh", "-c", "setsid -f sleep 986 >/dev/null 2>&1"))
		left = net.Processes()
		if len(left) < 2 {
			up.Errorf("processes in the bed: %v, want two of sleep", left)
		}
	})
	gone(t, left)
	all, err := filepath.Glob("/proc/[0-9]*/ns/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range all {
		if space, _ := os.Readlink(name); slices.Contains(spaces, space) {
			t.Errorf("%s is %s, of a bed that has ended", name, space)
		}
	}
}

func TestSixtyFourHostsComeUpInSeconds(t *testing.T) {
	begin := time.Now()
	net := testbed.Namespaces(t, 64)
	up := time.Since(begin)
	t.Logf("64 hosts are up after %v", up)
	if up > 30*time.Second {
		t.Errorf("64 hosts took %v to come up", up)
	}
	if got := strings.TrimSpace(run(t, net.Command(1, "ssh", "h64", "hostname"))); got != "h64" {
		t.Errorf("h64 calls itself %q", got)
	}
}

func TestFramesOfAHostAreLateAndComeTwice(t *testing.T) {
	net := testbed.Namespaces(t, 2)
	wants(t, net, "ping")
	ping := func() (least, most float64, twice int) {
		out := run(t, net.Command(2, "ping", "-n", "-q", "-c", "40", "-i", "0.01", "-W", "10", net.Address(1).String()))
		var average, deviation float64
		for line := range strings.Lines(out) {
			fmt.Sscanf(line, "rtt min/avg/max/mdev = %f/%f/%f/%f ms", &least, &average, &most, &deviation)
			fmt.Sscanf(line, "40 packets transmitted, 40 received, +%d duplicates", &twice)
		}
		return least, most, twice
	}
	net.Delay(1, 30*time.Millisecond, 0, 0)
	if least, _, _ := ping(); least < 60 {
		t.Errorf("with 30 ms each way a ping is back after %v ms", least)
	}
	net.Delay(1, 20*time.Millisecond, 40*time.Millisecond, 50)
	least, most, twice := ping()
	if least < 40 || most < least+10 || twice == 0 {
		t.Errorf("with 20 ms to 60 ms each way and every other frame twice, pings are back after %v ms to %v ms, %d of 40 twice", least, most, twice)
	}
	// Bytes arrive in order and once all the same.
	got := run(t, net.Command(2, "sh", "-c", "seq 100000 | ssh h1 cat | cksum; seq 100000 | cksum"))
	if l := lines(got); len(l) != 2 || l[0] != l[1] {
		t.Errorf("sums of what was sent and what came back: %q", l)
	}
	net.Heal(1)
	if least, _, twice := ping(); least > 30 || twice != 0 {
		t.Errorf("healed, the fastest ping is back after %v ms, and %d of 40 come twice", least, twice)
	}
}

// The kernel gives the lowest number that is free to a namespace. A keeper that went by the
// number of one that has ended would kill the processes of the next to have it.
func TestANamespaceKeepsItsNumberAsLongAsItsBed(t *testing.T) {
	net := testbed.Namespaces(t, 1)
	wants(t, net, "unshare")
	shell, err := strconv.Atoi(filepath.Base(net.Proc(1)))
	if err != nil {
		t.Fatal(err)
	}
	space, err := os.Readlink(net.Proc(1) + "/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	net.Crash(1)
	p, err := os.FindProcess(shell)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	for range 200 {
		if next := strings.TrimSpace(run(t, net.Command(0, "unshare", "--net", "readlink", "/proc/self/ns/net"))); next == space {
			t.Fatalf("%s, of a host of the bed, is now another namespace's", space)
		}
	}
}
