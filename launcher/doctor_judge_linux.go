package launcher

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/muster-mpi/muster/launcher/internal/agent"
	"github.com/muster-mpi/muster/launcher/internal/remote"
	pb "github.com/muster-mpi/muster/proto"
	"google.golang.org/grpc/status"
)

// Bounds of what is taken for well.
const (
	clockMost     = time.Second // beyond, times in logs of different hosts mislead
	programRoom   = 16 << 20    // bytes that a program may well have
	programLittle = 256 << 20   // bytes free below which the store will soon be full
	leastThreads  = 5           // that any rank has
)

// judge makes a diagnosis of what was found.
func judge(all []*patient, ways []*way) Diagnosis {
	d := Diagnosis{Verdict: Fine, Pairs: judgeWays(ways)}
	for _, p := range all {
		h := p.judge(all)
		if len(all) > 1 && p.findings != nil {
			h.Checks = append(h.Checks, p.judgePort(all)...)
			if len(p.doors) > 0 {
				h.Checks = append(h.Checks, p.judgeMTU(ways)...)
				h.Checks = append(h.Checks, judgeNetwork(p.host.Name, d.Pairs)...)
			}
		}
		h.Verdict = Fine
		for _, c := range h.Checks {
			h.Verdict = worse(h.Verdict, c.Verdict)
		}
		d.Verdict = worse(d.Verdict, h.Verdict)
		d.Hosts = append(d.Hosts, h)
	}
	return d
}

// judge judges what concerns one host by itself, and beside the others.
func (p *patient) judge(all []*patient) HostDiagnosis {
	h := HostDiagnosis{Host: p.host.Name, ClockOffset: p.offset, RoundTrip: p.roundTrip}
	add := func(checks ...Check) { h.Checks = append(h.Checks, checks...) }
	name, reach := p.judgeName(), p.judgeReach()
	if add(name); name.Verdict != Fail {
		add(reach)
	}
	if p.agent == nil {
		if staging(p.reachErr) {
			add(p.judgeStaging())
		}
		return h
	}
	if p.lostErr != nil {
		add(Check{Name: CheckAgent, Verdict: Fail, Found: "its agent was started and does not answer: " + p.lostText(),
			Mend: "try again, and look at the system's log there"})
		return h
	}
	f := p.findings
	h.Ranks, h.Kernel, h.Load, h.CPUs = int(f.GetRanks()), f.GetKernel(), f.GetLoad(), float64(f.GetCpusUsable())/100
	h.Platform = f.GetOs() + "/" + f.GetArch()
	h.Addresses = candidates(p.agent.ready)
	add(p.judgePlatform(all)...)
	add(p.judgeStaging())
	if !p.local {
		add(p.judgeClock())
	}
	add(judgeLimits(f)...)
	add(p.judgeCPU()...)
	add(judgeLoad(f))
	add(judgeProbes(f)...)
	if !p.local { // whose ranks run the program where it lies
		add(judgeStore(f.GetStore(), p.info.Bytes))
	}
	return h
}

// lostText says what became of the agent.
func (p *patient) lostText() string {
	text := status.Convert(p.lostErr).Message()
	if r, ok := p.agent.link.(remoteAgent); ok {
		select {
		case <-r.Ended():
			text += " (" + r.DeathText() + ")"
		default:
		}
	}
	return text
}

func (p *patient) judgeName() Check {
	c := Check{Name: CheckName, Verdict: Fine}
	list := make([]string, len(p.addresses))
	for i, a := range p.addresses {
		list[i] = a.String()
	}
	name := p.host.Name
	if _, err := netip.ParseAddr(p.target.Name); err != nil && p.target.Name != name {
		name += " (" + p.target.Name + ")"
	}
	switch {
	case p.local:
		c.Found = "this machine"
	case p.target.Through != "":
		c.Found = fmt.Sprintf("reached through %s, which knows the name", p.target.Through)
	case p.resolveErr != nil && p.reachErr == nil:
		c.Found = fmt.Sprintf("%s knows the name %s, by means that are not known here (%v)", p.shell(), name, p.resolveErr)
	case p.resolveErr != nil:
		c.Verdict = Fail
		c.Found = fmt.Sprintf("the name %s cannot be resolved here: %v", name, p.resolveErr)
		c.Mend = "correct the name, or add it to DNS, to /etc/hosts, or as HostName to ~/.ssh/config"
		c.Command = "getent ahosts " + p.target.Name
	case !slices.ContainsFunc(p.addresses, func(a netip.Addr) bool { return !a.IsLoopback() }):
		c.Verdict = Warning
		c.Found = fmt.Sprintf("the name %s leads to %s, which is this very machine", name, strings.Join(list, " and "))
		c.Mend = "give it the host's own address in /etc/hosts, or call it localhost if this machine is meant"
		c.Command = "getent ahosts " + p.target.Name
	default:
		c.Found = fmt.Sprintf("%s is %s", name, strings.Join(list, " and "))
	}
	return c
}

