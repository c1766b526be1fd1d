package testbed_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/muster-mpi/muster/internal/testbed"
)

// lines returns what a command printed, in order.
func lines(s string) []string {
	l := strings.Split(strings.TrimSpace(s), "\n")
	slices.Sort(l)
	return l
}

func TestNodesOfOneHostRunSteps(t *testing.T) {
	c := testbed.Slurm(t, 3, 4)
	if want := []string{"n1", "n2", "n3"}; !slices.Equal(c.Nodes(), want) {
		t.Errorf("nodes are %v, want %v", c.Nodes(), want)
	}
	got := lines(run(t, c.Command("timeout", "60", "srun", "-Q", "-N3", "-n12", "sh", "-c", "echo $SLURM_NODEID $SLURM_PROCID")))
	var want []string
	for i := range 12 {
		want = append(want, fmt.Sprintf("%d %d", i/4, i))
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("nodes and ranks of 12 tasks: %q, want %q", got, want)
	}
	got = lines(run(t, c.Command("timeout", "60", "srun", "-Q", "--mpi=pmi2", "-N2", "-n2", "sh", "-c", "echo $PMI_RANK of $PMI_SIZE ${PMI_FD:+by descriptor}")))
	if want := []string{"0 of 2 by descriptor", "1 of 2 by descriptor"}; !slices.Equal(got, want) {
		t.Errorf("with --mpi=pmi2: %q, want %q", got, want)
	}
	got = lines(run(t, c.Command("timeout", "60", "salloc", "-Q", "-N2", "--ntasks-per-node=2", "sh", "-c",
		"echo $SLURM_JOB_NODELIST $SLURM_TASKS_PER_NODE; srun -N1 -n1 --overlap --nodelist=n2 sh -c 'cat; echo $SLURMD_NODENAME' </etc/hostname")))
	if len(got) != 3 || !slices.Contains(got, "n[1-2] 2(x2)") || !slices.Contains(got, "n2") {
		t.Errorf("a step on n2 of an allocation: %q", got)
	}
}

func TestHostsOfANetAreNodes(t *testing.T) {
	var left []testbed.Process
	t.Run("up", func(t *testing.T) {
		net := testbed.Namespaces(t, 3)
		c := testbed.SlurmOn(t, net)
		got := lines(run(t, c.Command("timeout", "60", "srun", "-Q", "-N3", "-n3", "hostname")))
		if want := []string{"h1", "h2", "h3"}; !slices.Equal(got, want) {
			t.Errorf("hosts of 3 tasks: %q, want %q", got, want)
		}
		run(t, c.Command("sbatch", "-N2", "-o", "/dev/null", "--wrap", "srun sleep 987"))
		eventually(t, "sleep runs on h1 and h2", func() bool {
			left = net.Processes()
			hosts := make(map[int]bool)
			for _, p := range left {
				if p.Args[0] == "sleep" || strings.HasSuffix(p.Args[0], "/sleep") {
					hosts[p.Host] = true
				}
			}
			return hosts[1] && hosts[2]
		})
		run(t, c.Command("scancel", "-u", "root"))
		eventually(t, "nothing runs on the nodes after scancel", func() bool { return len(net.Processes()) == 0 })
		run(t, c.Command("sbatch", "-N3", "-o", "/dev/null", "--wrap", "srun sleep 986"))
		eventually(t, "another job runs", func() bool {
			left = net.Processes()
			return slices.ContainsFunc(left, func(p testbed.Process) bool { return slices.Contains(p.Args, "986") && p.Host > 0 })
		})
	})
	gone(t, left)
}
