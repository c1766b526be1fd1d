package rendezvous

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// lookup is an environment of lines NAME=VALUE.
func lookup(lines string) func(string) (string, bool) {
	env := make(map[string]string)
	for line := range strings.Lines(lines) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			env[name] = value
		}
	}
	return func(name string) (string, bool) { v, ok := env[name]; return v, ok }
}

// What Slurm 22.05 sets, as far as anybody here looks at it.
const (
	inSlurmStep = `
SLURM_JOB_ID=7
SLURM_STEP_ID=0
SLURM_STEPID=0
SLURM_PROCID=1
SLURM_LOCALID=0
SLURM_NODEID=1
SLURM_NTASKS=4
SLURM_NPROCS=4
SLURM_STEP_NUM_TASKS=4
SLURM_STEP_NUM_NODES=2
SLURM_STEP_NODELIST=n[1-2]
SLURM_STEP_TASKS_PER_NODE=2(x2)
SLURMD_NODENAME=n2
SLURM_LAUNCH_NODE_IPADDR=10.0.0.1
SLURM_SRUN_COMM_HOST=10.0.0.2
`
	withPMI2 = inSlurmStep + `
SLURM_MPI_TYPE=pmi2
PMI_FD=11
PMI_JOBID=7.0
PMI_RANK=1
PMI_SIZE=4
`
	inSlurmBatch = `
SLURM_JOB_ID=4
SLURM_PROCID=0
SLURM_LOCALID=0
SLURM_NODEID=0
SLURM_NTASKS=4
SLURM_NPROCS=4
SLURM_TASKS_PER_NODE=2(x2)
SLURM_JOB_NODELIST=n[1-2]
SLURMD_NODENAME=n1
`
	inSalloc = `
SLURM_JOB_ID=3
SLURM_NTASKS=4
SLURM_NPROCS=4
SLURM_JOB_NODELIST=n[1-2]
`
	inPod = `
MUSTER_RENDEZVOUS=solver-0.solver.science.svc:7777
MUSTER_SIZE=16
MUSTER_TOKEN_FILE=/var/run/secrets/muster/token
MUSTER_RUN=1f2e
MUSTER_RANK=3
JOB_COMPLETION_INDEX=3
`
	inHydra = `
MPI_LOCALNRANKS=2
MPI_LOCALRANKID=1
PMI_FD=8
PMI_RANK=1
PMI_SIZE=2
`
)

