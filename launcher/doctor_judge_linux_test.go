package launcher

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-mpi/muster/launcher/internal/agent"
	"github.com/muster-mpi/muster/launcher/internal/remote"
	pb "github.com/muster-mpi/muster/proto"
)

var update = flag.Bool("update", false, "write the files of testdata anew")

// healthy is a host of which all is well.
func healthy(n int) *patient {
	name := fmt.Sprintf("h%d", n+1)
	address := netip.AddrFrom4([4]byte{10, 0, 0, byte(n + 1)})
	p := &patient{
		number: n, host: Host{Name: name, Slots: 2}, addresses: []netip.Addr{address}, target: remote.Target{Name: name},
		agent:  &hostAgent{number: n, ready: &pb.Ready{HostName: name, Boot: name, Addresses: []string{address.String()}}},
		info:   remote.Info{Cached: true, Bytes: 14e6},
		timing: map[remote.Stage]time.Duration{remote.StageShell: 123456789},
		offset: -1234567, roundTrip: 234567,
		doors: []*pb.Door{{Address: fmt.Sprintf("%s:4000%d", address, n), Interface: "eth0", Mtu: 1500}},
		findings: &pb.Findings{
			Ranks: 2, Os: "linux", Arch: runtime.GOARCH, ByteOrder: "little", Kernel: "6.1.0",
			Limits: []*pb.Limit{
				{Name: "NOFILE", Soft: 1024, Hard: 4096}, {Name: "NPROC", Soft: 4096, Hard: 4096}, {Name: "MEMLOCK", Soft: 8 << 20, Hard: -1}, {Name: "CORE", Soft: 0, Hard: -1},
			},
			DescriptorsNeeded: 56, ThreadsNeeded: 24, ThreadsRunning: 100, PidsMax: -1,
			CpusOnline: 4, CpusAllowed: 4, CpusUsable: 400, ProcsPerRank: 2, Load: 0.25,
			Store:     &pb.Store{Dir: "/home/u/.cache/muster/program", FreeBytes: 10 << 30},
			PortFirst: 32768, PortLast: 60999, Init: "systemd",
		},
	}
	for _, name := range []string{agent.ProbeMemory, agent.ProbeHandles, agent.ProbeCopies, agent.ProbeBarrier, agent.ProbeReaper, agent.ProbeMemoryRule} {
		p.findings.Probes = append(p.findings.Probes, &pb.Probe{Name: name})
	}
	return p
}

// open is a way of which all is well.
func openWay(from, to *patient) *way {
	door := to.doors[0].GetAddress()
	return &way{from: from, to: to, measured: &pb.Measured{
		Roads:   []*pb.Road{{Address: door, Local: from.addresses[0].String() + ":50000", Interface: "eth0"}},
		Address: door, RoundTripNanos: 45678, TransferredBytes: 16 << 20, TransferredNanos: 16777216, PathMtu: 1500,
	}}
}

func TestDiagnosisHasItsShape(t *testing.T) {
	t.Setenv("GOMAXPROCS", "")
	a, b, c := healthy(0), healthy(1), healthy(2)
	c.agent, c.findings = nil, nil
	c.reachErr = &remote.Error{Host: "h3", Stage: remote.StageShell, What: "the connection was refused: no ssh server listens at that port",
		Stderr: []string{"ssh: connect to host h3 port 22: Connection refused"}, Command: "ssh -o BatchMode=yes h3 true"}
	d := judge([]*patient{a, b, c}, []*way{openWay(a, b), {from: b, to: a, measured: &pb.Measured{
		Roads: []*pb.Road{{Address: "10.0.0.1:40000", Error: "nothing comes back"}},
	}}})
	d.Here, d.Elapsed = "h1", time.Second
	got, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append([]byte(strings.ReplaceAll(string(got), "linux/"+runtime.GOARCH, "linux/amd64")), '\n')
	const file = "testdata/diagnosis.json"
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("the diagnosis is not that of %s (go test -update writes it anew):\n%s", file, got)
	}
	var back Diagnosis
	if err := json.Unmarshal(got, &back); err != nil || back.Verdict != Fail || len(back.Hosts) != 3 {
		t.Errorf("read back: %v, %+v", err, back)
	}
}

