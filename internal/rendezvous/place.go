package rendezvous

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/muster-mpi/muster/internal/boot"
)

// The variables of a process that joins without a launcher. The first rank reads
// EnvOnFailure for all.
const (
	EnvAlone        = "MUSTER_ALONE"         // "1": a world of one, whatever started the process
	EnvRendezvous   = "MUSTER_RENDEZVOUS"    // host:port of rank 0
	EnvTokenFile    = "MUSTER_TOKEN_FILE"    // file that holds what only processes of the job know
	EnvRun          = "MUSTER_RUN"           // tells apart jobs that share a token, one after the other
	EnvStartTimeout = "MUSTER_START_TIMEOUT" // how long ranks wait for each other, as "90s"
	EnvOnFailure    = "MUSTER_ON_FAILURE"    // "abort" or "return"
)

// Place is where a process stands in a job whose ranks somebody else than muster has
// started.
type Place struct {
	Rank, Size int

	host    string // the scheduler's name of this host
	domain  string // the same for ranks of one host and for no others
	starter string // what started the process, for messages

	// By PMI.
	pmiFD  int // 0: none
	pmiJob string

	// By an address and a token.
	rendezvous string // host:port
	tokenFile  string
	run        string

	names    []string // under which the other hosts may know this one
	towards  []string // addresses that the way to the other hosts leads to
	oneHost  bool     // all ranks are on this host
	patience time.Duration
	returns  bool // failure policy
}

// Environment is how Find looks at the environment: os.LookupEnv.
type environment func(string) (string, bool)

func (e environment) get(name string) string {
	v, _ := e(name)
	return v
}

func (e environment) has(name string) bool {
	_, ok := e(name)
	return ok
}

// number returns the value of a variable that must hold a number of at least least.
func (e environment) number(name string, least int) (int, error) {
	v, ok := e(name)
	if !ok {
		return 0, fmt.Errorf("%s is not set", name)
	}
	n, err := strconv.Atoi(strings.TrimSpace(v))
	if err != nil || n < least {
		return 0, fmt.Errorf("%s=%q, want a number of at least %d", name, v, least)
	}
	return n, nil
}

// several reports whether a variable holds a number above 1.
func (e environment) several(name string) bool {
	n, err := e.number(name, 2)
	return err == nil && n > 1
}

const (
	schedulerPatience  = time.Minute
	kubernetesPatience = 10 * time.Minute // images are pulled
)

// Find says where the environment puts this process: nil where it is alone. A process
// that is one of several by the environment, without a way to meet the others, is an
// error that says what to do: never a world of one by accident.
func Find(lookup func(string) (string, bool)) (*Place, error) {
	env := environment(lookup)
	switch v := env.get(EnvAlone); v {
	case "", "0":
	case "1":
		return nil, nil
	default:
		return nil, fmt.Errorf("%s=%q, want \"1\" for a world of one process, or nothing", EnvAlone, v)
	}
	p, err := find(env)
	if p == nil || err != nil {
		return nil, err
	}
	if p.Rank >= p.Size {
		return nil, fmt.Errorf("%s says that this is rank %d of %d", p.starter, p.Rank, p.Size)
	}
	if p.Size == 1 {
		return nil, nil
	}
	if v, ok := env(EnvStartTimeout); ok {
		if p.patience, err = time.ParseDuration(v); err != nil || p.patience <= 0 {
			return nil, fmt.Errorf("%s=%q, want a time as \"90s\"", EnvStartTimeout, v)
		}
	}
	switch v := env.get(EnvOnFailure); v {
	case "", "abort":
	case "return":
		p.returns = true
	default:
		return nil, fmt.Errorf("%s=%q, want \"abort\" or \"return\"", EnvOnFailure, v)
	}
	return p, nil
}

func find(env environment) (*Place, error) {
	switch {
	case env.has(EnvRendezvous):
		return findAddress(env)
	case env.has("PMI_FD"):
		return findPMI(env)
	}
	return nil, unmet(env)
}

// findAddress is for a process that was told rank 0's address, as the pods of muster's
// manifest for Kubernetes are.
func findAddress(env environment) (*Place, error) {
	p := &Place{
		rendezvous: env.get(EnvRendezvous), tokenFile: env.get(EnvTokenFile), run: env.get(EnvRun),
		host: boot.LocalHost(), starter: EnvRendezvous, patience: kubernetesPatience,
	}
	p.domain = hostDomain()
	host, port, err := splitAddress(p.rendezvous)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", EnvRendezvous, err)
	}
	p.rendezvous, p.names = joinAddress(host, port), []string{host, p.host}
	if p.Size, err = env.number(boot.EnvSize, 1); err != nil {
		return nil, fmt.Errorf("%s names rank 0 of a job, but %w: the number of its ranks", EnvRendezvous, err)
	}
	rank := boot.EnvRank
	if !env.has(rank) {
		rank = "JOB_COMPLETION_INDEX"
	}
	if p.Rank, err = env.number(rank, 0); err != nil {
		if rank != boot.EnvRank {
			err = fmt.Errorf("neither %s nor %s is set", boot.EnvRank, rank)
		}
		return nil, fmt.Errorf("%s names rank 0 of a job, but %w: the rank of this process", EnvRendezvous, err)
	}
	if p.tokenFile == "" && p.Size > 1 {
		return nil, fmt.Errorf("%s names rank 0 of a job, but %s is not set: the file that holds its token", EnvRendezvous, EnvTokenFile)
	}
	return p, nil
}

