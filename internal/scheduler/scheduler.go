// Package scheduler finds out which hosts a batch system has given to the job that
// this process runs in.
//
//	Slurm   SLURM_JOB_ID, SLURM_JOB_NODELIST, SLURM_TASKS_PER_NODE, SLURM_JOB_CPUS_PER_NODE
//	PBS     PBS_JOBID and the file PBS_NODEFILE; OpenPBS, PBS Professional and Torque
//	LSF     LSB_JOBID and the file LSB_DJOB_HOSTFILE, or LSB_MCPU_HOSTS
//	SGE     the file PE_HOSTFILE, JOB_ID; Grid Engine in all its forms
//	Flux    FLUX_URI, and what the command flux says: the environment names no hosts
//
// Slurm's names of nodes are what srun --nodelist takes; they need not be names of
// the network. SLURMD_NODENAME is not looked at: the environment may have travelled.
package scheduler

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/muster-mpi/muster/internal/hostfile"
)

// Kind is a batch system.
type Kind string

const (
	Slurm Kind = "Slurm"
	PBS   Kind = "PBS"
	LSF   Kind = "LSF"
	SGE   Kind = "SGE"
	Flux  Kind = "Flux"
)

// Allocation is what a batch system has given to a job.
type Allocation struct {
	Kind  Kind
	Job   string          // as the batch system calls it; may be empty
	Hosts []hostfile.Host // in its order, each once, with the slots that the job has there
	Tasks int             // how many the job was asked for with; 0: that was not said

	// A process that the batch system has started several of is task Task of Of,
	// from 0. Of is 1 for a script or a shell.
	Task, Of int
}

// Error is a batch system's environment that does not make sense.
type Error struct {
	Kind     Kind
	Job      string
	Variable string // at fault
	Err      error
}

