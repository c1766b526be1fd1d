package remote

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

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

func closeAll(sessions []*Session) {
	var wg sync.WaitGroup
	for _, s := range sessions {
		wg.Go(s.Close)
	}
	wg.Wait()
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
		closeAll(sessions)
		for _, s := range sessions {
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
	closeAll(startAll(b, f)) // staged from now on
	b.Run("agents", func(b *testing.B) {
		for b.Loop() {
			sessions := startAll(b, f)
			b.StopTimer()
			closeAll(sessions)
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

func TestWaysOfSSHsConfiguration(t *testing.T) {
	f := testbed.SSH(t, 3)
	control := filepath.Join(t.TempDir(), "c")
	config, err := os.ReadFile(f.Config())
	if err != nil {
		t.Fatal(err)
	}
	jump := filepath.Join(t.TempDir(), "ssh_config")
	if err := os.WriteFile(jump, append([]byte("Host node2\n  ProxyJump node3\n"), config...), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, host string
		args       []string
	}{
		{"jump host", "node2", []string{"-F", jump}},
		{"ProxyCommand", "node1", []string{"-F", f.Config(), "-o", "ProxyCommand=ssh -F " + f.Config() + " -W %h:%p node3"}},
		{"compressed, forwarding, with escapes", "node1", []string{"-F", f.Config(), "-o", "Compression=yes", "-o", "RequestTTY=force",
			"-o", "EscapeChar=~", "-o", "LocalForward=127.0.0.9:1 127.0.0.1:1", "-o", "ExitOnForwardFailure=yes"}},
		{"first of a shared connection", "node1", []string{"-F", f.Config(), "-o", "ControlMaster=auto", "-o", "ControlPath=" + control, "-o", "ControlPersist=60"}},
		{"second of a shared connection", "node1", []string{"-F", f.Config(), "-o", "ControlMaster=auto", "-o", "ControlPath=" + control}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := start(t, Options{Host: test.host, Shell: SSH(test.args...)})
			if err != nil {
				t.Fatal(err)
			}
			serves(t, s)
			began := time.Now()
			s.Close()
			if text := s.DeathText(); text != "exit status 0" || time.Since(began) > closeGrace {
				t.Errorf("the end after %v is %q", time.Since(began), text)
			}
			if s, err = start(t, Options{Host: test.host, Shell: SSH(test.args...)}); err != nil {
				t.Fatal(err)
			}
			serves(t, s)
			s.Kill()
		})
	}
	exec.Command("ssh", "-o", "ControlPath="+control, "-O", "exit", "node1").Run()
	noProcesses(t, f)
}