// findPMI is for a process whose starter speaks the process management interface:
// Slurm with --mpi=pmi2, Flux, Hydra.
func findPMI(env environment) (*Place, error) {
	fd, err := env.number("PMI_FD", 3)
	if err != nil {
		return nil, err
	}
	p := &Place{
		pmiFD: fd, pmiJob: env.get("PMI_JOBID"), starter: "PMI",
		host: boot.LocalHost(), domain: hostDomain(), patience: schedulerPatience,
	}
	if p.Rank, err = env.number("PMI_RANK", 0); err != nil {
		return nil, err
	}
	if p.Size, err = env.number("PMI_SIZE", 1); err != nil {
		return nil, err
	}
	p.names = []string{p.host}
	p.oneHost = env.get("MPI_LOCALNRANKS") == env.get("PMI_SIZE")
	if tasks, err := stepTasks(env); err == nil && tasks == p.Size {
		p.inStep(env)
	}
	return p, nil
}

// inStep adds what Slurm says of this host.
func (p *Place) inStep(env environment) {
	p.starter = slurmStep(env)
	if name := env.get("SLURMD_NODENAME"); validHost(name) {
		p.host = name
		p.names = []string{name, boot.LocalHost()}
	}
	if id := env.get("SLURM_NODEID"); id != "" {
		p.domain = "slurm node " + id
	}
	for _, name := range []string{"SLURM_LAUNCH_NODE_IPADDR", "SLURM_SRUN_COMM_HOST"} {
		if v := env.get(name); v != "" {
			p.towards = append(p.towards, v)
		}
	}
	p.oneHost = env.get("SLURM_STEP_NUM_NODES") == "1"
}

func slurmStep(env environment) string {
	return fmt.Sprintf("Slurm step %s.%s", env.get("SLURM_JOB_ID"), env.get("SLURM_STEP_ID"))
}

// stepTasks returns how many tasks the process's Slurm step has. A batch script and
// the shell of salloc are in no step, though they have a number of tasks.
func stepTasks(env environment) (int, error) {
	if !env.has("SLURM_STEP_ID") || !env.has("SLURM_PROCID") {
		return 0, fmt.Errorf("no step of Slurm")
	}
	if env.has("SLURM_STEP_NUM_TASKS") {
		return env.number("SLURM_STEP_NUM_TASKS", 1)
	}
	return env.number("SLURM_NTASKS", 1)
}

const alone = "; " + EnvAlone + "=1 makes each process a world of its own"

// unmet says what to do where the process is one of several and has no way to meet the
// others. It returns nil where the process is alone.
func unmet(env environment) error {
	if env.has("PMIX_RANK") && !env.has("SLURM_STEP_ID") || env.several("OMPI_COMM_WORLD_SIZE") {
		// An mpirun that uses Slurm leaves the variables of a step of its own.
		return fmt.Errorf("this process was started by another MPI's launcher, which muster's ranks do not meet by: use `muster run -n N PROGRAM`" + alone)
	}
	if tasks, err := stepTasks(env); err == nil && tasks > 1 {
		how := ""
		if kind := env.get("SLURM_MPI_TYPE"); kind != "" && kind != "none" {
			how = fmt.Sprintf(" (its --mpi is %s)", kind)
		}
		return fmt.Errorf("this is task %s of %d of %s, which was started without PMI%s: "+
			"use `srun --mpi=pmi2 PROGRAM`, or `muster run PROGRAM` in the allocation"+alone,
			env.get("SLURM_PROCID"), tasks, slurmStep(env), how)
	}
	if env.has("JOB_COMPLETION_INDEX") {
		return fmt.Errorf("this is pod %s of an indexed Job of Kubernetes, which says nothing of the others: "+
			"make the Job by `muster manifest kubernetes`"+alone, env.get("JOB_COMPLETION_INDEX"))
	}
	several := []string{"PMI_SIZE", "MV2_COMM_WORLD_SIZE", "FLUX_JOB_SIZE", "PALS_SIZE"}
	if i := slices.IndexFunc(several, env.several); i >= 0 {
		return fmt.Errorf("this process is one of %s (%s) that were started without a way to meet (no PMI_FD): "+
			"use `muster run -n N PROGRAM`"+alone, env.get(several[i]), several[i])
	}
	return nil
}

// hostDomain tells this host from others: two of the same name are apart by the boot
// of their kernel, and containers of one kernel by their names.
func hostDomain() string {
	boot1, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return boot.LocalHost()
	}
	return strings.TrimSpace(string(boot1)) + " " + boot.LocalHost()
}

// validHost reports whether a name can be a host's and is safe to print.
func validHost(name string) bool {
	return name != "" && len(name) <= 253 && !strings.ContainsFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-:", r))
	})
}