func TestWhatTheEnvironmentSaysOfAProcess(t *testing.T) {
	for _, c := range []struct {
		name, env  string
		rank, size int    // 0 of 1: alone
		err        string // or what the error says
	}{
		{"nothing", "", 0, 1, ""},
		{"a step with PMI", withPMI2, 1, 4, ""},
		{"a step without PMI", inSlurmStep, 0, 0, "task 1 of 4 of Slurm step 7.0, which was started without PMI: use `srun --mpi=pmi2 PROGRAM`, or `muster run PROGRAM` in the allocation"},
		{"a step with PMIx", inSlurmStep + "SLURM_MPI_TYPE=pmix\nPMIX_RANK=1\nPMIX_NAMESPACE=x", 0, 0, "without PMI (its --mpi is pmix): use `srun --mpi=pmi2 PROGRAM`"},
		{"a step of one task", strings.ReplaceAll(inSlurmStep, "TASKS=4", "TASKS=1"), 0, 1, ""},
		{"a step of one task with PMI", strings.ReplaceAll(strings.NewReplacer("TASKS=4", "TASKS=1", "PMI_SIZE=4", "PMI_SIZE=1", "PMI_RANK=1", "PMI_RANK=0").Replace(withPMI2), "PROCID=1", "PROCID=0"), 0, 1, ""},
		{"a step that says it the old way", strings.ReplaceAll(inSlurmStep, "SLURM_STEP_NUM_TASKS", "IGNORED"), 0, 0, "srun --mpi=pmi2"},
		{"a batch script", inSlurmBatch, 0, 1, ""},
		{"the shell of salloc", inSalloc, 0, 1, ""},
		{"alone on request", withPMI2 + "MUSTER_ALONE=1", 0, 1, ""},
		{"alone on request without PMI", inSlurmStep + "MUSTER_ALONE=1", 0, 1, ""},
		{"not alone", inSlurmStep + "MUSTER_ALONE=0", 0, 0, "srun --mpi=pmi2"},
		{"alone perhaps", "MUSTER_ALONE=yes", 0, 0, `MUSTER_ALONE="yes", want "1"`},
		{"a pod", inPod, 3, 16, ""},
		{"a pod with its index only", strings.ReplaceAll(inPod, "MUSTER_RANK=3", ""), 3, 16, ""},
		{"a pod of one", strings.NewReplacer("SIZE=16", "SIZE=1", "RANK=3", "RANK=0").Replace(inPod), 0, 1, ""},
		{"a pod without rank", "MUSTER_RENDEZVOUS=a:1\nMUSTER_SIZE=2\nMUSTER_TOKEN_FILE=/t", 0, 0, "neither MUSTER_RANK nor JOB_COMPLETION_INDEX is set"},
		{"a pod without size", "MUSTER_RENDEZVOUS=a:1\nMUSTER_RANK=0", 0, 0, "MUSTER_SIZE is not set"},
		{"a pod without token", "MUSTER_RENDEZVOUS=a:1\nMUSTER_RANK=0\nMUSTER_SIZE=2", 0, 0, "MUSTER_TOKEN_FILE is not set"},
		{"a pod with a bad size", strings.ReplaceAll(inPod, "SIZE=16", "SIZE=many"), 0, 0, `MUSTER_SIZE="many", want a number of at least 1`},
		{"a pod too many", strings.ReplaceAll(inPod, "SIZE=16", "SIZE=3"), 0, 0, "rank 3 of 3"},
		{"a pod without port", strings.ReplaceAll(inPod, ":7777", ""), 0, 0, `"solver-0.solver.science.svc" is no host:port`},
		{"a pod of another Job", "JOB_COMPLETION_INDEX=0", 0, 0, "make the Job by `muster manifest kubernetes`"},
		{"a time limit", inPod + "MUSTER_START_TIMEOUT=soon", 0, 0, `MUSTER_START_TIMEOUT="soon", want a time`},
		{"a policy", inPod + "MUSTER_ON_FAILURE=ignore", 0, 0, `MUSTER_ON_FAILURE="ignore", want "abort" or "return"`},
		{"Hydra", inHydra, 1, 2, ""},
		{"Hydra that Slurm has started", inHydra + inSlurmStep, 1, 2, ""},
		{"PMI without size", "PMI_FD=5\nPMI_RANK=0", 0, 0, "PMI_SIZE is not set"},
		{"PMI without descriptor", "PMI_RANK=0\nPMI_SIZE=2", 0, 0, "this process is one of 2 (PMI_SIZE) that were started without a way to meet"},
		{"Flux without PMI", "FLUX_TASK_RANK=0\nFLUX_JOB_SIZE=8", 0, 0, "one of 8 (FLUX_JOB_SIZE)"},
		{"Open MPI", "OMPI_COMM_WORLD_SIZE=4\nOMPI_COMM_WORLD_RANK=0\nPMIX_RANK=0\n", 0, 0, "another MPI's launcher"},
		{"Open MPI in an allocation", inSlurmStep + "OMPI_COMM_WORLD_SIZE=8", 0, 0, "another MPI's launcher"},
		{"Open MPI alone", "OMPI_COMM_WORLD_SIZE=1", 0, 1, ""},
	} {
		p, err := Find(lookup(c.env))
		switch {
		case c.err != "":
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %v; want an error that says %q", c.name, err, c.err)
			}
		case err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.size == 1:
			if p != nil {
				t.Errorf("%s: rank %d of %d, want a world of one", c.name, p.Rank, p.Size)
			}
		case p == nil || p.Rank != c.rank || p.Size != c.size:
			t.Errorf("%s: %+v, want rank %d of %d", c.name, p, c.rank, c.size)
		}
	}
}

func TestSlurmNamesTheHost(t *testing.T) {
	p, err := Find(lookup(withPMI2))
	if err != nil {
		t.Fatal(err)
	}
	if p.host != "n2" || p.names[0] != "n2" || p.oneHost || p.starter != "Slurm step 7.0" || !slices.Equal(p.towards, []string{"10.0.0.1", "10.0.0.2"}) {
		t.Errorf("%+v", p)
	}
	other, err := Find(lookup(strings.ReplaceAll(withPMI2, "NODEID=1", "NODEID=0")))
	if err != nil || other.domain == p.domain {
		t.Errorf("two nodes of a step are both %q", p.domain)
	}
	one, err := Find(lookup(strings.ReplaceAll(withPMI2, "NUM_NODES=2", "NUM_NODES=1")))
	if err != nil || !one.oneHost {
		t.Errorf("a step of one node is of several hosts: %+v, %v", one, err)
	}
}

