package scheduler

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// environment reads a file of testdata: what a batch system sets.
func environment(t *testing.T, name string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".env"))
	if err != nil {
		t.Fatal(err)
	}
	env := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "="); ok && line[0] != '#' {
			env[name] = value
		}
	}
	return env
}

// system has the variables of env; its files are those of testdata by their last
// names, and its command flux answers with the file resources.
func system(env map[string]string, resources string) System {
	return System{
		LookupEnv: func(name string) (string, bool) { value, ok := env[name]; return value, ok },
		ReadFile:  func(name string) ([]byte, error) { return os.ReadFile(filepath.Join("testdata", path.Base(name))) },
		Output: func(argv ...string) ([]byte, error) {
			switch line := strings.Join(argv, " "); line {
			case "flux kvs get resource.R", "flux job info f3ghmgCpw R":
				return os.ReadFile(filepath.Join("testdata", resources))
			default:
				return nil, fmt.Errorf("no command %q", line)
			}
		},
	}
}

func show(a *Allocation) string {
	if a == nil {
		return "none"
	}
	text := fmt.Sprintf("%s %q, %d tasks:", a.Kind, a.Job, a.Tasks)
	if a.Of != 1 || a.Task != 0 {
		text = fmt.Sprintf("task %d of %d of %s", a.Task, a.Of, text)
	}
	for _, h := range a.Hosts {
		text += fmt.Sprintf(" %s:%d", h.Name, h.Slots)
		if !h.Counted {
			text += "?"
		}
	}
	return text
}

func TestAllocationsAreFound(t *testing.T) {
	for name, want := range map[string]string{
		"slurm-salloc":       `Slurm "2", 6 tasks: n1:4 n2:2`,
		"slurm-salloc-nodes": `Slurm "5", 0 tasks: n1:4 n2:4`,
		"slurm-salloc-cpus":  `Slurm "3", 4 tasks: n1:2 n2:2`,
		"slurm-sbatch":       `Slurm "6", 5 tasks: n1:4 n2:1`,
		"slurm-step-one":     `Slurm "6", 0 tasks: n1:4 n2:1`,
		"slurm-step-task":    `task 3 of 5 of Slurm "6", 0 tasks: n1:4 n2:1`,
		"slurm-large":        `Slurm "65541", 0 tasks: tux08:8 tux09:8 gpu1-ib:4`,
		"pbs-pro":            `PBS "1047.pbs.example.org", 0 tasks: c1.example.org:4 c2.example.org:4 big.example.org:2`,
		"torque":             `PBS "12.torque", 0 tasks: node2:2 node1:2`,
		"lsf":                `LSF "4711", 0 tasks: hostA:4 hostB:2`,
		"lsf-old":            `LSF "4711", 0 tasks: hostA:4 hostB:2`,
		"sge":                `SGE "99", 0 tasks: node3.example.org:4 node5.example.org:3`,
		"flux-batch":         `Flux "", 0 tasks: flux07:4 flux08:4 flux10:5`,
		"flux-run":           `task 2 of 4 of Flux "f3ghmgCpw", 4 tasks: test4:2 test5:2`,
	} {
		a, err := Find(system(environment(t, name), name+".R"))
		if got := show(a); err != nil || got != want {
			t.Errorf("%s\n got: %s %v\nwant: %s", name, got, err, want)
		}
	}
	for _, env := range []map[string]string{
		nil,
		{"SLURMD_NODENAME": "n1", "SLURM_NTASKS": "4", "PBS_NODEFILE": "pbs-pro.nodes", "JOB_ID": "3", "LSB_MCPU_HOSTS": "a 1"},
		{"SLURM_JOB_ID": "", "PBS_JOBID": ""},
	} {
		if a, err := Find(system(env, "")); a != nil || err != nil {
			t.Errorf("%v: %s %v, want none", env, show(a), err)
		}
	}
	inner := environment(t, "slurm-salloc")
	maps.Copy(inner, environment(t, "flux-batch"))
	if a, err := Find(system(inner, "flux-batch.R")); err != nil || a.Kind != Flux {
		t.Errorf("Flux within Slurm: %s %v", show(a), err)
	}
}