// Each row breaks the second of two healthy hosts in one way.
func TestEachFaultHasItsSentence(t *testing.T) {
	t.Setenv("GOMAXPROCS", "")
	probe := func(name string) func(*patient, *way) {
		return func(p *patient, _ *way) {
			for _, x := range p.findings.Probes {
				if x.Name == name {
					x.Error = name + " is forbidden"
				}
			}
		}
	}
	for _, c := range []struct {
		check   string
		verdict Verdict
		texts   []string
		fault   func(p *patient, from *way)
	}{
		{CheckName, Fail, []string{"the name h2 cannot be resolved here: no such host", "getent ahosts h2"}, func(p *patient, _ *way) {
			p.resolveErr, p.reachErr, p.agent = errors.New("no such host"), errors.New("no such host"), nil
		}},
		{CheckName, Fine, []string{"ssh knows the name h2, by means that are not known here"}, func(p *patient, _ *way) { p.resolveErr = errors.New("no such host") }},
		{CheckName, Fail, []string{"the name h2 (h2.example) cannot be resolved"}, func(p *patient, _ *way) {
			p.target.Name, p.agent = "h2.example", nil
			p.resolveErr, p.reachErr = errors.New("no such host"), errors.New("no such host")
		}},
		{CheckName, Warning, []string{"the name h2 leads to 127.0.1.1, which is this very machine", "/etc/hosts"}, func(p *patient, _ *way) { p.addresses = []netip.Addr{netip.MustParseAddr("127.0.1.1")} }},
		{CheckName, Fine, []string{"reached through gate"}, func(p *patient, _ *way) { p.target.Through, p.resolveErr = "gate", errors.New("no such host") }},
		{CheckPlatform, Fail, []string{"runs linux/s390x (big-endian), and h1 runs linux/", "cannot join one job"}, func(p *patient, _ *way) { p.findings.Arch, p.findings.ByteOrder = "s390x", "big" }},
		{CheckPlatform, Warning, []string{"is the same machine as h1", "name it once"}, func(p *patient, _ *way) { p.agent.ready.Boot, p.agent.ready.HostName = "h1", "h1" }},
		{CheckAgent, Warning, []string{"muster (14.0 MB) is brought there for each job anew: others may write to /c", "make ~/.cache/muster/agent"}, func(p *patient, _ *way) { p.info.Uncached = "others may write to /c" }},
		{CheckAgent, Warning, []string{"free some space there"}, func(p *patient, _ *way) { p.info.Uncached = "the disk there is full: /c has no room" }},
		{CheckAgent, Fail, []string{"does not answer: it is gone"}, func(p *patient, _ *way) { p.findings, p.lostErr = nil, errors.New("it is gone") }},
		{CheckAgent, Fail, []string{"muster cannot be brought there: the disk there is full: /tmp has no room", "free some space there", "see it with: df"}, func(p *patient, _ *way) {
			p.agent, p.findings, p.doors = nil, nil, nil
			p.reachErr = &remote.Error{Host: "h2", Stage: remote.StageStage, What: "the disk there is full: /tmp has no room", Command: "df"}
		}},
		{CheckClock, Warning, []string{"its clock is 2s before this machine's (± 117µs)", "chrony"}, func(p *patient, _ *way) { p.offset = 2 * time.Second }},
		{CheckClock, Warning, []string{"its clock is 1h0m0s behind"}, func(p *patient, _ *way) { p.offset = -time.Hour }},
		{CheckClock, Fine, []string{"999ms before"}, func(p *patient, _ *way) { p.offset = 999 * time.Millisecond }},
		{CheckLimits, Fail, []string{"50 descriptors are allowed (hard limit 4096), and 2 ranks need 56"}, func(p *patient, _ *way) { p.findings.Limits[0].Soft = 50 }},
		{CheckLimits, Fail, []string{"the limit of processes (nproc) allows 105 threads, of which 100 run, and 2 ranks need about 24"}, func(p *patient, _ *way) { p.findings.Limits[1].Soft = 105 }},
		{CheckLimits, Warning, []string{"(nproc) allows 120 threads"}, func(p *patient, _ *way) { p.findings.Limits[1].Soft = 120 }},
		{CheckLimits, Fine, []string{"unlimited for this user"}, func(p *patient, _ *way) { p.findings.Limits[1].Soft, p.findings.ThreadsUnlimited = 1, true }},
		{CheckLimits, Fail, []string{"the pids cgroup allows 20 threads, of which 18 run", "TasksMax"}, func(p *patient, _ *way) { p.findings.PidsMax, p.findings.PidsCurrent = 20, 18 }},
		{CheckCPU, Warning, []string{"a quota (cgroup) leaves 1.5 of 4 CPUs", "start 1 rank at most"}, func(p *patient, _ *way) { p.findings.CpusUsable = 150 }},
		{CheckCPU, Warning, []string{"is to have 6 ranks and has 4 CPUs", "say h2:4"}, func(p *patient, _ *way) { p.host.Slots = 6 }},
		{CheckCPU, Warning, []string{"GOMAXPROCS is 8 there, so that 2 ranks compute with 16 threads on 4 CPUs", "unset it"}, func(p *patient, _ *way) { p.findings.Gomaxprocs = "8" }},
		{CheckLoad, Warning, []string{"the load average of a minute is 3.50 on 4 CPUs"}, func(p *patient, _ *way) { p.findings.Load = 3.5 }},
		{CheckMemory, Warning, []string{"linked by Unix sockets", "memfd_create"}, probe(agent.ProbeMemory)},
		{CheckMemory, Warning, []string{"copied twice", "ptrace_scope"}, probe(agent.ProbeCopies)},
		{CheckSystem, Warning, []string{"pidfd is forbidden", "Linux 5.3"}, probe(agent.ProbeHandles)},
		{CheckSystem, Warning, []string{"short messages between its ranks take longer"}, probe(agent.ProbeBarrier)},
		{CheckSystem, Warning, []string{"may outlive the job"}, probe(agent.ProbeReaper)},
		{CheckSystem, Warning, []string{"without the reason", "mount the cgroup file system"}, probe(agent.ProbeMemoryRule)},
		{CheckSystem, Warning, []string{"process 1 (sleep) does not wait for its children: 3 zombies in", "--init"}, func(p *patient, _ *way) { p.findings.Zombies, p.findings.Init = 3, "sleep" }},
		{CheckSystem, Fine, []string{"under a seccomp filter"}, func(p *patient, _ *way) { p.findings.Filtered = true }},
		{CheckStore, Fail, []string{"no program can be put there: /c belongs to user 7", "chmod go-w"}, func(p *patient, _ *way) { p.findings.Store.Error = "/c belongs to user 7" }},
		{CheckStore, Fail, []string{"the disk is full", "df -h /home/u/.cache/muster/program"}, func(p *patient, _ *way) { p.findings.Store.FreeBytes = 1 << 20 }},
		{CheckStore, Warning, []string{"nearly full", "100.0 MiB"}, func(p *patient, _ *way) { p.findings.Store.FreeBytes = 100 << 20 }},
		{CheckStore, Warning, []string{"for each job anew, to /home/u/.cache/muster/program: /c is no directory"}, func(p *patient, _ *way) { p.findings.Store.Why = "/c is no directory" }},
		{CheckPort, Fail, []string{"no port can be opened for the other hosts: no such interface"}, func(p *patient, _ *way) { p.doors, p.doorErr = nil, errors.New("no such interface") }},
		{CheckPort, Warning, []string{"2 ranks and 2 ranks elsewhere may have 4 links, and the kernel has 3 ports for them (1 to 3)"}, func(p *patient, _ *way) { p.findings.PortFirst, p.findings.PortLast = 1, 3 }},
		{CheckMTU, Warning, []string{"the path to h1 has an MTU of 1400, less than the 1500 of both ends"}, func(_ *patient, w *way) { w.measured.PathMtu = 1400 }},
		{CheckNetwork, Fail, []string{"the way to h1 is closed: 10.0.0.1:40000: connection refused", "allow TCP from h2 to any port of 10.0.0.1"}, func(_ *patient, w *way) {
			w.measured = &pb.Measured{Roads: []*pb.Road{{Address: "10.0.0.1:40000", Error: "connection refused"}}}
		}},
		{CheckNetwork, Fail, []string{"could not be measured: the agent is gone"}, func(_ *patient, w *way) { w.measured, w.err = nil, errors.New("the agent is gone") }},
		{CheckNetwork, Fail, []string{"has not come back"}, func(_ *patient, w *way) { w.measured.Error = "a ping has not come back" }},
		{CheckNetwork, Fail, []string{"carries short messages (45.7µs there and back) and no long ones", "mtu 1500"}, func(_ *patient, w *way) { w.measured.TransferredBytes, w.measured.TransferredNanos = 0, 0 }},
		{CheckNetwork, Warning, []string{"is open by 10.0.0.1:40000 and closed by [fd00::1]:40000: no route to host", "--subnet"}, func(_ *patient, w *way) {
			w.measured.Roads = append(w.measured.Roads, &pb.Road{Address: "[fd00::1]:40000", Error: "no route to host"})
		}},
		{CheckNetwork, Warning, []string{"carries 10 MB/s, less than Fast Ethernet", "ethtool eth0"}, func(_ *patient, w *way) { w.measured.TransferredNanos = 1677721600 }},
	} {
		a, b := healthy(0), healthy(1)
		ways := []*way{openWay(a, b), openWay(b, a)}
		c.fault(b, ways[1])
		if b.agent == nil || b.findings == nil {
			ways = nil
		}
		d := judge([]*patient{a, b}, ways)
		d.expect(t, "h2", c.check, c.verdict, c.texts...)
		if d.Hosts[1].Verdict != c.verdict {
			t.Errorf("%s, %q: the host's verdict is %s: %s", c.check, c.texts, d.Hosts[1].Verdict, show(d.Hosts[1].Checks))
		}
		for _, x := range d.Hosts[1].Checks {
			if x.Verdict != Fine && x.Mend == "" && x.Name != CheckPort && !strings.Contains(x.Found, "could not be measured") && !strings.Contains(x.Found, "has not come back") {
				t.Errorf("nothing helps against %q", x.Sentence("h2"))
			}
			if !slices.Contains(Checks, x.Name) {
				t.Errorf("check %q is not in the list", x.Name)
			}
		}
	}
}

