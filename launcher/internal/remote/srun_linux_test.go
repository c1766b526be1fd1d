package remote

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-mpi/muster/internal/testbed"
)

// launchAll starts agents on hosts by srun, ends them once by Close, once by Kill and
// once by the launcher's death, and says what they say. It is run within an allocation.
func launchAll(hosts []string) {
	failed := false
	gone := func() {
		began := time.Now()
		for agentsWith("XDG_CACHE_HOME="+os.Getenv("XDG_CACHE_HOME")) > 0 {
			if time.Since(began) > 20*time.Second {
				fmt.Println("agents are left over")
				failed = true
				return
			}
			time.Sleep(time.Millisecond)
		}
		fmt.Println("all ended after", time.Since(began))
	}
	for round := range 2 {
		var wg sync.WaitGroup
		said := make([]string, len(hosts))
		for i, host := range hosts {
			wg.Go(func() {
				s, err := Start(context.Background(), Options{Host: host, Shell: Srun()})
				if err == nil {
					err = ping(s)
				}
				if err != nil {
					said[i] = err.Error()
					failed = true
					return
				}
				if round == 0 {
					s.Close()
				} else {
					s.Kill()
				}
				said[i] = fmt.Sprintf("%s: cached %v, %s", host, s.Info.Cached, s.DeathText())
			})
		}
		wg.Wait()
		fmt.Println(strings.Join(said, "\n"))
		gone()
	}
	launcher := exec.Command("/proc/self/exe", append([]string{"launcher", "srun", hosts[0]}, Srun().Argv...)...)
	out, err := launcher.StdoutPipe()
	if err == nil {
		err = launcher.Start()
	}
	if err == nil {
		_, err = bufio.NewReader(out).ReadString('\n')
		launcher.Process.Kill()
	}
	if err != nil {
		fmt.Println("launcher:", err)
		failed = true
	}
	gone()
	if failed {
		os.Exit(1)
	}
	os.Exit(0)
}

// agentsWith counts agents with a variable in their environment.
func agentsWith(variable string) (n int) {
	all, _ := filepath.Glob("/proc/*/cmdline")
	for _, name := range all {
		args, _ := os.ReadFile(name)
		if strings.Contains(string(args), "\x00--stdio=") {
			env, _ := os.ReadFile(filepath.Join(filepath.Dir(name), "environ"))
			if strings.Contains("\x00"+string(env), "\x00"+variable+"\x00") {
				n++
			}
		}
	}
	return n
}

func TestSrunReachesTheHostsOfAnAllocation(t *testing.T) {
	c := testbed.Slurm(t, 2, 2)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	run := func(argv ...string) string {
		cmd := c.Command(argv...)
		cmd.Env = append(cmd.Environ(), "XDG_CACHE_HOME="+t.TempDir())
		time.AfterFunc(60*time.Second, func() { cmd.Process.Kill() })
		out, _ := cmd.CombinedOutput()
		return string(out)
	}
	nodes := c.Nodes()
	began := time.Now()
	out := run(append([]string{"salloc", "--quiet", "-N2", "-n2", self, "srun"}, nodes...)...)
	for _, node := range nodes {
		// The cache is shared: who is first has to stage, and so may the other.
		if want := node + ": cached true, exit status 137"; !strings.Contains(out, want) {
			t.Errorf("got\n%swant %s", out, want)
		}
	}
	t.Logf("%v\n%s", time.Since(began), out)
	if n := strings.Count(out, "all ended after "); n != 3 {
		t.Errorf("agents ended %d times, want 3:\n%s", n, out)
	}
	out = run("salloc", "--quiet", "-N1", "-n1", "-w", nodes[0], self, "srun", nodes[1])
	if !strings.Contains(out, "the host is not in the Slurm allocation") {
		t.Errorf("outside the allocation: %s", out)
	}
}