func TestBrokenEnvironmentsAreErrors(t *testing.T) {
	for _, test := range []struct{ name, change, want string }{
		{"slurm-het", "", `Slurm job "7": SLURM_HET_SIZE: 2: the parts of a heterogeneous job are not one list of nodes: name the hosts with --host or --hostfile`},
		{"slurm-salloc", "SLURM_HET_SIZE=x", `Slurm job "2": SLURM_HET_SIZE: "x": expected a number of 1 or more`},
		{"slurm-salloc", "SLURM_JOB_NODELIST= SLURM_NODELIST=", `Slurm job "2": SLURM_JOB_NODELIST: not set`},
		{"slurm-salloc", "SLURM_JOB_NODELIST=n[1-", `Slurm job "2": SLURM_JOB_NODELIST: character 2: "[1-": a bracket that is not closed`},
		{"slurm-salloc", "SLURM_JOB_NODELIST= SLURM_NODELIST=n1,n2,x;y", `Slurm job "2": SLURM_NODELIST: character 8: ";y": expected a host: letters, digits, '.', '_' and '-', not beginning with '-'`},
		{"slurm-salloc", "SLURM_JOB_NODELIST=n1,n1", `Slurm job "2": SLURM_JOB_NODELIST: "n1" is listed twice`},
		{"slurm-salloc", "SLURM_JOB_NODELIST=n[1-3]", `Slurm job "2": SLURM_TASKS_PER_NODE: "4,2" is for 2: expected one number for each of the 3 nodes in SLURM_JOB_NODELIST`},
		{"slurm-salloc", "SLURM_TASKS_PER_NODE=4,x", `Slurm job "2": SLURM_TASKS_PER_NODE: character 3: "x": expected a number, or one with how often it is meant as in 2(x3)`},
		{"slurm-salloc", "SLURM_TASKS_PER_NODE= SLURM_JOB_CPUS_PER_NODE=", `Slurm job "2": SLURM_JOB_CPUS_PER_NODE: not set`},
		{"slurm-salloc", "SLURM_NTASKS=0", `Slurm job "2": SLURM_NTASKS: "0": expected a number of 1 or more`},
		{"slurm-step-one", "SLURM_JOB_CPUS_PER_NODE=4", `Slurm job "6": SLURM_JOB_CPUS_PER_NODE: "4" is for 1: expected one number for each of the 2 nodes in SLURM_JOB_NODELIST`},
		{"slurm-step-one", "SLURM_CPUS_PER_TASK=-1", `Slurm job "6": SLURM_CPUS_PER_TASK: "-1": expected a number of 1 or more`},
		{"slurm-step-task", "SLURM_PROCID=", `Slurm job "6": SLURM_PROCID: not set`},
		{"slurm-step-task", "SLURM_PROCID=5", `Slurm job "6": SLURM_PROCID: 5: expected less than SLURM_STEP_NUM_TASKS, which is 5`},
		{"slurm-step-task", "SLURM_PROCID=\x1b[2J", `Slurm job "6": SLURM_PROCID: "\x1b[2J": expected a number of 0 or more`},
		{"pbs-pro", "PBS_NODEFILE=", `PBS job "1047.pbs.example.org": PBS_NODEFILE: not set`},
		{"pbs-pro", "PBS_NODEFILE=/aux/missing", `PBS job "1047.pbs.example.org": PBS_NODEFILE: open testdata/missing: no such file or directory`},
		{"pbs-pro", "PBS_NODEFILE=/aux/flux-run.R", `PBS job "1047.pbs.example.org": PBS_NODEFILE: /aux/flux-run.R:1:1: "{\"version\":1,\"execution\":{\"R_lite\":[{\"rank\":\"4-5\",\"children\""…: expected an IPv6 address; where slots follow it is written as in [::1]:4`},
		{"lsf", "LSB_DJOB_HOSTFILE=missing", `LSF job "4711": LSB_DJOB_HOSTFILE: open testdata/missing: no such file or directory`},
		{"lsf-old", "LSB_MCPU_HOSTS=", `LSF job "4711": LSB_MCPU_HOSTS: not set, nor is LSB_DJOB_HOSTFILE`},
		{"lsf-old", "LSB_MCPU_HOSTS=hostA", `LSF job "4711": LSB_MCPU_HOSTS: character 1: "hostA": expected a number of slots behind the host`},
		{"sge", "PE_HOSTFILE=missing", `SGE job "99": PE_HOSTFILE: open testdata/missing: no such file or directory`},
		{"sge", "JOB_ID= PE_HOSTFILE=missing", `SGE job: PE_HOSTFILE: open testdata/missing: no such file or directory`},
		{"flux-run", "FLUX_JOB_ID=f4", `Flux job "f4": FLUX_JOB_ID: asking for the hosts: no command "flux job info f4 R"`},
		{"flux-run", "FLUX_TASK_RANK=4", `Flux job "f3ghmgCpw": FLUX_TASK_RANK: 4: expected less than FLUX_JOB_SIZE, which is 4`},
	} {
		env := environment(t, test.name)
		for change := range strings.FieldsSeq(test.change) {
			name, value, _ := strings.Cut(change, "=")
			env[name] = value
		}
		_, err := Find(system(env, test.name+".R"))
		var e *Error
		if !errors.As(err, &e) || err.Error() != test.want || !strings.Contains(test.want, e.Variable+": ") {
			t.Errorf("%s with %q\n got: %v\nwant: %s", test.name, test.change, err, test.want)
		}
		if missing := strings.Contains(test.want, "no such file"); missing != errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v: is it fs.ErrNotExist? want %v", err, missing)
		}
	}
}

