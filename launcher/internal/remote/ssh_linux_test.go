package remote

import (
	"os/exec"
	"sync"
	"testing"

	"github.com/muster-mpi/muster/internal/testbed"
)

// startAll starts agents on all hosts of a farm at once.
func startAll(t testing.TB, f *testbed.Farm) []*Session {
	sessions := make([]*Session, len(f.Hosts()))
	var wg sync.WaitGroup
	for i, host := range f.Hosts() {
		wg.Go(func() {
			var err error
			if sessions[i], err = Start(t.Context(), Options{Host: host, Shell: SSH("-F", f.Config())}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	return sessions
}

func TestManyHostsAreReachedAtOnce(t *testing.T) {
	f := testbed.SSH(t, 16)
	for _, cached := range []bool{false, true} {
		sessions := startAll(t, f)
		if t.Failed() {
			t.FailNow()
		}
		for i, s := range sessions {
			if s.Info.Cached != cached || s.Info.Uncached != "" || s.Info.Home != f.Home(i+1) {
				t.Errorf("%s says %+v, expected home %s, cached: %v", f.Hosts()[i], s.Info, f.Home(i+1), cached)
			}
			for _, stage := range Stages {
				if s.Timing[stage] <= 0 {
					t.Errorf("%s says %v for stage %s", f.Hosts()[i], s.Timing[stage], stage)
				}
			}
			serves(t, s)
		}
		t.Log(sessions[0].Timing)
		for _, s := range sessions {
			s.Close()
			if text := s.DeathText(); text != "exit status 0" {
				t.Errorf("the end of an agent is %q", text)
			}
		}
	}
	noProcesses(t, f)
}

// BenchmarkStart compares agents on four hosts, ready, to four times ssh host true.
func BenchmarkStart(b *testing.B) {
	f := testbed.SSH(b, 4)
	for _, s := range startAll(b, f) { // staged from now on
		s.Close()
	}
	b.Run("agents", func(b *testing.B) {
		for b.Loop() {
			sessions := startAll(b, f)
			b.StopTimer()
			for _, s := range sessions {
				s.Close()
			}
			b.StartTimer()
		}
	})
	b.Run("true", func(b *testing.B) {
		for b.Loop() {
			var wg sync.WaitGroup
			for _, host := range f.Hosts() {
				wg.Go(func() {
					if err := exec.Command("ssh", "-F", f.Config(), host, "true").Run(); err != nil {
						b.Error(err)
					}
				})
			}
			wg.Wait()
		}
	})
}
