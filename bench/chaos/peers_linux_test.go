package chaos

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// peer is another implementation of MPI, whose jobs are broken alike.
type peer struct {
	name, mpirun, program string
	flags, env            []string
	rank                  string // variable that has it
	hosts                 func([]string, int) []string
}

var peers = []peer{
	{
		name: "openmpi", rank: "OMPI_COMM_WORLD_RANK",
		flags: []string{"--oversubscribe", "--bind-to", "none", "--mca", "mpi_yield_when_idle", "1"},
		env:   []string{"OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"},
		hosts: func(names []string, ranks int) []string {
			var list []string
			for i, name := range names {
				list = append(list, fmt.Sprintf("%s:%d", name, (ranks+len(names)-1-i)/len(names)))
			}
			return []string{"--host", strings.Join(list, ","), "--map-by", "node", "--mca", "btl_tcp_if_include", "eth0", "--mca", "oob_tcp_if_include", "eth0,br0"}
		},
	},
	{
		name: "mpich", rank: "PMI_RANK",
		hosts: func(names []string, _ int) []string {
			return []string{"-launcher", "ssh", "-hosts", strings.Join(names, ",")}
		},
	},
}

// What is done to each peer: as many cases as show their habits.
const (
	peerRanks     = 100
	peerLaunchers = 50
)

func breakPeers(t *testing.T, f *field) {
	for _, p := range peers {
		t.Run(p.name, func(t *testing.T) {
			f.t = t
			p.find(t)
			p.breakJobs(t, f, "ranks", peerRanks, p.killRank)
			p.breakJobs(t, f, "launchers", peerLaunchers, p.killLauncher)
		})
	}
}

// find compiles the program.
func (p *peer) find(t *testing.T) {
	mpicc, err := exec.LookPath("mpicc." + p.name)
	if err == nil {
		p.mpirun, err = exec.LookPath("mpirun." + p.name)
	}
	if err != nil {
		t.Skipf("%s is not installed: %v", p.name, err)
	}
	p.program = filepath.Join(t.TempDir(), "exchange")
	if said, err := exec.Command(mpicc, "-O2", "-o", p.program, "testdata/exchange.c").CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", mpicc, err, said)
	}
}

// peerFinding is what is seen of a peer's job that was broken.
type peerFinding struct {
	finding
	named, pid, left bool
	remains          string
}

// breakJobs breaks n jobs, and counts what of a job of ours would be a failure.
func (p *peer) breakJobs(t *testing.T, f *field, what string, n int, try func(*field, *rand.Rand, int) (peerFinding, error)) {
	begin := time.Now()
	sum := tally{Part: p.name + "-" + what, What: what, Seed: *seed}
	named, pids, left := 0, 0, 0
	remains := ""
	for i := range n {
		random := rand.New(rand.NewPCG(*seed, 1<<48|uint64(i)))
		sum.Cases++
		x, err := try(f, random, i)
		if err != nil {
			sum.Failures = append(sum.Failures, fmt.Sprintf("case %d: %v", i, err))
			t.Logf("case %d: %v", i, err)
		} else {
			sum.Findings = append(sum.Findings, x.finding)
		}
		if x.named {
			named++
		}
		if x.pid {
			pids++
		}
		if x.left {
			left++
			if remains == "" {
				remains = x.remains
			}
		}
		f.sweep()
	}
	if what == "ranks" {
		what := "rank, host and signal"
		if p.name == "mpich" {
			what = "host and signal"
		}
		sum.Note = fmt.Sprintf("%d of %d name %s, %d the process; ", named, sum.Cases, what, pids)
	}
	sum.Note += fmt.Sprintf("%d of %d leave something", left, sum.Cases)
	if remains != "" {
		sum.Note += ", such as: " + remains
	}
	sum.Took = time.Since(begin)
	load, _ := os.ReadFile("/proc/loadavg")
	sum.Load = strings.Join(strings.Fields(string(load))[:3], " ")
	t.Log(sum.line(part{}))
	save(t, sum)
}

// start starts a job of the peer's on one host or four in turn.
func (p *peer) start(f *field, random *rand.Rand, i int) (*job, error) {
	o := order{Ranks: 2 + random.IntN(3)}
	argv := append([]string{p.mpirun}, p.flags...)
	if i%2 == 1 {
		o.Hosts, o.Ranks = f.bed.Hosts(), 4+random.IntN(5)
		argv = append(argv, p.hosts(o.Hosts, o.Ranks)...)
	}
	argv = append(argv, "-n", strconv.Itoa(o.Ranks), p.program)
	j, err := f.run(o, nil, p.env, argv...)
	if err == nil {
		err = j.await(j.stdout, "exchanging", 60*time.Second)
	}
	if err == nil {
		time.Sleep(time.Duration(random.IntN(100)) * time.Millisecond)
	}
	return j, err
}

func (p *peer) killRank(f *field, random *rand.Rand, i int) (peerFinding, error) {
	j, err := p.start(f, random, i)
	if err != nil {
		return peerFinding{}, err
	}
	all := f.ranks(p.rank)
	if len(all) == 0 {
		return peerFinding{}, fmt.Errorf("no ranks are found")
	}
	victim := all[random.IntN(len(all))]
	fault := time.Now()
	if err := syscall.Kill(victim.pid, syscall.SIGKILL); err != nil {
		return peerFinding{}, err
	}
	x, err := j.aftermath(fault)
	said := j.stdout.String() + j.stderr.String()
	x.pid = strings.Contains(said, fmt.Sprintf("PID %d ", victim.pid))
	x.named = strings.Contains(said, f.name(victim.host)) && (strings.Contains(said, "signal 9") || strings.Contains(said, "EXIT CODE: 9")) &&
		(p.name != "openmpi" || strings.Contains(said, fmt.Sprintf("process rank %d with PID", victim.rank)))
	return x, err
}

func (p *peer) killLauncher(f *field, random *rand.Rand, i int) (peerFinding, error) {
	j, err := p.start(f, random, i)
	if err != nil {
		return peerFinding{}, err
	}
	fault := time.Now()
	if err := j.cmd.Process.Kill(); err != nil {
		return peerFinding{}, err
	}
	return j.aftermath(fault)
}

// aftermath measures what follows a fault, and looks at what is left after some seconds.
func (j *job) aftermath(fault time.Time) (peerFinding, error) {
	x := peerFinding{finding: nothing}
	if err := j.wait(30 * time.Second); err != nil {
		return x, err
	}
	x.End = j.end.Sub(fault)
	_, err := j.f.settle(5 * time.Second)
	x.Gone = time.Since(fault)
	if err != nil {
		x.left, x.remains = true, err.Error()
	}
	return x, nil
}

// sweep ends and removes what a peer has left.
func (f *field) sweep() {
	for len(f.bed.Processes()) > 0 {
		for _, p := range f.bed.Processes() {
			syscall.Kill(p.PID, syscall.SIGKILL)
		}
		time.Sleep(time.Millisecond)
	}
	reapOrphans()
	for _, name := range f.left() {
		if path, ok := strings.CutPrefix(name, f.tmp+"/"); ok {
			os.RemoveAll(filepath.Join(f.tmp, path))
		}
		var host int
		var path string
		if n, _ := fmt.Sscanf(name, "host %d has /dev/shm/%s", &host, &path); n == 2 {
			os.RemoveAll(filepath.Join(f.bed.Proc(host), "root/dev/shm", path))
		}
	}
	f.before = f.inventory()
}