func TestResourcesOfFluxAreChecked(t *testing.T) {
	const says = `Flux job: FLUX_URI: ["flux" "kvs" "get" "resource.R"] says: `
	for text, want := range map[string]string{
		``:               "unexpected end of JSON input",
		`[]`:             "json: cannot unmarshal array into Go value of type scheduler.resourceSet",
		`{"version": 2}`: "version 2 of a resource set: expected 1",
		`{"version": 1}`: "nodelist has 0 hosts and R_lite 0: expected as many, and some",
		`{"version": 1, "execution": {"nodelist": ["a["]}}`:                                                                       `nodelist: character 2: "[": a bracket that is not closed`,
		`{"version": 1, "execution": {"nodelist": ["a", "a"]}}`:                                                                   `"a" is listed twice`,
		`{"version": 1, "execution": {"nodelist": ["a[1-40000]", "b[1-40000]"]}}`:                                                 `expected 65536 hosts at most`,
		`{"version": 1, "execution": {"nodelist": ["a,b"], "R_lite": [{"rank": "0", "children": {"core": "0-1"}}]}}`:              "nodelist has 2 hosts and R_lite 1: expected as many, and some",
		`{"version": 1, "execution": {"nodelist": ["a"], "R_lite": [{"rank": "0-1", "children": {"core": "0-1"}}]}}`:              "nodelist has 1 hosts and R_lite has more",
		`{"version": 1, "execution": {"nodelist": ["a"], "R_lite": [{"rank": "0-", "children": {"core": "0-1"}}]}}`:               `rank "0-": expected a set of numbers such as 0-3,7`,
		`{"version": 1, "execution": {"nodelist": ["a"], "R_lite": [{"rank": "0", "children": {"core": "0-999999"}}]}}`:           `core "0-999999": expected a set of numbers such as 0-3,7`,
		`{"version": 1, "execution": {"nodelist": ["a"], "R_lite": [{"rank": "0", "children": {}}]}}`:                             `core "": expected a set of numbers such as 0-3,7`,
		`{"version": 1, "execution": {"nodelist": ["a"], "R_lite": [{"rank": "0", "children": {"core": "0"}}]}, "more": [1, {}]}`: "",
	} {
		s := system(map[string]string{"FLUX_URI": "local:///x"}, "")
		s.Output = func(...string) ([]byte, error) { return []byte(text), nil }
		a, err := Find(s)
		switch {
		case want == "":
			if got := show(a); err != nil || got != `Flux "", 0 tasks: a:1` {
				t.Errorf("%s: %s %v", text, got, err)
			}
		case err == nil || err.Error() != says+want:
			t.Errorf("%s\n got: %v\nwant: %s", text, err, says+want)
		}
	}
}

// The environment is the user's, or comes from where the user has no say: whatever
// it holds, no more than MaxHosts hosts with harmless names come of it.
func FuzzSlurm(f *testing.F) {
	f.Add("n[1-2]", "4,2", "4,2", "1", "")
	f.Add("n[1-3,07-12],gpu[01-02]-ib", "2(x11)", "", "", "0")
	f.Fuzz(func(t *testing.T, nodes, tasks, cpus, perTask, step string) {
		env := map[string]string{
			"SLURM_JOB_ID": "1", "SLURM_JOB_NODELIST": nodes, "SLURM_TASKS_PER_NODE": tasks, "SLURM_JOB_CPUS_PER_NODE": cpus,
			"SLURM_CPUS_PER_TASK": perTask, "SLURM_STEP_ID": step,
		}
		a, err := Find(system(env, ""))
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || !slices.Contains(slices.Collect(maps.Keys(env)), e.Variable) {
				t.Fatalf("%v does not name the variable", err)
			}
			return
		}
		if len(a.Hosts) == 0 {
			t.Fatal("no hosts and no error")
		}
		for _, h := range a.Hosts {
			if h.Slots < 1 {
				t.Fatalf("%+v", h)
			}
		}
	})
}
