package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	pb "github.com/muster-mpi/muster/proto"
)

func TestWhatTheSystemSaysIsRead(t *testing.T) {
	for text, want := range map[string]float64{
		"0.31 0.20 0.18 1/234 5678\n": 0.31, "19.54 1 1 1/1 1": 19.54, "": 0, "none": 0, "-1 0 0": 0,
	} {
		if got := parseLoad(text); got != want {
			t.Errorf("load of %q: got %v, want %v", text, got, want)
		}
	}
	for text, want := range map[string]int{"0-3\n": 4, "0": 1, "0-1,4,6-7\n": 5, "": 0, "a-b": 0, "3-1": 0} {
		if got := countCPUs(text); got != want {
			t.Errorf("CPUs of %q: got %d, want %d", text, got, want)
		}
	}
	for text, want := range map[string][2]int32{"32768\t60999\n": {32768, 60999}, "": {}, "1": {}, "70000 80000": {}} {
		if first, last := parsePorts(text); first != want[0] || last != want[1] {
			t.Errorf("ports of %q: got %d to %d, want %v", text, first, last, want)
		}
	}
	for n, want := range map[uint64]int64{0: 0, 1024: 1024, ^uint64(0): -1} {
		if got := limited(n); got != want {
			t.Errorf("limit %d: got %d, want %d", n, got, want)
		}
	}
}

func TestStatusOfAProcessIsRead(t *testing.T) {
	const text = `Name:	sshd
Uid:	0	1000	1000	1000
Threads:	7
CapEff:	%
NoNewPrivs:	1
Seccomp:	2
Seccomp_filters:	1
`
	for caps, exceeds := range map[string]bool{
		"0000000000000000": false, "0000000001000000": true, "0000000000200000": true, "000001fffeffffff": true, "00000000a80425fb": false, "x": false,
	} {
		want := processStatus{uid: 1000, threads: 7, filtered: true, mayExceed: exceeds}
		if got := parseStatus(strings.Replace(text, "%", caps, 1)); got != want {
			t.Errorf("capabilities %s: got %+v, want %+v", caps, got, want)
		}
	}
	for text, want := range map[string]bool{"         0          0 4294967295\n": true, "         0       1000          1\n": false, "": false} {
		if got := initialUsers(text); got != want {
			t.Errorf("map of users %q: got %v", text, got)
		}
	}
	if got := parseStatus(""); got.uid != -1 || got.threads != 0 {
		t.Errorf("of nothing: got %+v", got)
	}
	own := parseStatus(readText("/proc/self/status"))
	if own.uid != os.Geteuid() || own.threads < 1 {
		t.Errorf("of this process: got %+v", own)
	}
	if n := threadsOf(os.Geteuid()); n < own.threads {
		t.Errorf("this user has %d threads, this process alone %d", n, own.threads)
	}
}

func TestTheTightestLimitOfProcessesCounts(t *testing.T) {
	top := t.TempDir()
	inner := filepath.Join(top, "a", "b")
	if err := os.MkdirAll(inner, 0o700); err != nil {
		t.Fatal(err)
	}
	expect := func(current, limit int64) {
		t.Helper()
		if c, l := pidsLeft(top, inner); c != current || l != limit {
			t.Errorf("got %d of %d, want %d of %d", c, l, current, limit)
		}
	}
	set := func(dir, limit, current string) {
		for name, text := range map[string]string{"pids.max": limit, "pids.current": current} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	expect(0, -1)
	set(inner, "max", "3")
	expect(0, -1)
	set(filepath.Dir(inner), "500", "450")
	expect(450, 500)
	set(top, "100", "20")
	expect(450, 500)
	set(inner, "10", "3")
	expect(3, 10)
	if c, l := pidsLeft("", ""); c != 0 || l != -1 {
		t.Errorf("without cgroups: got %d of %d", c, l)
	}
}

func TestRuleOfPtraceIsKnown(t *testing.T) {
	for _, scope := range []string{"", "0\n", "1\n"} {
		if err := ptraceRule(scope); err != nil {
			t.Errorf("scope %q: %v", scope, err)
		}
	}
	for _, scope := range []string{"2\n", "3\n"} {
		if err := ptraceRule(scope); err == nil || !strings.Contains(err.Error(), "ptrace_scope is "+scope[:1]) {
			t.Errorf("scope %q: %v", scope, err)
		}
	}
	if err := probeCopies("2"); err == nil {
		t.Error("copies are allowed where the rule forbids them")
	}
}

func TestStoreIsTriedWithoutLeavingAnything(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	s := examineStore()
	if s.Error != "" || s.Why != "" || s.FreeBytes <= 0 || s.Dir != filepath.Join(cache, "muster", "program") {
		t.Errorf("got %v", s)
	}
	entries, err := os.ReadDir(s.Dir)
	if err != nil || len(entries) > 0 {
		t.Errorf("left: %v, %v", entries, err)
	}
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	t.Setenv("XDG_CACHE_HOME", filepath.Join(cache, "file"))
	if err := os.WriteFile(filepath.Join(cache, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s = examineStore()
	if s.Error != "" || !strings.Contains(s.Why, "not a directory") || s.Dir != temp {
		t.Errorf("got %v", s)
	}
	if entries, _ := os.ReadDir(temp); len(entries) > 0 {
		t.Errorf("left: %v", entries)
	}
	t.Setenv("TMPDIR", filepath.Join(temp, "none"))
	if s = examineStore(); !strings.Contains(s.Error, "no place for the program") {
		t.Errorf("got %v", s)
	}
}

func TestFindingsOfThisHostAreWhole(t *testing.T) {
	if err := prepareProcess(); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	f, err := new(server).Examine(t.Context(), &pb.ExamineHost{Ranks: 3})
	if err != nil {
		t.Fatal(err)
	}
	if f.Ranks != 3 || f.Kernel == "" || f.CpusUsable < 1 || f.CpusOnline < 1 || f.ThreadsRunning < 1 || len(f.Limits) != 4 ||
		f.DescriptorsNeeded != int64(descriptors(3)) || f.Init == "" || f.PortLast <= f.PortFirst || f.ByteOrder != "little" && f.ByteOrder != "big" {
		t.Errorf("got %v", f)
	}
	if len(f.Probes) != 6 {
		t.Errorf("got %v", f.Probes)
	}
	for _, p := range f.Probes {
		if p.Name == ProbeReaper && p.Error != "" {
			t.Errorf("got %v", p)
		}
	}
	if f, err = new(server).Examine(t.Context(), new(pb.ExamineHost)); err != nil || int(f.Ranks) != ceil(int(f.CpusUsable), 100) {
		t.Errorf("of no number of ranks: %v, %v", f, err)
	}
}
