package testbed

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A Cluster is nodes under Slurm: the real munged, slurmctld and slurmd.
type Cluster struct {
	net   *Net
	dir   string
	nodes []string
}

// Slurm puts up n nodes of cpus processors each that are one host: the hub of a Net
// without others. The nodes are n1 and on.
func Slurm(t testing.TB, n, cpus int) *Cluster {
	t.Helper()
	slurmPrograms(t)
	b := Namespaces(t, 0)
	var nodes []node
	for i := 1; i <= n; i++ {
		nodes = append(nodes, node{name: fmt.Sprintf("n%d", i), port: 7000 + i, cpus: cpus})
	}
	return slurm(t, b, nodes)
}

// SlurmOn makes every host of a Net a node of two processors, and the hub the place of
// slurmctld and of those who submit. The nodes have the hosts' names.
func SlurmOn(t testing.TB, b *Net) *Cluster {
	t.Helper()
	slurmPrograms(t)
	var nodes []node
	for i, name := range b.Hosts() {
		nodes = append(nodes, node{name: name, host: i + 1, port: 7001, cpus: 2})
	}
	return slurm(t, b, nodes)
}

type node struct {
	name             string
	host, port, cpus int
}

// slurmPrograms skips the test unless all of Slurm is there.
func slurmPrograms(t testing.TB) {
	t.Helper()
	const packages = "munge slurmctld slurmd slurm-client"
	for _, program := range []string{"munged", "slurmctld", "slurmd", "srun", "sinfo"} {
		find(t, program, packages)
	}
}

func slurm(t testing.TB, b *Net, nodes []node) *Cluster {
	t.Helper()
	c := &Cluster{net: b, dir: filepath.Join(b.dir, "slurm")}
	if err := os.MkdirAll(filepath.Join(c.dir, "state"), 0o700); err != nil {
		t.Fatal(err)
	}
	conf := new(strings.Builder)
	fmt.Fprintf(conf, `ClusterName=testbed
SlurmctldHost=hub(%[2]s)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=%[1]s/munge.socket
SlurmctldPort=6817
SlurmctldPidFile=%[1]s/slurmctld.pid
SlurmdPidFile=%[1]s/%%n.pid
SlurmdSpoolDir=%[1]s/%%n
StateSaveLocation=%[1]s/state
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
KillWait=3
InactiveLimit=0
SlurmdTimeout=30
SchedulerParameters=sched_interval=1,batch_sched_delay=0
SlurmdParameters=config_overrides
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
`, c.dir, b.Address(0))
	for _, n := range nodes {
		c.nodes = append(c.nodes, n.name)
		fmt.Fprintf(conf, "NodeName=%s NodeHostname=%s NodeAddr=%s Port=%d CPUs=%d Boards=1 SocketsPerBoard=1 CoresPerSocket=%[5]d ThreadsPerCore=1 RealMemory=1000 State=UNKNOWN\n",
			n.name, b.name(n.host), b.Address(n.host), n.port, n.cpus)
	}
	write(t, conf.String(), c.Conf())
	write(t, "CgroupPlugin=cgroup/v1\n", c.dir, "cgroup.conf") // what it finds by itself fails within namespaces
	key := make([]byte, 128)
	for i := range key {
		key[i] = byte(rand.Uint32())
	}
	write(t, string(key), c.dir, "munge.key")
	file := func(name string) string { return filepath.Join(c.dir, name) }
	// Its socket's directory is this user's alone, which munged takes for a mistake unless forced.
	c.daemon(t, 0, "munged", "--foreground", "--force", "--key-file="+file("munge.key"), "--socket="+file("munge.socket"),
		"--pid-file="+file("munge.pid"), "--log-file="+file("munge.log"), "--seed-file="+file("munge.seed"))
	b.wait("munged has its socket", func() bool {
		_, err := os.Stat(file("munge.socket"))
		return err == nil
	})
	c.daemon(t, 0, "slurmctld", "-D", "-i", "-f", c.Conf())
	b.wait("slurmctld listens", func() bool { // a slurmd that it does not answer tries again only after 10 s
		return slices.ContainsFunc(b.Listeners(0), func(a netip.AddrPort) bool { return a.Port() == 6817 })
	})
	for _, n := range nodes {
		c.daemon(t, n.host, "slurmd", "-D", "-N", n.name, "-f", c.Conf())
	}
	var state []byte
	b.wait("all nodes of Slurm are idle", func() bool {
		state, _ = c.Command("sinfo", "-h", "-t", "idle", "-o", "%D").CombinedOutput()
		return strings.TrimSpace(string(state)) == fmt.Sprint(len(nodes))
	})
	for _, p := range b.Processes() {
		if strings.HasPrefix(p.Args[0], "slurmctld:") { // a child that runs its scripts
			b.keeper.Daemons = append(b.keeper.Daemons, p.PID)
		}
	}
	return c
}

// daemon starts a program of Slurm's on a host.
func (c *Cluster) daemon(t testing.TB, host int, program string, args ...string) {
	t.Helper()
	cmd := c.CommandOn(host, append([]string{find(t, program, "munge slurmctld slurmd")}, args...)...)
	c.net.keeper.start(t, daemon{
		Command: append([]string{cmd.Path}, cmd.Args[1:]...), Env: cmd.Env, Dir: c.dir, Log: filepath.Join(c.dir, program+".log"),
	})
}

// Command returns a command that runs in the hub and finds the cluster by SLURM_CONF.
// srun waits for ever where there is no node: give it an end.
func (c *Cluster) Command(argv ...string) *exec.Cmd { return c.CommandOn(0, argv...) }

// CommandOn is Command on host i of the Net.
func (c *Cluster) CommandOn(i int, argv ...string) *exec.Cmd {
	cmd := c.net.Command(i, argv...)
	cmd.Env = append(cmd.Env, "SLURM_CONF="+c.Conf())
	return cmd
}

// Conf returns the path of slurm.conf. The daemons' logs lie beside it.
func (c *Cluster) Conf() string { return filepath.Join(c.dir, "slurm.conf") }

// Nodes returns the nodes' names.
func (c *Cluster) Nodes() []string { return c.nodes }

// Net returns the hosts of the cluster; its Processes do not count Slurm's daemons, but
// slurmstepd of the steps that run.
func (c *Cluster) Net() *Net { return c.net }
