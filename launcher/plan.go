package launcher

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/muster-mpi/muster/internal/boot"
	"github.com/muster-mpi/muster/internal/output"
	"github.com/muster-mpi/muster/launcher/internal/agent"
	"github.com/muster-mpi/muster/launcher/internal/remote"
	pb "github.com/muster-mpi/muster/proto"
	"google.golang.org/protobuf/proto"
)

const (
	maxRanks            = 1 << 16
	defaultStartTimeout = 10 * time.Second
	defaultGrace        = 5 * time.Second
	defaultNetTimeout   = 3500 * time.Millisecond
	leastNetTimeout     = 300 * time.Millisecond
	outputWindow        = 1 << 20 // bytes of a rank's output between its pipe and the reader
	stdinNone, stdinAll = -1, -2
	launcherFan         = 4 // hosts that the launcher sends a program to at once
	hostFan             = 2 // that a host which has it gives it to
)

// jobPlan is a job as all its hosts have to know it, and what each of them has.
type jobPlan struct {
	common      *pb.Start // but for what is a host's own
	hosts       []Host
	local       []bool // by host: it is this machine
	host        []int  // by rank
	apps        []App
	cpus        [][]int
	base        []string               // environment of this machine's ranks, under the applications'
	exported    []string               // what of it other hosts' ranks get
	here        string                 // this machine's working directory
	secrets     []*pb.Credentials      // by rank
	hostSecrets []*pb.Credentials      // by host, where hosts give each other programs by TLS
	passOn      bool                   // hosts give each other programs
	programs    map[string]*pb.Program // by path, of what other hosts get from here
}

// plan checks a job and works out what its hosts have to know.
func plan(job *Job, now time.Time) (*jobPlan, error) {
	id := make([]byte, 16)
	rand.Read(id)
	s := &pb.Start{
		Job:               id,
		StartTimeoutNanos: int64(job.StartTimeout),
		StopTimeoutNanos:  int64(job.StopTimeout),
		SilenceNanos:      int64(netTimeout(job)),
		OutputWindow:      outputWindow,
		StartUnixNanos:    now.UnixNano(),
	}
	if job.StartTimeout == 0 {
		s.StartTimeoutNanos = int64(defaultStartTimeout)
	}
	p := &jobPlan{common: s, apps: job.Apps, cpus: job.CPUs, hosts: job.Hosts}
	p.base = append(outside(os.Environ()), boot.EnvTerminal+"="+terminals(job))
	p.exported = portable(p.base)
	if err := checkApps(s, job.Apps); err != nil {
		return nil, err
	}
	if err := p.placeRanks(job.Placement); err != nil {
		return nil, err
	}
	var err error
	if s.StdinRank, err = stdinRank(job, int(s.Size)); err != nil {
		return nil, err
	}
	switch job.BindTo {
	case "", "none":
	case "core":
		s.BindCores = true
	default:
		return nil, fmt.Errorf("ranks cannot be bound to %q, only to \"core\" or \"none\"", job.BindTo)
	}
	s.Settings = &pb.Settings{
		Transport:       job.Transport,
		InsecureWire:    job.Insecure,
		EagerBytes:      job.EagerBytes,
		UnexpectedBytes: job.UnexpectedBytes,
		ReturnFailures:  job.OnFailure == ReturnOnFailure,
		Strict:          job.Strict,
	}
	switch job.Transport {
	case "": // the agent settles it
	case "shm", "unix", "tcp":
	default:
		return nil, fmt.Errorf("there is no transport %q, only \"shm\", \"unix\" and \"tcp\"", job.Transport)
	}
	p.passOn = len(p.hosts) > launcherFan && job.Via != "ssh"
	if (s.Settings.Transport == "tcp" || len(p.hosts) > 1) && !job.Insecure {
		if err := p.certify(hex.EncodeToString(id), validFor(job)); err != nil {
			return nil, err
		}
	}
	if len(p.hosts) > 1 {
		s.LinkKey = make([]byte, 32)
		rand.Read(s.LinkKey)
	}
	switch job.Via {
	case "", "tcp":
	case "ssh":
		s.ByLauncher = true
	default:
		return nil, fmt.Errorf("hosts cannot be linked by %q, only by \"tcp\" or \"ssh\"", job.Via)
	}
	s.Networks = networks(job.Iface, job.Subnet)
	boot.Legible(s)
	return p, p.measurePrograms()
}

// hasKeys reports whether the plan holds what only the job's own processes may know.
func (p *jobPlan) hasKeys() bool { return p.secrets != nil || len(p.common.LinkKey) > 0 }

// forget gives up the job's keys, as far as Go lets go of memory: what was sent was
// copied, and such copies lie about until their place is used again.
func (p *jobPlan) forget() {
	for _, c := range slices.Concat(p.secrets, p.hostSecrets) {
		clear(c.Key)
	}
	clear(p.common.LinkKey)
	p.secrets, p.hostSecrets, p.common.LinkKey = nil, nil, nil
}