func (e *Error) Error() string {
	job := ""
	if e.Job != "" {
		job = fmt.Sprintf(" %.40q", e.Job)
	}
	return fmt.Sprintf("%s job%s: %s: %v", e.Kind, job, e.Variable, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

var errNotSet = errors.New("not set")

// System is what Find looks at.
type System struct {
	LookupEnv func(name string) (string, bool)
	ReadFile  func(name string) ([]byte, error)
	Output    func(argv ...string) ([]byte, error) // of a command, standard output
}

// Find returns the allocation that this process runs in; nil if it runs in none.
// An environment that contradicts itself, or names a file that cannot be read, is
// an *Error. Where one batch system was started within another, the inner one
// counts as far as it can be told: Flux before the others.
func Find(s System) (*Allocation, error) {
	for _, system := range []struct {
		kind  Kind
		marks []string // any of them means that it is there, and is the job's name
		fill  func(*finder) error
	}{
		{Flux, []string{"FLUX_JOB_ID", "FLUX_URI"}, (*finder).flux},
		{Slurm, []string{"SLURM_JOB_ID", "SLURM_JOBID"}, (*finder).slurm},
		{LSF, []string{"LSB_JOBID"}, (*finder).lsf},
		{PBS, []string{"PBS_JOBID"}, (*finder).pbs},
		{SGE, []string{"PE_HOSTFILE"}, (*finder).sge},
	} {
		for _, mark := range system.marks {
			job := (&finder{System: s}).get(mark)
			if job == "" {
				continue
			}
			f := &finder{System: s, a: Allocation{Kind: system.kind, Job: job, Of: 1}}
			if err := system.fill(f); err != nil {
				return nil, err
			}
			return &f.a, nil
		}
	}
	return nil, nil
}

// A finder is Find under way.
type finder struct {
	System
	a Allocation
}

// get returns the value of a variable, empty if it is not set.
func (f *finder) get(name string) string {
	value, _ := f.LookupEnv(name)
	return value
}

func (f *finder) wrong(variable string, err error) error {
	return &Error{Kind: f.a.Kind, Job: f.a.Job, Variable: variable, Err: at(variable, err)}
}

// at removes from err the name of the variable that will stand before it.
func at(variable string, err error) error {
	var e *hostfile.Error
	if errors.As(err, &e) && e.File == variable {
		plain := *e
		plain.File = ""
		return &plain
	}
	return err
}

// number reads a variable that is a number of at least low; low-1 if it is not set.
func (f *finder) number(name string, low int) (int, error) {
	text := f.get(name)
	if text == "" {
		return low - 1, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > 1<<30 {
		return 0, f.wrong(name, fmt.Errorf("%.60q: expected a number of %d or more", text, low))
	}
	return n, nil
}

// task sets which task of how many this process is.
func (f *finder) task(rank, size string) error {
	of, err := f.number(size, 1)
	if err != nil || of == 0 {
		return err
	}
	task, err := f.number(rank, 0)
	switch {
	case err != nil:
		return err
	case task < 0 && of > 1:
		return f.wrong(rank, errNotSet)
	case task >= of:
		return f.wrong(rank, fmt.Errorf("%d: expected less than %s, which is %d", task, size, of))
	}
	f.a.Task, f.a.Of = max(task, 0), of
	return nil
}

// file reads the host file that a variable names.
func (f *finder) file(variable string) error {
	path := f.get(variable)
	if path == "" {
		return f.wrong(variable, errNotSet)
	}
	data, err := f.ReadFile(path)
	if err != nil {
		return f.wrong(variable, err)
	}
	if f.a.Hosts, err = hostfile.Parse(bytes.NewReader(data), path); err != nil {
		return f.wrong(variable, err)
	}
	for i := range f.a.Hosts {
		f.a.Hosts[i].Counted = true
	}
	return nil
}

func (f *finder) pbs() error { return f.file("PBS_NODEFILE") }

func (f *finder) lsf() error {
	if f.get("LSB_DJOB_HOSTFILE") != "" {
		return f.file("LSB_DJOB_HOSTFILE")
	}
	const variable = "LSB_MCPU_HOSTS"
	pairs := f.get(variable)
	if pairs == "" {
		return f.wrong(variable, errors.New("not set, nor is LSB_DJOB_HOSTFILE"))
	}
	var err error
	if f.a.Hosts, err = hostfile.ParsePairs(pairs, variable); err != nil {
		return f.wrong(variable, err)
	}
	return nil
}

func (f *finder) sge() error {
	f.a.Job = f.get("JOB_ID")
	return f.file("PE_HOSTFILE")
}

// slurm reads what salloc and sbatch set for a job. Within a step SLURM_NTASKS and
// SLURM_TASKS_PER_NODE are the step's, and so no help.
func (f *finder) slurm() error {
	parts, err := f.number("SLURM_HET_SIZE", 1)
	switch {
	case err != nil:
		return err
	case parts > 1:
		return f.wrong("SLURM_HET_SIZE", fmt.Errorf("%d: the parts of a heterogeneous job are not one list of nodes: name the hosts with --host or --hostfile", parts))
	}
	variable, nodes := f.first("SLURM_JOB_NODELIST", "SLURM_NODELIST")
	if nodes == "" {
		return f.wrong(variable, errNotSet)
	}
	names, err := hostfile.Expand(nodes, variable)
	if err == nil {
		err = once(names)
	}
	if err != nil {
		return f.wrong(variable, err)
	}
	step := f.get("SLURM_STEP_ID") != ""
	if step {
		if err := f.task("SLURM_PROCID", "SLURM_STEP_NUM_TASKS"); err != nil {
			return err
		}
	} else if n, err := f.number("SLURM_NTASKS", 1); err != nil {
		return err
	} else {
		f.a.Tasks = n
	}
	slots, err := f.slurmSlots(len(names), step)
	if err != nil {
		return err
	}
	for i, name := range names {
		f.a.Hosts = append(f.a.Hosts, hostfile.Host{Name: name, Slots: slots[i], Counted: true})
	}
	return nil
}

// once says which name there is twice.
func once(names []string) error {
	seen := make(map[string]bool, len(names))
	for _, name := range names {
		if seen[name] {
			return fmt.Errorf("%.60q is listed twice", name)
		}
		seen[name] = true
	}
	return nil
}

// first returns the first of these variables that is set, or else the first.
func (f *finder) first(names ...string) (name, value string) {
	for _, name := range names {
		if value := f.get(name); value != "" {
			return name, value
		}
	}
	return names[0], ""
}

// slurmSlots returns the slots of each of the job's nodes: the tasks it was given
// there, or the processors divided by those of a task.
func (f *finder) slurmSlots(nodes int, step bool) ([]int, error) {
	variable, divisor := "SLURM_TASKS_PER_NODE", 1
	if step || f.get(variable) == "" {
		variable = "SLURM_JOB_CPUS_PER_NODE"
		n, err := f.number("SLURM_CPUS_PER_TASK", 1)
		if err != nil {
			return nil, err
		}
		divisor = max(n, 1)
	}
	text := f.get(variable)
	if text == "" {
		return nil, f.wrong(variable, errNotSet)
	}
	slots, err := hostfile.Counts(text, variable)
	switch {
	case err != nil:
		return nil, f.wrong(variable, err)
	case len(slots) != nodes:
		return nil, f.wrong(variable, fmt.Errorf("%.60q is for %d: expected one number for each of the %d nodes in SLURM_JOB_NODELIST", text, len(slots), nodes))
	}
	for i := range slots {
		slots[i] = min(max(slots[i]/divisor, 1), hostfile.MaxSlots)
	}
	return slots, nil
}

// flux asks Flux for the resources of the job, or of the instance if this is the
// script or shell that flux batch and flux alloc start: those have FLUX_URI alone.
func (f *finder) flux() error {
	argv, variable := []string{"flux", "kvs", "get", "resource.R"}, "FLUX_URI"
	if id := f.get("FLUX_JOB_ID"); id != "" {
		argv, variable = []string{"flux", "job", "info", id, "R"}, "FLUX_JOB_ID"
		if err := f.task("FLUX_TASK_RANK", "FLUX_JOB_SIZE"); err != nil {
			return err
		}
		f.a.Tasks = f.a.Of
	} else {
		f.a.Job = ""
	}
	out, err := f.Output(argv...)
	if err != nil {
		return f.wrong(variable, fmt.Errorf("asking for the hosts: %w", err))
	}
	if err := f.resources(out); err != nil {
		return f.wrong(variable, fmt.Errorf("%q says: %w", argv, err))
	}
	return nil
}

// A resourceSet is Flux's of version 1 (its RFC 20): a list of hosts, and groups of
// these, in the same order, which have the same cores.
type resourceSet struct {
	Version   int
	Execution struct {
		Nodes  []string `json:"nodelist"`
		Groups []struct {
			Ranks    string `json:"rank"`
			Children struct{ Core string }
		} `json:"R_lite"`
	}
}

func (f *finder) resources(text []byte) error {
	var r resourceSet
	if err := json.Unmarshal(text, &r); err != nil {
		return err
	}
	if r.Version != 1 {
		return fmt.Errorf("version %d of a resource set: expected 1", r.Version)
	}
	var names []string
	for _, list := range r.Execution.Nodes {
		more, err := hostfile.Expand(list, "nodelist")
		if err != nil {
			return err
		}
		if names = append(names, more...); len(names) > hostfile.MaxHosts {
			return fmt.Errorf("expected %d hosts at most", hostfile.MaxHosts)
		}
	}
	if err := once(names); err != nil {
		return err
	}
	next := 0
	for _, g := range r.Execution.Groups {
		ranks, err := idset(g.Ranks, "rank")
		if err != nil {
			return err
		}
		cores, err := idset(g.Children.Core, "core")
		if err != nil {
			return err
		}
		for range ranks {
			if next == len(names) {
				return fmt.Errorf("nodelist has %d hosts and R_lite has more", len(names))
			}
			f.a.Hosts = append(f.a.Hosts, hostfile.Host{Name: names[next], Slots: cores, Counted: true})
			next++
		}
	}
	if next == 0 || next < len(names) {
		return fmt.Errorf("nodelist has %d hosts and R_lite %d: expected as many, and some", len(names), next)
	}
	return nil
}

// idset counts a set of numbers such as 0-3,7.
func idset(text, name string) (int, error) {
	ids, err := hostfile.Expand("["+text+"]", name)
	if err != nil {
		return 0, fmt.Errorf("%s %.60q: expected a set of numbers such as 0-3,7", name, text)
	}
	return len(ids), nil
}
