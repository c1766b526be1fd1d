package testbed_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/muster-mpi/muster/internal/testbed"
)

func TestHostsOfAFarmAreToldApartAndLeaveNothing(t *testing.T) {
	var left []testbed.Process
	var dir string
	t.Run("up", func(t *testing.T) {
		farm := testbed.SSH(t, 3)
		other := testbed.SSH(t, 1)
		dir = farm.Dir()
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("directory: %v %v, want mode 0700", info, err)
		}
		for i, host := range farm.Hosts() {
			got := run(t, farm.Command(i+1, "echo $HOME $XDG_CACHE_HOME; echo x >$HOME/mine"))
			if want := farm.Home(i+1) + " " + farm.Cache(i+1) + "\n"; got != want {
				t.Errorf("%s: home and cache are %q, want %q", host, got, want)
			}
			if _, err := os.Stat(filepath.Join(farm.Home(i+1), "mine")); err != nil {
				t.Error(err)
			}
		}
		run(t, other.Command(1, "true"))
		// A process that leaves its session is in the bed all the same.
		run(t, farm.Command(2, "setsid -f sleep 987 </dev/null >/dev/null 2>&1"))
		run(t, farm.Command(3, "nohup sh -c 'sleep 986 & wait' </dev/null >/dev/null 2>&1 &"))
		sleeps := func(list []testbed.Process) (n int) {
			for _, p := range list {
				if p.Args[0] == "sleep" {
					n++
				}
			}
			return n
		}
		eventually(t, "two processes have left their sessions", func() bool {
			left = farm.Processes()
			return sleeps(left) == 2
		})
		eventually(t, "the other farm is empty", func() bool { return len(other.Processes()) == 0 })
	})
	gone(t, left)
	if dir != "" {
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			t.Errorf("%s is left over: %v", dir, err)
		}
	}
}

func TestHostsOfAFarmAreReachedByTheirKeyOnly(t *testing.T) {
	farm := testbed.SSH(t, 1)
	known := filepath.Join(farm.Dir(), "known_hosts")
	text, err := os.ReadFile(known)
	if err != nil {
		t.Fatal(err)
	}
	own, err := os.ReadFile(filepath.Join(farm.Dir(), "id.pub"))
	if err != nil {
		t.Fatal(err)
	}
	address, _, _ := strings.Cut(string(text), " ")
	if err := os.WriteFile(known, []byte(address+" "+string(own)), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := farm.Command(1, "true").CombinedOutput(); err == nil || !strings.Contains(string(out), "verification failed") {
		t.Errorf("a host with another key than known_hosts has: %v\n%s", err, out)
	}
}
