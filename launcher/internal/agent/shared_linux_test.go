package agent

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/muster-mpi/muster/internal/queue"
	pb "github.com/muster-mpi/muster/proto"
)

func testHost(ranks int32, transport string) *host {
	return newHost(&pb.Start{
		Size: ranks, Apps: []*pb.AppRun{{Count: ranks}}, Settings: &pb.Settings{Transport: transport},
	})
}

func TestTransportIsWhatTheUserNamedOrTheHostHas(t *testing.T) {
	missing := errors.New("no memory\nno bell")
	for _, c := range []struct {
		named string
		probe error
		want  string
		note  bool
		fails bool
	}{
		{"", nil, "shm", false, false},
		{"", missing, "unix", true, false},
		{"shm", nil, "shm", false, false},
		{"shm", missing, "", false, true},
		{"unix", missing, "unix", false, false},
		{"tcp", missing, "tcp", false, false},
	} {
		h := testHost(2, c.named)
		err := h.chooseTransport(func() error { return c.probe })
		if (err != nil) != c.fails || err == nil && h.start.Settings.Transport != c.want {
			t.Errorf("%q, probe %v: got %q, %v, want %q", c.named, c.probe, h.start.Settings.Transport, err, c.want)
		}
		h.outbox.Close(io.EOF)
		notes := h.outbox.Take()
		if (len(notes) == 1) != c.note {
			t.Errorf("%q, probe %v: %d notes, want one: %v", c.named, c.probe, len(notes), c.note)
		}
		for _, n := range notes {
			if text := n.GetNote().GetText(); strings.Contains(text, "\n") || !strings.Contains(text, "no memory; no bell") {
				t.Errorf("note %q, want one line with the cause", text)
			}
		}
	}
}

// Whether ranks share cores decides how they wait, so no rounding may hide it.
func TestRanksPerCoreAreRoundedUp(t *testing.T) {
	for _, c := range []struct{ ranks, usable, want int32 }{
		{1, 200, 50}, {2, 200, 100}, {3, 200, 150}, {201, 20000, 101}, {2, 150, 134}, {1, 30, 334}, {1, 6400, 2},
	} {
		h := testHost(c.ranks, "unix")
		h.usable = int(c.usable)
		r := h.ranks[0]
		r.proc = &process{pid: 1}
		w, files, err := h.welcome(r)
		closeAll(files)
		if err != nil {
			t.Fatal(err)
		}
		if got := w.GetSettings().GetRanksPerCoreHundredths(); got != c.want {
			t.Errorf("%d ranks on %d hundredths of a core: got %d, want %d", c.ranks, c.usable, got, c.want)
		}
	}
}

func TestQuotaIsTheTightestOnTheWayUp(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		want  int
	}{
		{"none", nil, 0},
		{"version 2 without limit", map[string]string{"a/b/cpu.max": "max 100000\n", "cpu.max": "max 100000"}, 0},
		{"version 2", map[string]string{"a/b/cpu.max": "150000 100000\n"}, 150},
		{"version 2, above", map[string]string{"a/b/cpu.max": "max 100000\n", "a/cpu.max": "50000 100000\n", "cpu.max": "800000 100000\n"}, 50},
		{"version 1", map[string]string{"a/b/cpu.cfs_quota_us": "250000\n", "a/b/cpu.cfs_period_us": "100000\n"}, 250},
		{"version 1 without limit", map[string]string{"a/b/cpu.cfs_quota_us": "-1\n", "a/b/cpu.cfs_period_us": "100000\n"}, 0},
		{"nonsense", map[string]string{"a/b/cpu.max": "1 0\n", "a/cpu.max": "x y z"}, 0},
		{"next to nothing", map[string]string{"a/b/cpu.max": "1 1000000"}, 1},
	} {
		top := t.TempDir()
		if err := os.MkdirAll(filepath.Join(top, "a/b"), 0o700); err != nil {
			t.Fatal(err)
		}
		for name, text := range c.files {
			if err := os.WriteFile(filepath.Join(top, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := cpuQuota(top, filepath.Join(top, "a/b")); got != c.want {
			t.Errorf("%s: got %d hundredths, want %d", c.name, got, c.want)
		}
	}
}

func TestCgroupIsFoundInEitherVersion(t *testing.T) {
	const mixed = `30 1 0:26 / /sys/fs/cgroup ro - tmpfs tmpfs ro
31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw shared:1 - cgroup cgroup rw,cpu,cpuacct
32 30 0:28 /docker/x /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
33 30 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
`
	const two = "31 30 0:27 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n"
	for _, c := range []struct{ mounts, text, controller, top, dir string }{
		{mixed, "4:memory:/docker/x/y\n2:cpu,cpuacct:/a\n0::/u\n", "cpu", "/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/cpu,cpuacct/a"},
		{mixed, "0::/u\n4:memory:/docker/x/y\n", "memory", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/memory/y"},
		{mixed, "4:memory:/docker/x/y\n0::/u\n", "memory", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/memory/y"},
		{mixed, "0::/u\n", "cpu", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/unified/u"},
		{two, "0::/a/b\n", "memory", "/sys/fs/cgroup", "/sys/fs/cgroup/a/b"},
		{two, "0::/\n", "cpu", "/sys/fs/cgroup", "/sys/fs/cgroup"},
		{"", "0::/\n", "cpu", "", ""},
		{two, "nonsense", "cpu", "", ""},
	} {
		top, dir := findCgroup(c.text, parseMounts(c.mounts), c.controller)
		if top != c.top || dir != c.dir {
			t.Errorf("%s in %q: got %q, %q, want %q, %q", c.controller, c.text, top, dir, c.top, c.dir)
		}
	}
}

func TestLinksWaitForDescriptors(t *testing.T) {
	h := testHost(4, "unix")
	h.links.most = 2
	for _, r := range h.ranks {
		r.proc, r.out = &process{}, queue.New[packet]()
	}
	for i, a := range h.ranks {
		for _, b := range h.ranks[i+1:] {
			h.link(a, b)
		}
	}
	if h.links.underway != 2 || len(h.links.later) != 5 {
		t.Fatalf("%d ends under way and %d links later, want 2 and 5", h.links.underway, len(h.links.later))
	}
	got := 0
	for h.links.underway > 0 {
		for _, r := range h.ranks {
			r.out.Put(packet{}) // so that take returns
			for _, p := range r.out.Take() {
				if p.sent != nil {
					closeAll(p.files)
					got++
					h.onLinkSent()
				}
			}
		}
	}
	if got != 12 || len(h.links.later) != 0 || len(h.links.wanted) != 0 {
		t.Errorf("%d ends came, %d links later, %d wanted, want 12, 0, 0", got, len(h.links.later), len(h.links.wanted))
	}
}