// networks is how agents are told what connections are restricted to.
func networks(iface, subnet string) (all []string) {
	if iface != "" {
		all = append(all, "iface "+iface)
	}
	if subnet != "" {
		all = append(all, "subnet "+subnet)
	}
	return all
}

// netTimeout is how long a host that does not answer is waited for.
func netTimeout(job *Job) time.Duration {
	switch {
	case job.NetTimeout == 0:
		return defaultNetTimeout
	case job.NetTimeout < leastNetTimeout:
		return leastNetTimeout
	}
	return job.NetTimeout
}

// placeRanks settles which rank is on which host. Hosts without ranks are left out.
func (p *jobPlan) placeRanks(placement []int) error {
	size := int(p.common.Size)
	if len(p.hosts) == 0 {
		p.hosts = []Host{{Name: boot.LocalHost()}}
	}
	if placement == nil {
		placement = make([]int, size)
	}
	if len(placement) != size {
		return fmt.Errorf("%d ranks are placed, the job has %d", len(placement), size)
	}
	number := make(map[int]int) // of each host that has ranks
	var used []Host
	p.host = make([]int, size)
	for rank, at := range placement {
		if at < 0 || at >= len(p.hosts) {
			return fmt.Errorf("rank %d is placed on host %d of %d", rank, at, len(p.hosts))
		}
		n, ok := number[at]
		if !ok {
			n = len(used)
			number[at] = n
			used = append(used, p.hosts[at])
			p.local = append(p.local, isLocal(p.hosts[at]))
		}
		p.host[rank] = n
		if runs := p.common.Hosts; len(runs) > 0 && int(runs[len(runs)-1].Host) == n {
			runs[len(runs)-1].Count++
			continue
		}
		p.common.Hosts = append(p.common.Hosts, &pb.HostRun{Name: used[n].Name, Host: int32(n), First: int32(rank), Count: 1})
	}
	p.hosts = used
	return nil
}

// isLocal reports whether h is this machine.
func isLocal(h Host) bool {
	if h.User != "" || h.Port != 0 {
		return false
	}
	own := boot.LocalHost()
	short, _, _ := strings.Cut(own, ".")
	return h.Name == own || h.Name == short || h.Name == "localhost" || h.Name == "127.0.0.1" || h.Name == "::1"
}

// measurePrograms identifies the executables that other hosts may have to be given: those
// named by a path. What is named without one is looked for in each host's own PATH.
func (p *jobPlan) measurePrograms() error {
	p.programs = make(map[string]*pb.Program)
	if !slices.Contains(p.local, false) {
		return nil
	}
	var err error
	if p.here, err = os.Getwd(); err != nil {
		return fmt.Errorf("the working directory, in which ranks of other hosts are to start: %w", err)
	}
	for _, app := range p.apps {
		if name := app.Argv[0]; strings.Contains(name, "/") {
			if err := p.measure(name); err != nil {
				return fmt.Errorf("reading the program: %w", err)
			}
		}
		for _, variable := range app.Files {
			if path, ok := valueOf(variable, app.Env); ok {
				if err := p.measure(path); err != nil {
					return fmt.Errorf("reading the file that %s names: %w", variable, err)
				}
			}
		}
	}
	return nil
}

func (p *jobPlan) measure(path string) error {
	if p.programs[path] != nil {
		return nil
	}
	sum, size, err := remote.Digest(path)
	if err != nil {
		return err
	}
	digest, err := hex.DecodeString(sum)
	p.programs[path] = &pb.Program{Digest: digest, Bytes: size}
	return err
}

// valueOf returns the last value of a variable in env.
func valueOf(name string, env []string) (value string, ok bool) {
	for _, kv := range env {
		if n, v, _ := strings.Cut(kv, "="); n == name {
			value, ok = v, true
		}
	}
	return value, ok
}

// start is what host n has to know. skew is how far its clock is ahead of this one's.
func (p *jobPlan) start(n int, peers []*pb.HostAddresses, skew time.Duration) *pb.Start {
	s := proto.CloneOf(p.common)
	s.Host, s.Peers = int32(n), peers
	s.StartUnixNanos += int64(skew)
	if p.hostSecrets != nil {
		s.HostCredentials = p.hostSecrets[n]
	}
	rank := 0
	for _, app := range p.apps {
		for end := rank + app.Ranks; rank < end; rank++ {
			if p.host[rank] != n {
				continue
			}
			if rank == end-app.Ranks || p.host[rank-1] != n || len(s.Apps) == 0 {
				s.Apps = append(s.Apps, p.appOn(n, app, rank))
			}
			last := s.Apps[len(s.Apps)-1]
			last.Count++
			if p.cpus != nil {
				set := new(pb.CPUSet)
				for _, cpu := range p.cpus[rank] {
					set.Cpus = append(set.Cpus, int32(cpu))
				}
				last.Cpus = append(last.Cpus, set)
			}
			if p.secrets != nil {
				s.Credentials = append(s.Credentials, p.secrets[rank])
			}
		}
	}
	return s
}