func TestTheAddressOfARankIsTheOneOthersReach(t *testing.T) {
	names := map[string]string{
		"n1": "10.0.0.1", "n2": "10.0.0.2", "debian": "127.0.1.1", "two": "10.0.0.1 fd00::1 10.9.9.9", "six": "fd00::1",
	}
	net := func(own string) network {
		return network{
			own: func() (list []netip.Addr, err error) {
				for a := range strings.FieldsSeq(own) {
					list = append(list, netip.MustParseAddr(a))
				}
				return list, nil
			},
			resolve: func(_ context.Context, name string) (list []netip.Addr, err error) {
				if names[name] == "" {
					return nil, errors.New("no such host: " + name)
				}
				for a := range strings.FieldsSeq(names[name]) {
					list = append(list, netip.MustParseAddr(a))
				}
				return list, nil
			},
			route: func(to string) (netip.Addr, error) {
				if to == "127.0.0.1" {
					return netip.MustParseAddr("127.0.0.1"), nil
				}
				return netip.MustParseAddr("10.0.0.1"), nil
			},
		}
	}
	const usual = "127.0.0.1 ::1 172.17.0.1 10.0.0.1 fd00::1 fe80::1"
	for _, c := range []struct {
		name, own string
		place     Place
		want      string // or part of the error, after !
	}{
		{"the scheduler's name", usual, Place{names: []string{"n1", "debian"}}, "10.0.0.1"},
		{"a name of several addresses", usual, Place{names: []string{"two"}}, "10.0.0.1 fd00::1"},
		{"IPv6 only", "::1 fd00::1", Place{names: []string{"two"}}, "fd00::1"},
		{"another host's name", usual, Place{names: []string{"n2", "n1"}}, "10.0.0.1"},
		{"loopback's name, and a way out", usual, Place{names: []string{"debian"}, towards: []string{"127.0.0.1", "10.0.0.9"}}, "10.0.0.1"},
		{"no name and no way", usual, Place{names: []string{"nobody"}}, "172.17.0.1 10.0.0.1 fd00::1"},
		{"one host", usual, Place{names: []string{"n1"}, oneHost: true}, "127.0.0.1"},
		{"one host without loopback", "10.0.0.1", Place{names: []string{"n1"}, oneHost: true}, "10.0.0.1"},
		{"one host of IPv6", "::1", Place{oneHost: true}, "::1"},
		{"nothing but loopback", "127.0.0.1", Place{names: []string{"debian"}}, "127.0.0.1"},
		{"an address", usual, Place{names: []string{"::1", "n1"}}, "::1"},
		{"another host's address", usual, Place{names: []string{"10.0.0.7"}, host: "n1"}, "!10.0.0.7 is no address of this host, n1"},
		{"nothing", "", Place{names: []string{"nobody"}}, "!no such host: nobody"},
		{"link-local only", "fe80::1", Place{}, "!no interface is up"},
	} {
		got, err := net(c.own).addresses(context.Background(), &c.place)
		if part, ok := strings.CutPrefix(c.want, "!"); ok {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v, %v; want an error that says %q", c.name, got, err, part)
			}
			continue
		}
		var list []string
		for _, a := range got {
			list = append(list, a.String())
		}
		if strings.Join(list, " ") != c.want {
			t.Errorf("%s: %v, %v; want %s", c.name, list, err, c.want)
		}
	}
}

func TestAnInvitationArrivesAsItWasWritten(t *testing.T) {
	i := invitation{token: make([]byte, tokenBytes), fingerprint: make([]byte, tokenBytes), addresses: []string{"10.0.0.1:7", "[fd00::1]:7"}}
	i.token[3], i.fingerprint[4] = 9, 8
	text := i.text()
	if strings.ContainsAny(text, "; \n=") || len(text) > 1024 {
		t.Errorf("%q holds what separates in PMI, or is too long for it", text)
	}
	got, err := parseInvitation(text)
	if err != nil || got.text() != text {
		t.Errorf("%q became %q, %v", text, got.text(), err)
	}
	for _, bad := range []string{"", "2" + text[1:], text[:20], strings.Replace(text, "0", "g", 1), strings.ReplaceAll(text, ":7", "")} {
		if _, err := parseInvitation(bad); !errors.Is(err, errInvitation) {
			t.Errorf("%q: %v, want errInvitation", bad, err)
		}
	}
}

func FuzzParseInvitation(f *testing.F) {
	i := invitation{token: make([]byte, tokenBytes), fingerprint: make([]byte, tokenBytes), addresses: []string{"10.0.0.1:7"}}
	f.Add(i.text())
	f.Fuzz(func(t *testing.T, text string) {
		if i, err := parseInvitation(text); err == nil && (len(i.token) != tokenBytes || len(i.addresses) == 0) {
			t.Errorf("%q is taken for %+v", text, i)
		}
	})
}

func TestOnlyHostNamesAreNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"n1": true, "a.b-c_d": true, "fd00::1": true,
		"": false, "a b": false, "a\x1b]0;x\a": false, "ä": false, strings.Repeat("a", 254): false,
	} {
		if validHost(name) != ok {
			t.Errorf("%q: %v, want %v", name, !ok, ok)
		}
	}
}