func TestSlowWaysStandOutAmongOthers(t *testing.T) {
	all := []*patient{healthy(0), healthy(1), healthy(2)}
	var ways []*way
	for _, a := range all {
		for _, b := range all {
			if a != b {
				ways = append(ways, openWay(a, b))
			}
		}
	}
	ways[1].measured.TransferredNanos *= 10
	ways[4].measured.RoundTripNanos = int64(20 * time.Millisecond)
	for i, p := range judgeWays(ways) {
		want := ""
		switch i {
		case 1:
			want = "carries 100 MB/s, where the middle one of all ways carries 1 GB/s"
		case 4:
			want = "takes 20ms there and back, where the middle one of all ways takes 45.7µs"
		}
		if p.Problem != want || (p.Verdict == Fine) != (want == "") {
			t.Errorf("way %d: got %s", i, show(p))
		}
	}
}

func TestMTUsThatDifferAreToldOnce(t *testing.T) {
	a, b := healthy(0), healthy(1)
	a.doors[0].Mtu = 9000
	d := judge([]*patient{a, b}, []*way{openWay(a, b), openWay(b, a)})
	d.expect(t, "h1", CheckMTU, Warning, "its eth0 has an MTU of 9000, and eth0 of h2 one of 1500", "ip link set dev eth0 mtu 1500")
	d.expect(t, "h2", CheckMTU, Fine)
}

