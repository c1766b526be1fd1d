package main

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/muster-mpi/muster/internal/scheduler"
	"github.com/muster-mpi/muster/launcher"
)

// around is a system with this environment, and files of the real one.
func around(env ...string) scheduler.System {
	return scheduler.System{
		LookupEnv: func(name string) (string, bool) {
			for _, kv := range env {
				if n, value, _ := strings.Cut(kv, "="); n == name {
					return value, true
				}
			}
			return "", false
		},
		ReadFile: os.ReadFile,
		Output:   func(argv ...string) ([]byte, error) { return nil, fs.ErrNotExist },
	}
}

// settled is what a command line comes to in an environment.
func settled(t *testing.T, env []string, line string) (*commandLine, int, error) {
	t.Helper()
	s := around(env...)
	c, err := parse(strings.Fields(line), s.LookupEnv)
	if err != nil {
		return nil, launcher.ExitUsage, err
	}
	code, err := c.settle(s)
	return c, code, err
}

// files writes files, of which the contents are lines with commas between, to a
// directory that becomes the working directory.
func files(t *testing.T, contents map[string]string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, text := range contents {
		if err := os.WriteFile(name, []byte(strings.ReplaceAll(text, ", ", "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

var slurm = []string{"SLURM_JOB_ID=7", "SLURM_JOB_NODELIST=n[1-2]", "SLURM_TASKS_PER_NODE=2,1", "SLURM_NTASKS=3"}

func TestHostsAndRanksAreFound(t *testing.T) {
	files(t, map[string]string{
		"hosts": "a slots=2, b slots=2 max_slots=3, alice@c:1 port=2222", "bare": "a, b", "pbs": "n1, n1, n2",
		"ranks": "rank 0=b slot=3, rank 2=a, rank 1=b",
	})
	job := append([]string{"SLURM_STEP_ID=1", "SLURM_PROCID=1", "SLURM_STEP_NUM_TASKS=3", "SLURM_JOB_CPUS_PER_NODE=2,1"}, slurm...)
	for _, test := range []struct {
		env  []string
		line string
		want string // source, hosts with their ranks, remote shell
	}{
		{nil, "./a", "here: 0"},
		{nil, "-n 3 ./a : ./b", "here: 0-3"},
		{nil, "-N 3 ./a", "here: 0-2"},
		{nil, "--map-by ppr:2:node ./a", "here: 0-1"},
		{nil, "--hostfile hosts ./a", "hosts: a 0-1; b 2-3; alice@c port 2222 4"},
		{nil, "--hostfile hosts -n 2 ./a : -n 2 ./b", "hosts: a 0-1; b 2-3; alice@c port 2222 -"},
		{nil, "--hostfile hosts ./a : ./b", "hosts: a 0-1; b -; alice@c port 2222 -"},
		{nil, "-f hosts --map-by node -n 4 ./a", "hosts: a 0,3; b 1; alice@c port 2222 2"},
		{nil, "-machinefile hosts --rank-by node ./a", "hosts: a 0,3; b 1,4; alice@c port 2222 2"},
		{nil, "--hostfile hosts -n 9 --oversubscribe ./a", "hosts: a 0-3; b 4-6; alice@c port 2222 7-8"},
		{nil, "--hostfile bare -N 3 ./a", "bare: a 0-2; b 3-5"},
		{nil, "--hostfile hosts --host c,a:1 ./a", "hosts: alice@c port 2222 0; a 1"},
		{nil, "--hostfile bare --host b:4 ./a", "bare: b 0-3"},
		{nil, "-H a,b:2 --host a,[::1]:1 ./a", "--host: a 0-1; b 2-3; ::1 4"},
		{nil, "--hosts n[1-3] -n 2 ./a", "--host: n1 0; n2 1; n3 -"},
		{nil, "--rankfile ranks ./a", "ranks: b 0 on CPU 3; 1; a 2"},
		{nil, "--rankfile ranks --host a,b:2,c -n 4 ./a", "--host: a 2; b 0 on CPU 3; 1; c 3"},
		{slurm, "./a", "Slurm job 7: n1 0-1; n2 2; by srun"},
		{slurm, "-n 2 --map-by node ./a", "Slurm job 7: n1 0; n2 1; by srun"},
		{slurm, "--host n2:5,n1 ./a", "--host: n2 0-4; n1 5; by srun"},
		{slurm, "--host n2,x ./a", "--host: n2 0; x 1"},
		{slurm, "--host u@n2 ./a", "--host: u@n2 0"},
		{slurm, "--hostfile hosts ./a", "hosts: a 0-1; b 2-3; alice@c port 2222 4"},
		{slurm, "--rsh ssh ./a", "Slurm job 7: n1 0-1; n2 2; by ssh"},
		{append([]string{"MUSTER_RSH=ssh -F 'my file'"}, slurm...), "./a", "Slurm job 7: n1 0-1; n2 2; by ssh -F 'my file'"},
		{[]string{"MUSTER_RSH=rsh"}, "--rsh ssh --host a ./a", "--host: a 0; by ssh"},
		{job, "--host localhost -n 1 ./a", "--host: localhost 0"},
		{[]string{"PBS_JOBID=3.x", "PBS_NODEFILE=pbs"}, "./a", "PBS job 3.x: n1 0-1; n2 2"},
		{[]string{"PBS_JOBID=3.x"}, "--host a ./a", "--host: a 0"},
		{[]string{"PE_HOSTFILE=pbs"}, "./a", "SGE: n1 0-1; n2 2"},
	} {
		c, _, err := settled(t, test.env, test.line)
		var got string
		if err != nil {
			got = err.Error()
		} else {
			w := &c.where
			if got = w.source + ":"; w.hosts == nil {
				got = "here: " + w.ranksShown(0)
			}
			for i, h := range w.hosts {
				got += " " + hostShown(h) + " " + w.ranksShown(i) + ";"
			}
			got = strings.TrimSuffix(got, ";")
			if c.job.Shell != nil {
				got += "; by " + shellWords(c.job.Shell)
			}
		}
		if got != test.want {
			t.Errorf("%q muster run %s\n got: %s\nwant: %s", test.env, test.line, got, test.want)
		}
	}
}

func TestMistakesWithHostsAreExplained(t *testing.T) {
	files(t, map[string]string{
		"hosts": "a slots=2, b slots=2 max_slots=3", "bad": "a, b slots=x", "none": "# nobody", "ranks": "rank 0=a, rank 1=x slot=0", "badranks": "rank 0=a slot=",
	})
	step := append([]string{"SLURM_STEP_ID=1", "SLURM_PROCID=1", "SLURM_STEP_NUM_TASKS=3", "SLURM_JOB_CPUS_PER_NODE=2,1"}, slurm...)
	const unknown = "the topology of host a is not known before the job starts there"
	for _, test := range []struct {
		env  []string
		line string
		code int
		want string
	}{
		{nil, "--hostfile bad ./a", 65, `bad:2:9: "x": expected a number of slots, 1 to 65536`},
		{nil, "--hostfile none ./a", 65, "none:1:1: the file names no host"},
		{nil, "--hostfile missing ./a", 65, "--hostfile: open missing: no such file or directory"},
		{nil, "--hostfile . ./a", 65, ".: read .: is a directory"},
		{nil, "--rankfile missing ./a", 65, "--rankfile: open missing: no such file or directory"},
		{nil, "--rankfile badranks ./a", 65, "badranks:1:15: expected a list of CPUs as in 4,6-7, or of a socket's cores as in 1:0-2 at the end of the line"},
		{nil, "--rankfile ranks --host a ./a", 65, `ranks:2:8: "x": expected a host of the job: a`},
		{nil, "--rankfile ranks --hostfile hosts -n 1 ./a", 65, `ranks:2:8: "x": rank 1, and the job has 1 rank`},
		{nil, "--host a:0 ./a", 64, `--host: character 3: "0": expected a number of slots, 1 to 65536`},
		{nil, "--host u@a --host v@a ./a", 64, `--host: character 5: "v@a": a has user v here and user u before`},
		{nil, "--host -oProxyCommand=x ./a", 64, `--host: character 15: "=x": expected a host: letters, digits, '.', '_' and '-', not beginning with '-'`},
		{nil, "--hostfile hosts --host c ./a", 64, "--host: c is not among the hosts of hosts"},
		{nil, "--hostfile hosts --host a:3 ./a", 64, "--host: a:3: expected 2 slots at most, as in hosts, or --oversubscribe"},
		{nil, "--hostfile hosts -n 5 ./a", 64, "5 ranks on 4 slots (a,b: 2 each): expected fewer ranks, more slots as in a:3, or --oversubscribe"},
		{nil, "--host b -n 2 ./a", 64, "2 ranks on 1 slot (b: 1): expected fewer ranks, more slots as in b:2, or --oversubscribe"},
		{nil, "--hostfile hosts -N 3 ./a", 64, "3 ranks on host a, which has 2 slots: expected fewer ranks, more slots as in a:3, or --oversubscribe"},
		{nil, "--hostfile hosts -N 4 --oversubscribe ./a", 64, "4 ranks on host b, which has 3 slots: expected no more than max_slots"},
		{nil, "-N 2 -n 3 ./a", 64, "3 ranks, and 2 each on 1 host makes 2: expected no more"},
		{nil, "-N 2 --map-by ppr:3:node ./a", 64, "mapping by ppr:3:node and 2 ranks a host at once: expected one of them"},
		{nil, "--map-by board ./a", 64, `mapping by "board": expected slot, node, core, hwthread, socket, numa, l3cache, or ppr:N:UNIT with node or one of the last three`},
		{nil, "--rank-by socket ./a", 64, `--rank-by: "socket": expected slot or node`},
		{nil, "--host a --map-by socket ./a", 64, "mapping by socket: " + unknown},
		{nil, "--host a --bind-to numa ./a", 64, "binding to numa: " + unknown},
		{nil, "--host a,b --stdin 2 ./a", 64, `--stdin: "2": expected a rank of the job, 0 to 1`},
		{nil, "--host a --insecure-wire ./a", 64, "--insecure-wire: expected --transport tcp or ranks on several hosts with it; other links leave no host and need no TLS"},
		{nil, "--display maps ./a", 64, `--display: "maps": expected map or allocation`},
		{nil, "--rsh 'x ./a", 64, `--rsh: "'x": expected a command whose quotes are closed`},
		{nil, "--rsh= ./a", 64, "--rsh: expected a command"},
		{[]string{`MUSTER_RSH=ssh \`}, "./a", 64, `MUSTER_RSH: "ssh \\": expected a command whose quotes are closed`},
		{nil, "--subnet 10.1.2.3 ./a", 64, `--subnet: "10.1.2.3": expected a network, such as 10.1.0.0/16 or fd00::/8`},
		{nil, "--via udp ./a", 64, `--via: "udp": expected tcp or ssh`},
		{nil, "--net-timeout 0.2 ./a", 64, `--net-timeout: "0.2": expected 300ms at least`},
		{nil, "--host a : --host b ./a", 64, "program 1: expected flags and TARGET between colons"},
		{nil, "./a : --host b ./a", 64, "--host concerns the whole job: say it before the first program"},
		{slurm, "-n 4 ./a", 64, "4 ranks on 3 slots (n1: 2, n2: 1): expected fewer ranks, more slots as in n2:2, or --oversubscribe"},
		{step, "./a", 64, "this is task 1 of 3 which Slurm has started, and each would start the job again: say muster run once in the job's script, or start the program itself without it; --host localhost starts a job of this task alone"},
		{[]string{"SLURM_JOB_ID=7"}, "./a", 65, `Slurm job "7": SLURM_JOB_NODELIST: not set`},
		{[]string{"PBS_JOBID=7", "PBS_NODEFILE=missing"}, "./a", 65, `PBS job "7": PBS_NODEFILE: open missing: no such file or directory`},
		{[]string{"PBS_JOBID=7", "PBS_NODEFILE=bad"}, "./a", 65, `PBS job "7": PBS_NODEFILE: bad:2:9: "x": expected a number of slots, 1 to 65536`},
	} {
		_, code, err := settled(t, test.env, test.line)
		if err == nil || err.Error() != test.want || code != test.code {
			t.Errorf("%q muster run %s\n got: %v, code %d\nwant: %s, code %d", test.env, test.line, err, code, test.want, test.code)
		}
	}
}

func TestDryRunShowsHosts(t *testing.T) {
	workplace(t)
	if err := os.WriteFile("hosts", []byte("localhost slots=2\nalice@b:2 port=2222 max_slots=4\n[::1]:1\nc\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	const ssh = "ssh -T -x -e none -o BatchMode=yes -o LogLevel=VERBOSE -o ClearAllForwardings=yes -o ConnectTimeout=9 -o ServerAliveInterval=15 -o ServerAliveCountMax=40"
	for _, test := range []struct{ line, want string }{
		{"--hostfile hosts -n 3 ./a x : ./p", `4 ranks on 2 of 4 hosts, named by hosts

host               slots  ranks
localhost          2      0-1
alice@b port 2222  2      2-3
::1                1      -
c                  1      -

ranks 0-2  ./a x
           executable

rank 3  ./p
        Go package directory, built by go build

on localhost  this host
              ranks 0-1: ./a x

on b  ` + ssh + ` -p 2222 -l alice -- b …
      rank 2: ./a x
      rank 3: ./p

transport      shm
stdin          0
on failure     abort
bind to        none
between hosts  tcp
`},
		{"--host b,d -N 2 --map-by node --rank-by slot --rsh docker_exec --via ssh --iface eth0 --subnet 10.1.2.3/16 --net-timeout 1 --timing --insecure-wire ./a", `4 ranks on 2 hosts, named by --host

host  slots  ranks
b     1      0-1
d     1      2-3

ranks 0-3  ./a
           executable

on b  docker_exec b …
      ranks 0-1: ./a

on d  docker_exec d …
      ranks 2-3: ./a

transport      shm
stdin          0
on failure     abort
bind to        none
ranks a host   2
map by         node
rank by        slot
remote shell   docker_exec
between hosts  ssh
interface      eth0
subnet         10.1.0.0/16
net timeout    1s
timing         yes
insecure wire  yes
`},
	} {
		if got, err := dry(t, strings.Fields(test.line)...); err != nil || got != test.want {
			t.Errorf("%s: %v\ngot:\n%s\nwant:\n%s", test.line, err, got, test.want)
		}
	}

	text, err := dry(t, strings.Fields("--dry-run --json --hostfile hosts -n 3 ./a x : ./p")...)
	var p plan
	if err == nil {
		err = json.Unmarshal([]byte(text), &p)
	}
	want := []planHost{
		{Name: "localhost", Slots: 2, Local: true, Ranks: []int{0, 1}, Commands: []planCommand{{Ranks: []int{0, 1}, Argv: []string{"./a", "x"}}}},
		{Name: "b", User: "alice", Port: 2222, Slots: 2, MaxSlots: 4, Ranks: []int{2, 3},
			Reach:    strings.Fields(ssh + " -p 2222 -l alice -- b"),
			Commands: []planCommand{{Ranks: []int{2}, Argv: []string{"./a", "x"}}, {Ranks: []int{3}, Argv: []string{"./p"}}}},
		{Name: "::1", Slots: 1, Local: true, Ranks: []int{}},
		{Name: "c", Slots: 1, Ranks: []int{}},
	}
	if err != nil || p.Ranks != 4 || p.HostsFrom != "hosts" || !reflect.DeepEqual(p.Hosts, want) {
		t.Errorf("%v: %+v\nwant %+v", err, p, want)
	}
}

func TestJobHasHostsAndPlaces(t *testing.T) {
	workplace(t)
	saved := surroundings
	t.Cleanup(func() { surroundings = saved })
	surroundings = around(slurm...)
	job, code, said := launched(t, "--display", "map,allocation", "--timing", "./a")
	want := launcher.Job{
		Hosts:     []launcher.Host{{Name: "n1", Slots: 2}, {Name: "n2", Slots: 1}},
		Placement: []int{0, 0, 1},
		Shell:     []string{"srun"},
		Timing:    true,
	}
	got := launcher.Job{Hosts: job.Hosts, Placement: job.Placement, CPUs: job.CPUs, Shell: job.Shell, Timing: job.Timing}
	if code != 42 || len(job.Apps) != 1 || job.Apps[0].Ranks != 3 || !reflect.DeepEqual(got, want) {
		t.Errorf("code %d, %+v\n got %+v\nwant %+v", code, job.Apps, got, want)
	}
	shown := `host  slots  at most
n1    2      -
n2    1      -
host  slots  ranks
n1    2      0-1
n2    1      2
`
	if said != shown {
		t.Errorf("said\n%swant\n%s", said, shown)
	}

	if err := os.WriteFile("hosts", []byte("u@a port=22 slots=1 binding=rr\nb slots=1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("ranks", []byte("rank 1=a slot=5,4\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	job, _, said = launched(t, "--hostfile", "hosts", "--rankfile", "ranks", "-n", "2", "--bind-to", "core", "./a")
	want = launcher.Job{
		Hosts:     []launcher.Host{{Name: "a", User: "u", Port: 22, Slots: 1}, {Name: "b", Slots: 1}},
		Placement: []int{1, 0}, CPUs: [][]int{nil, {4, 5}}, BindTo: "core",
	}
	got = launcher.Job{Hosts: job.Hosts, Placement: job.Placement, CPUs: job.CPUs, Shell: job.Shell, BindTo: job.BindTo}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if note := "muster: note: hosts:1: binding=rr is not heeded; --bind-to and --rankfile bind ranks\n"; said != note {
		t.Errorf("said %q, want %q", said, note)
	}
}

func TestRanksOfThisHostAreBound(t *testing.T) {
	topology := map[string]string{
		"/sys/devices/system/cpu/online":         "0-3",
		"/sys/devices/system/node/online":        "0",
		"/sys/devices/system/node/node0/cpulist": "0-3",
	}
	for cpu, socket := range []string{"0", "1", "0", "1"} {
		dir := "/sys/devices/system/cpu/cpu" + string(rune('0'+cpu)) + "/topology/"
		topology[dir+"physical_package_id"] = socket
	}
	s := around()
	s.ReadFile = func(name string) ([]byte, error) {
		if text, ok := topology[name]; ok {
			return []byte(text), nil
		}
		return nil, fs.ErrNotExist
	}
	dir := t.TempDir()
	ranks := filepath.Join(dir, "ranks")
	if err := os.WriteFile(ranks, []byte("rank 1=localhost slot=1:1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		line   string
		bindTo string // that is left to the agent
		cpus   [][]int
	}{
		{"-n 2 ./a", "", nil},
		{"-n 2 --bind-to none ./a", "", nil},
		{"-n 2 --bind-to core ./a", "core", nil},
		{"-n 2 --bind-to core --map-by node ./a", "core", nil},
		{"-n 2 --bind-to core --map-by socket ./a", "", [][]int{{0, 2}, {1, 3}}},
		{"-n 2 --bind-to hwthread ./a", "", [][]int{{0}, {2}}},
		{"-n 2 --bind-to socket ./a", "", [][]int{{0, 2}, {0, 2}}},
		{"--host localhost:3 --bind-to socket --map-by socket ./a", "", [][]int{{0, 2}, {1, 3}, {0, 2}}},
		{"--map-by ppr:1:socket --bind-to hwthread ./a", "", [][]int{{0}, {1}}},
		{"-n 2 --bind-to numa ./a", "", [][]int{{0, 1, 2, 3}, {0, 1, 2, 3}}},
		{"--rankfile " + ranks + " --host localhost:2 ./a", "", [][]int{nil, {3}}},
	} {
		c, err := parse(strings.Fields(test.line), s.LookupEnv)
		if err == nil {
			_, err = c.settle(s)
		}
		if err != nil || c.job.BindTo != test.bindTo || !reflect.DeepEqual(c.job.CPUs, test.cpus) {
			t.Errorf("%s: %v, bound to %q, %v; want %q, %v", test.line, err, c.job.BindTo, c.job.CPUs, test.bindTo, test.cpus)
		}
	}
	c, err := parse([]string{"--bind-to", "l3cache", "./a"}, s.LookupEnv)
	if err == nil {
		_, err = c.settle(s)
	}
	if want := "binding to l3cache: host localhost does not tell which l3cache its cores belong to"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	c, _ = parse([]string{"--bind-to", "socket", "./a"}, s.LookupEnv)
	s.ReadFile = func(string) ([]byte, error) { return nil, fs.ErrNotExist }
	if _, err = c.settle(s); err == nil || !strings.HasPrefix(err.Error(), "the topology of this host is not known: ") {
		t.Errorf("without any description of the host: %v", err)
	}
}

func TestNumbersOfRanksAfterTheProgramAreNoted(t *testing.T) {
	workplace(t)
	for _, test := range []struct{ line, want string }{
		{"./a -n 3", "note: -n 3 after ./a goes to the program; ranks are counted by muster run -n 3 ./a"},
		{"./a x --np=4 y", "note: --np=4 after ./a goes to the program; ranks are counted by muster run --np=4 ./a"},
		{"-l ./a -np 2", "note: -np 2 after ./a goes to the program; ranks are counted by muster run -np 2 ./a"},
		{"-n 2 ./a -n 3", ""},
		{"-- ./a -n 3", ""},
		{"./a -n", ""},
		{"./a -n x", ""},
		{"./a -name 3", ""},
		{"-n 1 ./a -n 2 : ./a --n 3", "note: --n 3 after ./a goes to the program; ranks are counted by muster run --n 3 ./a"},
	} {
		_, _, said := launched(t, append([]string{"--oversubscribe"}, strings.Fields(test.line)...)...)
		if want := strings.Replace("muster: "+test.want+"\n", "muster: \n", "", 1); said != want {
			t.Errorf("%s: said %q, want %q", test.line, said, want)
		}
	}
}

func TestCommandsAreSplitAsByAShell(t *testing.T) {
	for text, want := range map[string][]string{
		"ssh":                        {"ssh"},
		" ssh  -F\tf\n":              {"ssh", "-F", "f"},
		`ssh -F 'a b' "c 'd'" e\ f`:  {"ssh", "-F", "a b", "c 'd'", "e f"},
		`a'b'"c"\d '' ""`:            {"abcd", "", ""},
		`x "\"\\" '\'`:               {"x", `"\`, `\`},
		"docker exec -i {host} sh $": {"docker", "exec", "-i", "{host}", "sh", "$"},
	} {
		if got, err := splitWords(text); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %q %v, want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"", " ", "'", `"`, `\`, "''", "a\x00b", `'a`, `"a\"`} {
		if got, err := splitWords(text); err == nil {
			t.Errorf("%q is read as %q", text, got)
		}
	}
}
