package launcher

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The launcher sends a program a few times however many lack it, nobody serves more than
// it can at once, and the number of rounds grows with the logarithm.
func TestProgramsSpreadAsATree(t *testing.T) {
	for _, c := range []struct{ hosts, have, rounds int }{
		{1, 0, 1}, {4, 0, 1}, {5, 0, 2}, {16, 0, 2}, {64, 0, 4}, {1000, 0, 6}, {64, 60, 1}, {3, 1, 1},
	} {
		s := newSupply()
		for i := range c.hosts {
			a := &hostAgent{number: i}
			if i < c.have {
				s.sources = append(s.sources, a)
			} else {
				s.waiting = append(s.waiting, a)
			}
		}
		got := make(map[*hostAgent]bool)
		rounds, sent := 0, 0
		for ; len(s.waiting) > 0; rounds++ {
			busy := make(map[*hostAgent]int)
			for to, from, ok := s.next(); ok; to, from, ok = s.next() {
				if got[to] {
					t.Fatalf("%+v: host %d is served twice", c, to.number)
				}
				got[to] = true
				if busy[from]++; from == nil {
					sent++
				}
				if n := busy[from]; n > launcherFan || from != nil && n > hostFan {
					t.Fatalf("%+v: one source serves %d at once", c, n)
				}
			}
			for to := range s.servedBy { // all of the round have got it
				delete(s.servedBy, to)
				s.sources = append(s.sources, to)
			}
		}
		if len(got) != c.hosts-c.have || rounds != c.rounds || sent > launcherFan*rounds {
			t.Errorf("%+v: %d were served in %d rounds, %d by the launcher", c, len(got), rounds, sent)
		}
	}
}

// A host that is lost takes no place, neither as one who serves nor as one who is served.
func TestLostHostsAreNoSources(t *testing.T) {
	s := newSupply()
	lost, source, to := &hostAgent{lost: true}, &hostAgent{}, &hostAgent{}
	s.sources = append(s.sources, lost, source)
	for range launcherFan {
		s.servedBy[&hostAgent{}] = nil
	}
	s.servedBy[&hostAgent{lost: true}] = source
	s.servedBy[&hostAgent{}] = source
	s.waiting = []*hostAgent{to}
	if got, from, ok := s.next(); !ok || got != to || from != source {
		t.Errorf("got %v from %v, %v; want it from the host that can serve one more", got, from, ok)
	}
	s.waiting = []*hostAgent{to}
	if _, from, ok := s.next(); ok {
		t.Errorf("%v serves more than it can", from)
	}
}

// Ten hosts lack a file; the launcher sends it to some, and these to the others. Those whose
// ranks end at once have no port any more when others ask: then the launcher sends it too.
func TestHostsGiveEachOtherPrograms(t *testing.T) {
	for _, c := range []struct {
		insecure, ends bool
		says           []string
	}{
		{says: []string{"muster:   hosts got programs ", " from here and ", " from each other\n"}},
		{insecure: true, says: []string{"muster:   hosts got programs ", " from here and ", " from each other\n"}},
		{ends: true},
	} {
		tr, f := onHosts(t, 10, 10, "@leave")
		file := filepath.Join(t.TempDir(), "table")
		text := strings.Repeat(f.Dir()+"\n", 1<<16)
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		app := &tr.job.Apps[0]
		script := `sha256sum < "$TEST_TABLE"`
		if !c.ends {
			script += `; exec "$0" "$@"`
		}
		app.Argv = append([]string{"sh", "-c", script}, app.Argv...)
		app.Env, app.Files = append(app.Env, "TEST_TABLE="+file), []string{"TEST_TABLE"}
		tr.job.Timing, tr.job.Insecure = true, c.insecure
		tr.run().expect(0, c.says...)
		if want := fmt.Sprintf("%x", sha256.Sum256([]byte(text))); strings.Count(tr.stdout.String(), want) != 10 {
			t.Errorf("%+v: standard output lacks ten times %s:\n%s", c, want, tr.stdout)
		}
	}
}