// staging reports whether a host was reached and then could not be used.
func staging(err error) bool {
	var e *remote.Error
	return errors.As(err, &e) && (e.Stage == remote.StageStage || e.Stage == remote.StageAgent)
}

func (p *patient) judgeReach() Check {
	c := Check{Name: CheckReach, Verdict: Fine}
	var e *remote.Error
	switch {
	case p.local && p.reachErr != nil:
		c.Verdict, c.Found = Fail, fmt.Sprintf("an agent cannot be started here: %v", p.reachErr)
		c.Mend = "see that this machine has processes and descriptors left"
	case p.local:
		c.Found = "needs no shell"
	case p.reachErr == nil:
		c.Found = fmt.Sprintf("let in after %v", rough(p.timing[remote.StageShell]))
	case staging(p.reachErr):
		c.Found = "let in"
	case errors.As(p.reachErr, &e):
		c.Verdict, c.Command, c.Mend = Fail, e.Command, e.Mend()
		c.Found = fmt.Sprintf("cannot be reached by %s: %s", p.shell(), said(e))
	default:
		c.Verdict, c.Found = Fail, fmt.Sprintf("cannot be reached by %s: %v", p.shell(), p.reachErr)
	}
	return c
}

func (p *patient) shell() string {
	if p.shellName == "" {
		return "ssh"
	}
	return filepath.Base(p.shellName)
}

// said is what went wrong and, if the shell said something, its last words.
func said(e *remote.Error) string {
	if n := len(e.Stderr); n > 0 {
		return fmt.Sprintf("%s (it says %q)", e.What, strings.TrimSpace(e.Stderr[n-1]))
	}
	return e.What
}

func (p *patient) judgePlatform(all []*patient) []Check {
	f := p.findings
	c := Check{Name: CheckPlatform, Verdict: Fine, Found: fmt.Sprintf("%s/%s, Linux %s", f.GetOs(), f.GetArch(), f.GetKernel())}
	for _, other := range all {
		g := other.findings
		if g == nil || other == p {
			continue
		}
		if g.GetArch() != f.GetArch() || g.GetByteOrder() != f.GetByteOrder() {
			c.Verdict = Fail
			c.Found = fmt.Sprintf("runs %s/%s (%s-endian), and %s runs %s/%s (%s-endian): ranks of both cannot join one job",
				f.GetOs(), f.GetArch(), f.GetByteOrder(), other.host.Name, g.GetOs(), g.GetArch(), g.GetByteOrder())
			c.Mend = "use hosts of one architecture"
			return []Check{c}
		}
	}
	if f.GetArch() != runtime.GOARCH {
		c.Verdict = Warning
		c.Found = fmt.Sprintf("runs %s/%s, and this machine %s/%s: a program that was built here does not run there",
			f.GetOs(), f.GetArch(), runtime.GOOS, runtime.GOARCH)
		c.Mend = fmt.Sprintf("build it with GOARCH=%s, or name one that is in the PATH there", f.GetArch())
	}
	checks := []Check{c}
	for _, other := range all {
		if other == p {
			break
		}
		if own := machineOf(p.agent.ready); other.well() && own.known() && machineOf(other.agent.ready) == own {
			return append(checks, Check{Name: CheckPlatform, Verdict: Warning,
				Found: fmt.Sprintf("is the same machine as %s, which calls itself %s", other.host.Name, own.name),
				Mend:  "name it once: the two share its CPUs and memory"})
		}
	}
	return checks
}

