package launcher

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-mpi/muster/launcher/internal/proctree"
	"golang.org/x/sys/unix"
)

var campaign = flag.Bool("campaign", false, "kill 1,000 ranks and 100 launchers instead of a few")

// percentiles prints how long something took, and checks the 99th and the
// longest.
func percentiles(t *testing.T, what string, times []time.Duration, p99, longest time.Duration) {
	slices.Sort(times)
	at := func(p float64) time.Duration { return times[min(len(times)-1, int(p*float64(len(times))))] }
	t.Logf("%s: %d times; median %v, 90%% %v, 99%% %v, longest %v", what, len(times),
		at(0.5).Round(time.Millisecond/10), at(0.9).Round(time.Millisecond/10),
		at(0.99).Round(time.Millisecond/10), times[len(times)-1].Round(time.Millisecond/10))
	if at(0.99) > slack(p99) || times[len(times)-1] > slack(longest) {
		t.Errorf("%s takes too long: limits are %v at 99%% and %v", what, p99, longest)
	}
}

// victims returns the ranks' processes of the jobs with this mark.
func victims(mark string) (found []proctree.Process) {
	for _, p := range processes(mark) {
		if hasEnv(p.PID, "TEST_VICTIM=1") && p.State != 'Z' {
			found = append(found, p)
		}
	}
	return found
}

func TestCampaignKillRanks(t *testing.T) {
	n := 20
	if *campaign {
		n = 1000
	}
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	var times []time.Duration
	for i := range n {
		tr := newTrial(t, 4, "@hang")
		tr.job.Apps[0].Env = append(tr.job.Apps[0].Env, "TEST_VICTIM=1")
		tr.start()
		time.Sleep(time.Duration(random.IntN(80)) * time.Millisecond) // a random moment
		var victim proctree.Process
		for limit := time.Now().Add(20 * time.Second); ; {
			if all := victims(tr.mark); len(all) > 0 {
				if victim = all[random.IntN(len(all))]; victim.Kill() {
					break
				}
			}
			if time.Now().After(limit) {
				t.Fatalf("seed %d, round %d: no rank to kill; the job's processes: %v, its messages: %s", seed, i, processes(tr.mark), tr.stderr)
			}
		}
		begin := time.Now()
		<-tr.done
		times = append(times, time.Since(begin))
		tr.wait().expect(137, fmt.Sprintf("pid %d) killed by signal 9 (SIGKILL)", victim.PID))
		if t.Failed() {
			t.Fatalf("seed %d, round %d", seed, i)
		}
	}
	percentiles(t, "from the SIGKILL of a rank to the end of the job", times, 250*time.Millisecond, time.Second)
}

func TestCampaignKillLaunchers(t *testing.T) {
	n := 5
	if *campaign {
		n = 100
	}
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	var times []time.Duration
	for i := range n {
		l := launch(t, "4", "@strays", "all", "hang")
		time.Sleep(time.Duration(random.IntN(120)) * time.Millisecond) // a random moment
		begin := time.Now()
		l.signal(unix.SIGKILL)
		for alive := true; alive; {
			alive = slices.ContainsFunc(processes(l.mark), func(p proctree.Process) bool { return p.State != 'Z' })
			if time.Since(begin) > 20*time.Second {
				break
			}
		}
		times = append(times, time.Since(begin))
		if code := l.wait(20 * time.Second); code != 137 || t.Failed() {
			t.Fatalf("seed %d, round %d: exit code %d", seed, i, code)
		}
	}
	percentiles(t, "from the SIGKILL of the launcher to the end of every process", times, 250*time.Millisecond, time.Second)
}

// The figures of a start: an empty program, from the launcher's start to its end.
func BenchmarkEmptyJob(b *testing.B) {
	for _, n := range []int{1, 8, 128} {
		for _, mode := range []string{"true", "@leave"} {
			b.Run(fmt.Sprintf("%s/ranks=%d", strings.TrimPrefix(mode, "@"), n), func(b *testing.B) {
				for b.Loop() {
					tr := newTrial(b, n, mode)
					if mode == "true" {
						tr.job.Apps[0].Argv = []string{"true"}
					}
					tr.start()
					<-tr.done
					if tr.result.Code != 0 || tr.err != nil {
						b.Fatal(tr.result.Code, tr.err, tr.stderr)
					}
				}
			})
		}
	}
}