// appOn is app as host n runs it from rank first on.
func (p *jobPlan) appOn(n int, app App, first int) *pb.AppRun {
	run := &pb.AppRun{First: int32(first), Argv: asBytes(app.Argv), Dir: []byte(app.Dir)}
	if p.local[n] {
		run.Env = asBytes(merge(p.base, outside(app.Env)))
		return run
	}
	run.AddEnv, run.Env = true, asBytes(merge(p.exported, outside(app.Env)))
	run.Program = p.programs[app.Argv[0]]
	for _, variable := range app.Files {
		if path, ok := valueOf(variable, app.Env); ok {
			run.Files = append(run.Files, &pb.StagedFile{Variable: []byte(variable), Content: p.programs[path]})
		}
	}
	if len(run.Dir) == 0 {
		run.Dir, run.DirOptional = []byte(p.here), true
	}
	return run
}

// asBytes is how messages hold what need not be UTF-8.
func asBytes(texts []string) [][]byte {
	all := make([][]byte, len(texts))
	for i, text := range texts {
		all[i] = []byte(text)
	}
	return all
}

// checkApps checks the programs of a job and counts its ranks.
func checkApps(s *pb.Start, apps []App) error {
	for i, app := range apps {
		switch {
		case app.Ranks < 1:
			return fmt.Errorf("program %d has %d ranks, want 1 or more", i, app.Ranks)
		case int(s.Size)+app.Ranks > maxRanks:
			return fmt.Errorf("the job has more than %d ranks", maxRanks)
		case len(app.Argv) == 0 || app.Argv[0] == "":
			return fmt.Errorf("program %d has no name", i)
		}
		for _, text := range slices.Concat(app.Argv, app.Env, []string{app.Dir}) {
			if strings.ContainsRune(text, 0) {
				return fmt.Errorf("program %d: %q holds a zero byte", i, text)
			}
		}
		s.Size += int32(app.Ranks)
	}
	if s.Size == 0 {
		return errors.New("the job has no program")
	}
	return nil
}

func stdinRank(job *Job, size int) (int32, error) {
	if job.Stdin == nil {
		return stdinNone, nil
	}
	switch job.StdinTo {
	case "":
		return 0, nil
	case "none":
		return stdinNone, nil
	case "all":
		return stdinAll, nil
	}
	rank, err := strconv.Atoi(job.StdinTo)
	if err != nil || rank < 0 || rank >= size {
		return 0, fmt.Errorf("standard input for %q: want \"none\", \"all\" or a rank below %d", job.StdinTo, size)
	}
	return int32(rank), nil
}

// outside returns env without the variables by which a job knows its ranks. A
// job that was started by a rank of another one has none of that one's.
func outside(env []string) []string {
	ours := append(boot.Variables(), agent.EnvSocket)
	return slices.DeleteFunc(slices.Clone(env), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return slices.Contains(ours, name)
	})
}

// portable returns what of env means the same on another host: all but what a login
// there sets anew, what belongs to this machine's session, and what has loaders, shells
// and runtimes do something before the program begins. Who wants the latter there names
// it in App.Env.
func portable(env []string) []string {
	own := []string{
		"HOME", "USER", "LOGNAME", "SHELL", "PATH", "PWD", "OLDPWD", "SHLVL", "_", "HOSTNAME", "HOST", "TMPDIR", "TMP", "TEMP",
		"MAIL", "TERM_PROGRAM", "DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS", "GNUPGHOME", "INVOCATION_ID", "JOURNAL_STREAM",

		"LD_PRELOAD", "LD_AUDIT", "LD_DEBUG", "LD_DEBUG_OUTPUT", "LD_PROFILE", "LD_PROFILE_OUTPUT", "GLIBC_TUNABLES",
		"GCONV_PATH", "LOCPATH", "NLSPATH", "MALLOC_TRACE", "BASH_ENV", "ENV", "SHELLOPTS", "BASHOPTS", "PS4", "PROMPT_COMMAND",
		"GODEBUG", "GOTRACEBACK", "GOCOVERDIR", "SSLKEYLOGFILE",
	}
	prefixes := []string{
		"SSH_", "XDG_", "SYSTEMD_", "TMUX", "SLURM", "PMI", "PBS_", "LSB_", "FLUX_", "KUBERNETES_",
		"BASH_FUNC_",
	}
	return slices.DeleteFunc(slices.Clone(env), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return slices.Contains(own, name) ||
			slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
	})
}

// merge returns base with the settings of over, each name once.
func merge(base, over []string) []string {
	var merged []string
	at := make(map[string]int)
	for _, kv := range slices.Concat(base, over) {
		name, _, _ := strings.Cut(kv, "=")
		if i, ok := at[name]; ok {
			merged[i] = kv
			continue
		}
		at[name] = len(merged)
		merged = append(merged, kv)
	}
	return merged
}

// terminals names the descriptors of a rank whose output ends at a terminal.
func terminals(job *Job) string {
	var fds string
	if output.IsTerminal(job.Stdout) {
		fds += "1"
	}
	if output.IsTerminal(job.Stderr) {
		fds += "2"
	}
	return fds
}