func (p *patient) judgeStaging() Check {
	c := Check{Name: CheckAgent, Verdict: Fine}
	var e *remote.Error
	switch size := fmt.Sprintf("%.1f MB", float64(p.info.Bytes)/1e6); {
	case errors.As(p.reachErr, &e):
		c.Verdict, c.Mend, c.Command = Fail, e.Mend(), e.Command
		c.Found = "muster cannot be brought there: " + said(e)
		if e.Stage == remote.StageAgent {
			c.Found = "muster cannot be started there: " + said(e)
		}
	case p.local:
		c.Found = "runs"
	case p.info.Uncached != "":
		c.Verdict = Warning
		c.Found = fmt.Sprintf("muster (%s) is brought there for each job anew: %s", size, p.info.Uncached)
		c.Mend = remote.MendUncached(p.info.Uncached)
	case p.info.Cached:
		c.Found = fmt.Sprintf("cached (%s)", size)
	default:
		c.Found = fmt.Sprintf("brought there (%s) in %v, and cached", size, rough(p.timing[remote.StageStage]))
	}
	return c
}

func (p *patient) judgeClock() Check {
	c := Check{Name: CheckClock, Verdict: Fine}
	where := "before"
	offset := p.offset
	if offset < 0 {
		where, offset = "behind", -offset
	}
	switch {
	case p.roundTrip == 0:
		c.Verdict, c.Found = Warning, "its clock could not be compared"
	case offset > clockMost:
		c.Verdict = Warning
		c.Found = fmt.Sprintf("its clock is %v %s this machine's (± %v): times of its logs and files mislead", rough(offset), where, rough(p.roundTrip/2))
		c.Mend = "have chrony or ntpd set the clocks of both"
		c.Command = "timedatectl"
	default:
		c.Found = fmt.Sprintf("%v %s this machine's (± %v)", rough(offset), where, rough(p.roundTrip/2))
	}
	return c
}

func judgeLimits(f *pb.Findings) []Check {
	limit := make(map[string]*pb.Limit)
	for _, l := range f.GetLimits() {
		limit[l.GetName()] = l
	}
	show := func(name string, unit int64, suffix string) string {
		switch l := limit[name]; {
		case l == nil:
			return "unknown"
		case l.GetSoft() < 0:
			return "unlimited"
		default:
			return fmt.Sprintf("%d%s", l.GetSoft()/unit, suffix)
		}
	}
	ranks := count(int(f.GetRanks()), "rank")
	processes := show("NPROC", 1, "")
	if f.GetThreadsUnlimited() {
		processes = "unlimited for this user"
	}
	well := Check{Name: CheckLimits, Verdict: Fine, Found: fmt.Sprintf(
		"descriptors %s (%s: %d), threads %s (about %d, and %d run), locked memory %s (none), core files %s",
		show("NOFILE", 1, ""), ranks, f.GetDescriptorsNeeded(), processes, f.GetThreadsNeeded(), f.GetThreadsRunning(),
		show("MEMLOCK", 1<<10, " KiB"), cores(limit["CORE"]))}
	var checks []Check
	if l := limit["NOFILE"]; l != nil && l.GetSoft() >= 0 && l.GetSoft() < f.GetDescriptorsNeeded() {
		checks = append(checks, Check{Name: CheckLimits, Verdict: Fail, Found: fmt.Sprintf(
			"%d descriptors are allowed (hard limit %s), and %s need %d in their agent", l.GetSoft(), unlimited(l.GetHard()), ranks, f.GetDescriptorsNeeded()),
			Mend: "raise nofile in /etc/security/limits.conf there, or LimitNOFILE of the ssh server's unit", Command: "ulimit -Hn"})
	}
	threads := func(most, running int64, what, mend, command string) {
		least := int64(f.GetRanks()) * leastThreads
		c := Check{Name: CheckLimits, Verdict: Warning, Mend: mend, Command: command}
		switch {
		case most < 0 || running+f.GetThreadsNeeded() <= most:
			return
		case running+least > most:
			c.Verdict = Fail
		}
		c.Found = fmt.Sprintf("%s allows %d threads, of which %d run, and %s need about %d", what, most, running, ranks, f.GetThreadsNeeded())
		checks = append(checks, c)
	}
	if l := limit["NPROC"]; l != nil && !f.GetThreadsUnlimited() {
		threads(l.GetSoft(), f.GetThreadsRunning(), "the limit of processes (nproc)", "raise nproc in /etc/security/limits.conf there", "ulimit -u")
	}
	threads(f.GetPidsMax(), f.GetPidsCurrent(), "the pids cgroup", "raise the container's or unit's limit (pids.max, TasksMax)", "")
	if len(checks) == 0 {
		return []Check{well}
	}
	return checks
}