func TestLoneHostIsNotAskedForOthers(t *testing.T) {
	p := healthy(0)
	p.local, p.doors = true, nil
	d := judge([]*patient{p}, nil)
	for _, c := range d.Hosts[0].Checks {
		if slices.Contains([]string{CheckClock, CheckStore, CheckPort, CheckMTU, CheckNetwork}, c.Name) || c.Verdict != Fine {
			t.Errorf("got %+v", c)
		}
	}
}

func TestPairsOfManyHostsAreARingAndSome(t *testing.T) {
	for n := range 70 {
		pairs, chosen := choosePairs(n)
		have := make(map[[2]int]bool)
		for _, p := range pairs {
			if p[0] == p[1] || have[p] || min(p[0], p[1]) < 0 || max(p[0], p[1]) >= n {
				t.Fatalf("of %d hosts: pair %v in %v", n, p, pairs)
			}
			have[p] = true
		}
		if n <= allPairsUpTo {
			if len(pairs) != max(0, n*(n-1)) || chosen != "" {
				t.Errorf("of %d hosts: %d pairs, %q", n, len(pairs), chosen)
			}
			continue
		}
		for a := range n {
			if b := (a + 1) % n; !have[[2]int{a, b}] || !have[[2]int{b, a}] {
				t.Errorf("of %d hosts: not %d and %d", n, a, b)
			}
		}
		if len(pairs) < 3*n || len(pairs) > 4*n || !strings.Contains(chosen, fmt.Sprintf("%d of the %d ways", len(pairs), n*(n-1))) {
			t.Errorf("of %d hosts: %d pairs, %q", n, len(pairs), chosen)
		}
	}
}

func TestNoHostIsMeasuredTwiceAtOnce(t *testing.T) {
	all := make([]*patient, 64)
	for i := range all {
		all[i] = new(patient)
	}
	var ways []*way
	pairs, _ := choosePairs(len(all))
	for _, p := range pairs {
		ways = append(ways, &way{from: all[p[0]], to: all[p[1]]})
	}
	dealt := 0
	list := rounds(ways)
	for _, round := range list {
		busy := make(map[*patient]bool)
		for _, w := range round {
			if busy[w.from] || busy[w.to] {
				t.Fatal("a host has two ways in a round")
			}
			busy[w.from], busy[w.to] = true, true
			dealt++
		}
	}
	if dealt != len(ways) || len(list) > 24 {
		t.Errorf("%d of %d ways in %d rounds", dealt, len(ways), len(list))
	}
}