func unlimited(n int64) string {
	if n < 0 {
		return "none"
	}
	return fmt.Sprint(n)
}

func cores(l *pb.Limit) string {
	switch {
	case l == nil || l.GetSoft() == 0:
		return "none (ulimit -c)"
	case l.GetSoft() < 0:
		return "of any size"
	}
	return fmt.Sprintf("up to %d MB", l.GetSoft()/1e6)
}

func (p *patient) judgeCPU() []Check {
	f := p.findings
	usable := float64(f.GetCpusUsable()) / 100
	well := Check{Name: CheckCPU, Verdict: Fine, Found: fmt.Sprintf("%.4g of %s, GOMAXPROCS %d for each of %s",
		usable, count(int(f.GetCpusOnline()), "CPU"), f.GetProcsPerRank(), count(int(f.GetRanks()), "rank"))}
	var checks []Check
	if f.GetCpusUsable() < 100*f.GetCpusAllowed() {
		checks = append(checks, Check{Name: CheckCPU, Verdict: Warning, Found: fmt.Sprintf(
			"a quota (cgroup) leaves %.4g of %s: ranks that wait for each other are halted whenever it is used up", usable, count(int(f.GetCpusAllowed()), "CPU")),
			Mend: fmt.Sprintf("raise the container's CPU limit, or start %s at most", count(max(1, int(usable)), "rank"))})
	}
	whole := (int(f.GetCpusUsable()) + 99) / 100
	if p.host.Slots > whole {
		checks = append(checks, Check{Name: CheckCPU, Verdict: Warning,
			Found: fmt.Sprintf("is to have %s and has %s for them", count(p.host.Slots, "rank"), count(whole, "CPU")),
			Mend:  fmt.Sprintf("say %s:%d", p.host.Name, whole)})
	}
	// GOMAXPROCS of the launcher goes to all ranks; else that of a login there does.
	where, text := "here", os.Getenv("GOMAXPROCS")
	if text == "" {
		where, text = "there", f.GetGomaxprocs()
	}
	var procs int
	if _, err := fmt.Sscan(text, &procs); err == nil && procs > 1 && procs*int(f.GetRanks()) > whole {
		checks = append(checks, Check{Name: CheckCPU, Verdict: Warning, Found: fmt.Sprintf(
			"GOMAXPROCS is %d %s, so that %s compute with %d threads on %s",
			procs, where, count(int(f.GetRanks()), "rank"), procs*int(f.GetRanks()), count(whole, "CPU")),
			Mend: "unset it: ranks are given their share of the CPUs", Command: "printenv GOMAXPROCS"})
	}
	if len(checks) == 0 {
		return []Check{well}
	}
	return checks
}

func judgeLoad(f *pb.Findings) Check {
	c := Check{Name: CheckLoad, Verdict: Fine, Found: fmt.Sprintf("%.2f on %s", f.GetLoad(), count(int(f.GetCpusOnline()), "CPU"))}
	if cpus := float64(max(1, f.GetCpusOnline())); f.GetLoad() > cpus/2 {
		c.Verdict = Warning
		c.Found = fmt.Sprintf("other programs use its CPUs: the load average of a minute is %.2f on %s", f.GetLoad(), count(int(f.GetCpusOnline()), "CPU"))
		c.Mend, c.Command = "wait for their end, or use other hosts", "top -bn1"
	}
	return c
}

// consequences says for each probe which check it belongs to, what a job does where it
// fails, and what helps.
var consequences = map[string]struct{ check, then, mend string }{
	agent.ProbeMemory: {CheckMemory, "its ranks are linked by Unix sockets and collectives go by messages, which is slower",
		"allow memfd_create, fcntl seals and eventfd in the container's seccomp profile, and see that memory is left"},
	agent.ProbeCopies: {CheckMemory, "large messages between its ranks are copied twice, through shared memory",
		"allow process_vm_readv (CAP_SYS_PTRACE, or the seccomp profile), and set kernel.yama.ptrace_scope to 1 or 0"},
	agent.ProbeHandles: {CheckSystem, "large messages between its ranks are copied twice, and processes are ended by number",
		"allow pidfd_open in the container's seccomp profile, or use Linux 5.3 or later"},
	agent.ProbeBarrier: {CheckSystem, "short messages between its ranks take longer",
		"allow membarrier in the container's seccomp profile, or use Linux 4.16 or later"},
	agent.ProbeReaper: {CheckSystem, "what ranks leave behind may outlive the job", "allow prctl in the container's seccomp profile"},
	agent.ProbeMemoryRule: {CheckSystem, "a rank that is killed for want of memory is reported as killed, without the reason",
		"mount the cgroup file system in the container"},
}

func judgeProbes(f *pb.Findings) []Check {
	var bad []Check
	var well = map[string][]string{}
	for _, probe := range f.GetProbes() {
		k, ok := consequences[probe.GetName()]
		if !ok {
			continue
		}
		if probe.GetError() == "" {
			well[k.check] = append(well[k.check], probe.GetName())
			continue
		}
		bad = append(bad, Check{Name: k.check, Verdict: Warning, Found: fmt.Sprintf("%s: %s", k.then, probe.GetError()), Mend: k.mend})
	}
	if n := f.GetZombies(); n > 0 {
		bad = append(bad, Check{Name: CheckSystem, Verdict: Warning, Found: fmt.Sprintf(
			"process 1 (%s) does not wait for its children: %s in the process table", f.GetInit(), count(int(n), "zombie")),
			Mend: "start the container with an init, as by docker run --init"})
	}
	var checks []Check
	for _, name := range []string{CheckMemory, CheckSystem} {
		found := false
		for _, c := range bad {
			if c.Name == name {
				checks, found = append(checks, c), true
			}
		}
		if !found {
			text := strings.Join(well[name], ", ")
			if name == CheckSystem && f.GetFiltered() {
				text += "; under a seccomp filter"
			}
			checks = append(checks, Check{Name: name, Verdict: Fine, Found: text})
		}
	}
	return checks
}

// judgeStore judges the place for programs. size is that of one we know.
func judgeStore(s *pb.Store, size int64) Check {
	c := Check{Name: CheckStore, Verdict: Fine, Found: fmt.Sprintf("%s, %s free", s.GetDir(), binaryBytes(s.GetFreeBytes()))}
	switch {
	case strings.Contains(s.GetError(), "no space left"):
		c.Verdict, c.Found = Fail, "the disk is full, so that no program can be put there: "+s.GetError()
		c.Mend, c.Command = "free some space there, or set XDG_CACHE_HOME there to a directory with room", "df -h "+s.GetDir()
	case s.GetError() != "":
		c.Verdict, c.Found = Fail, "no program can be put there: "+s.GetError()
		c.Mend = "make ~/.cache/muster there a directory of yours, with chmod go-w, in which programs may run"
	case s.GetFreeBytes() < max(size, programRoom):
		c.Verdict, c.Found = Fail, fmt.Sprintf("the disk is full: %s has %s free for programs", s.GetDir(), binaryBytes(s.GetFreeBytes()))
		c.Mend, c.Command = "free some space there, or set XDG_CACHE_HOME there to a directory with room", "df -h "+s.GetDir()
	case s.GetWhy() != "":
		c.Verdict, c.Found = Warning, fmt.Sprintf("programs are brought there for each job anew, to %s: %s", s.GetDir(), s.GetWhy())
		c.Mend = "make ~/.cache/muster there a directory of yours, with chmod go-w"
	case s.GetFreeBytes() < programLittle:
		c.Verdict, c.Found = Warning, fmt.Sprintf("the disk is nearly full: %s has %s free for programs", s.GetDir(), binaryBytes(s.GetFreeBytes()))
		c.Mend, c.Command = "free some space there", "df -h "+s.GetDir()
	}
	return c
}

func binaryBytes(n int64) string {
	for _, u := range []struct {
		bytes int64
		name  string
	}{{1 << 40, "TiB"}, {1 << 30, "GiB"}, {1 << 20, "MiB"}} {
		if n >= u.bytes {
			return fmt.Sprintf("%.1f %s", float64(n)/float64(u.bytes), u.name)
		}
	}
	return fmt.Sprintf("%d KiB", n>>10)
}

// rough rounds d to three digits.
func rough(d time.Duration) time.Duration {
	unit := time.Duration(1)
	for d/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit)
}
