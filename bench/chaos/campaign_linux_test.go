package chaos

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/muster-mpi/muster/internal/testbed"
)

// A part is one way to break jobs, done many times.
type part struct {
	name    string
	what    string
	cases   int           // of the campaign
	few     int           // without -campaign
	bound   time.Duration // 0: there is no fault
	try     func(*field, *rand.Rand, int) (finding, error)
	goneToo bool // the bound is for the end of the last process, too
}

// finding is what a case shows. What does not apply is negative.
type finding struct {
	Banner time.Duration // from the fault until the user is told
	End    time.Duration // until the launcher has ended
	Gone   time.Duration // until no process runs on any host
	Last   string        `json:",omitempty"` // what ran for long
}

const none = time.Duration(-1)

var nothing = finding{Banner: none, End: none, Gone: none}

var parts = []part{
	{name: "ranks", what: "a rank is killed, half of them on one host", cases: 1000, few: 6, bound: time.Second, goneToo: true, try: killRank},
	{name: "launchers", what: "the launcher is killed, half of them on one host", cases: 300, few: 4, bound: time.Second, goneToo: true, try: killLauncher},
	{name: "agents", what: "an agent is killed, half of them on one host", cases: 200, few: 4, bound: time.Second, try: killAgent},
	{name: "partitions", what: "hosts are cut off", cases: 50, few: 0, bound: 5 * time.Second, try: partition},
	{name: "cycles", what: "start and end, one in twenty on 4 hosts", cases: 2000, few: 5, try: cycle},
	{name: "output", what: "8 ranks × 10⁶ lines, none torn, none lost, each rank's in order", cases: 1, few: 1, try: printLines},
	{name: "pause", what: "30 s of partition with --net-timeout 60s, the same result", cases: 1, few: 0, try: longPartition},
}

// tally is what the cases of a part have shown.
type tally struct {
	Part     string
	What     string
	Seed     uint64
	Cases    int
	Failures []string
	Findings []finding
	Bound    time.Duration
	Took     time.Duration
	Load     string // of the machine, after the part
	Note     string
}

func TestCampaign(t *testing.T) {
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("seed %d", *seed)
	f := newField(t)
	for i, p := range parts {
		n := p.few
		if *full {
			n = p.cases
		}
		if n == 0 {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			f.t = t
			p.run(t, f, uint64(i), n)
		})
	}
	if *full {
		t.Run("peers", func(t *testing.T) {
			f.t = t
			breakPeers(t, f)
		})
	}
	if text := page(t); text != "" {
		fmt.Print("\n", text, "\n")
	}
}

// late reports whether what was found came after limit.
func (p part) late(found finding, limit time.Duration) bool {
	worst := found.Banner
	if p.goneToo {
		worst = max(worst, found.Gone)
	}
	return limit > 0 && worst > limit
}

// tooMany failures end a part.
const tooMany = 20

func (p part) run(t *testing.T, f *field, number uint64, n int) {
	begin := time.Now()
	sum := tally{Part: p.name, What: p.what, Seed: *seed, Bound: p.bound}
	limit := p.bound
	if !*full {
		limit *= 4 // others use the machine as well
	}
	for i := range n {
		if *only >= 0 && i != *only {
			continue
		}
		random := rand.New(rand.NewPCG(*seed, number<<32|uint64(i)))
		sum.Cases++
		if sum.Cases%100 == 0 {
			t.Logf("%d cases after %v", sum.Cases, time.Since(begin).Round(time.Second))
		}
		found, err := p.try(f, random, i)
		if err == nil {
			_, err = f.settle(5 * time.Second)
		}
		again := fmt.Sprintf("go test ./bench/chaos -campaign -run '/^%s$' -seed %d -only %d", p.name, *seed, i)
		if err != nil {
			sum.Failures = append(sum.Failures, fmt.Sprintf("%s: %v", again, err))
			t.Errorf("case %d: %v\nagain: %s", i, err, again)
			f.clear()
			if len(sum.Failures) == tooMany {
				break
			}
			continue
		}
		sum.Findings = append(sum.Findings, found)
		if p.late(found, limit) {
			t.Errorf("case %d: banner after %v, end after %v, nothing runs after %v, the last: %s; the limit is %v\nagain: %s",
				i, found.Banner, found.End, found.Gone, found.Last, limit, again)
		}
	}
	sum.Took = time.Since(begin)
	load, _ := os.ReadFile("/proc/loadavg")
	sum.Load = strings.Join(strings.Fields(string(load))[:3], " ")
	t.Log(sum.line(p))
	save(t, sum)
}

// save keeps what a part has found, for the page.
func save(t *testing.T, sum tally) {
	if *out == "" {
		return
	}
	text, err := json.MarshalIndent(sum, "", " ")
	if err == nil {
		err = os.MkdirAll(*out, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(*out, sum.Part+".json"), text, 0o644)
	}
	if err != nil {
		t.Error(err)
	}
}

// endless is what ranks do that are to be broken: they exchange messages.
func (f *field) endless() []string {
	return []string{f.exchange, "-rounds=1000000", "-n=100", "-pause=5ms"}
}

// somewhere is a job that is to be broken, on one host or four in turn.
func (f *field) somewhere(random *rand.Rand, i int) order {
	o := order{Argv: f.endless(), Ranks: 2 + random.IntN(3)}
	if i%2 == 1 {
		o.Hosts, o.Ranks = f.bed.Hosts(), 4+random.IntN(5)
	}
	return o
}

// name is what the job calls a host.
func (f *field) name(host int) string {
	if host == 0 {
		return "hub"
	}
	return f.bed.Hosts()[host-1]
}

// someTime waits until a moment that random says: from the first rank's start on, or
// while all exchange messages.
func (j *job) someTime(random *rand.Rand) error {
	pause := time.Duration(random.IntN(300)) * time.Millisecond
	if random.IntN(2) == 0 {
		if _, err := j.awaitRanks(1); err != nil {
			return err
		}
	} else {
		if err := j.await(j.stdout, "exchanging", 30*time.Second); err != nil {
			return err
		}
		pause /= 3
	}
	time.Sleep(pause)
	return nil
}

// isSSHD reports whether p is the server of an ssh connection.
func isSSHD(p testbed.Process) bool { return strings.HasPrefix(p.Args[0], "sshd: ") }

// told measures what follows a fault, but for processes to spare.
func (j *job) told(fault time.Time, sparing func(testbed.Process) bool) (finding, error) {
	x := nothing
	if err := j.wait(30 * time.Second); err != nil {
		return x, err
	}
	if at := j.stderr.bannerTime(); !at.IsZero() {
		x.Banner = at.Sub(fault)
	}
	x.End = j.end.Sub(fault)
	last, err := j.f.settleBut(sparing, 30*time.Second)
	x.Gone = time.Since(fault)
	if len(last) > 0 {
		x.Last = fmt.Sprint(last)
	}
	return x, err
}

func killRank(f *field, random *rand.Rand, i int) (finding, error) {
	j, err := f.start(f.somewhere(random, i))
	if err != nil {
		return finding{}, err
	}
	if err := j.someTime(random); err != nil {
		return finding{}, err
	}
	sig := syscall.SIGKILL
	switch random.IntN(8) { // those by which a Go program may be killed
	case 0:
		sig = syscall.SIGTERM
	case 1:
		sig = syscall.SIGHUP
	}
	all, err := j.awaitRanks(1)
	if err != nil {
		return finding{}, err
	}
	victim := all[random.IntN(len(all))]
	fault := time.Now()
	if err := syscall.Kill(victim.pid, sig); err != nil {
		return finding{}, fmt.Errorf("rank %d (pid %d): %w", victim.rank, victim.pid, err)
	}
	found, err := j.told(fault, nil)
	if err != nil {
		return found, err
	}
	failure, err := j.failed(128+int(sig), fmt.Sprintf("rank %d (host %s, pid %d) killed by signal %d (%s)",
		victim.rank, f.name(victim.host), victim.pid, int(sig), signalNames[sig]))
	if err == nil && (failure.Rank != victim.rank || failure.PID != victim.pid) {
		err = fmt.Errorf("the report has %+v, killed was %+v", failure, victim)
	}
	return found, err
}

var signalNames = map[syscall.Signal]string{
	syscall.SIGKILL: "SIGKILL", syscall.SIGTERM: "SIGTERM", syscall.SIGHUP: "SIGHUP",
}

func killLauncher(f *field, random *rand.Rand, i int) (finding, error) {
	j, err := f.start(f.somewhere(random, i))
	if err != nil {
		return finding{}, err
	}
	if random.IntN(4) == 0 { // while it reaches its hosts
		time.Sleep(time.Duration(random.IntN(100)) * time.Millisecond)
	} else if err := j.someTime(random); err != nil {
		return finding{}, err
	}
	fault := time.Now()
	if err := j.cmd.Process.Kill(); err != nil {
		return finding{}, err
	}
	found, err := j.told(fault, nil)
	if err == nil && j.code() != 137 {
		err = fmt.Errorf("exit code %d, want 137", j.code())
	}
	return found, err
}

func killAgent(f *field, random *rand.Rand, i int) (finding, error) {
	j, err := f.start(f.somewhere(random, i))
	if err != nil {
		return finding{}, err
	}
	if err := j.await(j.stdout, "exchanging", 30*time.Second); err != nil {
		return finding{}, err
	}
	time.Sleep(time.Duration(random.IntN(100)) * time.Millisecond)
	all, err := j.awaitRanks(1)
	if err != nil {
		return finding{}, err
	}
	victim := all[random.IntN(len(all))]
	agent := parent(victim.pid)
	if agent < 2 {
		return finding{}, fmt.Errorf("rank %d has the parent %d", victim.rank, agent)
	}
	fault := time.Now()
	if err := syscall.Kill(agent, syscall.SIGKILL); err != nil {
		return finding{}, err
	}
	found, err := j.told(fault, nil)
	if err != nil {
		return found, err
	}
	want := fmt.Sprintf("the agent of host hub (pid %d) was lost: signal: killed", agent)
	if victim.host > 0 {
		want = fmt.Sprintf("host %s was lost, with ranks %s", f.name(victim.host), j.ranksOn(victim.host))
	}
	_, err = j.failed(71, want)
	return found, err
}

// ranksOn lists the ranks of a host as a banner does.
func (j *job) ranksOn(host int) string {
	var list []string
	for r := host - 1; r < j.order.Ranks; r += len(j.order.Hosts) {
		list = append(list, fmt.Sprint(r))
	}
	return strings.Join(list, ",")
}

// partition cuts off a host: of five cases three lose it in both directions, one in one
// direction, and every second of the fifth is between two hosts that the launcher hears,
// or heals in time.
func partition(f *field, random *rand.Rand, i int) (finding, error) {
	if i%10 == 9 {
		return nothing, healInTime(f, random)
	}
	j, err := f.start(order{Argv: f.endless(), Ranks: 4 + random.IntN(5), Hosts: f.bed.Hosts()})
	if err != nil {
		return finding{}, err
	}
	if err := j.await(j.stdout, "exchanging", 30*time.Second); err != nil {
		return finding{}, err
	}
	time.Sleep(time.Duration(random.IntN(300)) * time.Millisecond)
	a := 1 + random.IntN(4)
	b := 1 + (a+random.IntN(3))%4
	want := fmt.Sprintf("host %s was lost, with ranks %s", f.name(a), j.ranksOn(a))
	heal := []int{a}
	var fault time.Time // when the network is cut, which takes a command or two
	switch {
	case i%5 < 3:
		f.bed.Partition(a)
		fault = time.Now()
	case i%10 == 3:
		f.bed.Block(a, 0) // the launcher does not hear it
		fault = time.Now()
		heal = []int{0}
	case i%10 == 8:
		f.bed.Block(0, a) // it does not hear the launcher
		fault = time.Now()
	default:
		f.bed.Block(a, b)
		fault = time.Now()
		f.bed.Block(b, a)
		heal = []int{a, b}
		want = fmt.Sprintf("the network between host (%s and host %s|%[2]s and host %[1]s) is gone", f.name(a), f.name(b))
	}
	found, err := j.told(fault, isSSHD)
	// The server of the ssh connection has patience until its end of it fails.
	for _, p := range f.bed.Processes() {
		if isSSHD(p) {
			syscall.Kill(p.PID, syscall.SIGKILL)
		}
	}
	for _, host := range heal {
		f.bed.Heal(host)
	}
	if err != nil {
		return found, err
	}
	if !regexp.MustCompile(want).MatchString(j.stderr.String()) {
		return found, fmt.Errorf("standard error does not say %q\n%s", want, j.stderr)
	}
	_, err = j.failed(71, "")
	return found, err
}

// healInTime cuts off a host for less than anybody waits.
func healInTime(f *field, random *rand.Rand) error {
	o := order{Argv: []string{f.exchange, "-rounds=300", "-n=100", "-pause=5ms"}, Ranks: 4}
	alone, err := f.result(o, nil)
	if err != nil {
		return err
	}
	o.Hosts = f.bed.Hosts()
	host, late := 1+random.IntN(4), time.Duration(random.IntN(300))*time.Millisecond
	length := 500*time.Millisecond + time.Duration(random.IntN(1500))*time.Millisecond
	got, err := f.result(o, func() {
		time.Sleep(late)
		f.bed.Partition(host)
		time.Sleep(length)
		f.bed.Heal(host)
	})
	if err == nil && got != alone {
		err = fmt.Errorf("result %s with a partition of %v, %s without", got, length, alone)
	}
	return err
}

// result runs a job that is to end well, has something done to it once its ranks
// exchange messages, and returns what it computes.
func (f *field) result(o order, do func()) (string, error) {
	j, err := f.start(o)
	if err != nil {
		return "", err
	}
	if do != nil {
		if err := j.await(j.stdout, "exchanging", 30*time.Second); err != nil {
			return "", err
		}
		do()
	}
	if err := j.wait(2 * time.Minute); err != nil {
		return "", err
	}
	if code := j.code(); code != 0 {
		return "", fmt.Errorf("exit code %d\n%s", code, j.stderr)
	}
	_, after, ok := strings.Cut(j.stdout.String(), "result ")
	if !ok {
		return "", fmt.Errorf("no result in %q", j.stdout)
	}
	result, _, _ := strings.Cut(after, "\n")
	return result, nil
}

func longPartition(f *field, random *rand.Rand, _ int) (finding, error) {
	o := order{Argv: []string{f.exchange, "-rounds=500", "-n=1000", "-pause=5ms"}, Ranks: 8}
	alone, err := f.result(o, nil)
	if err != nil {
		return finding{}, err
	}
	o.Hosts, o.NetTimeout = f.bed.Hosts(), time.Minute
	host := 1 + random.IntN(4)
	begin := time.Now()
	got, err := f.result(o, func() {
		f.bed.Partition(host)
		time.Sleep(30 * time.Second)
		f.bed.Heal(host)
	})
	if err == nil && got != alone {
		err = fmt.Errorf("result %s with a partition of 30 s, %s without", got, alone)
	}
	return finding{Banner: none, End: time.Since(begin), Gone: none}, err
}

func cycle(f *field, random *rand.Rand, i int) (finding, error) {
	o := order{Argv: []string{f.exchange, "-rounds=0"}, Ranks: 1 + random.IntN(4)}
	if i%20 == 19 {
		o.Hosts, o.Ranks = f.bed.Hosts(), 4
	}
	begin := time.Now()
	j, err := f.start(o)
	if err != nil {
		return finding{}, err
	}
	if err := j.wait(time.Minute); err != nil {
		return finding{}, err
	}
	took := j.end.Sub(begin)
	if code := j.code(); code != 0 || j.stderr.String() != "" {
		return finding{}, fmt.Errorf("exit code %d, standard error %q", code, j.stderr)
	}
	return finding{Banner: none, End: took, Gone: none}, nil
}

func printLines(f *field, _ *rand.Rand, _ int) (finding, error) {
	const ranks = 8
	count := 1_000_000
	if !*full {
		count = 5000
	}
	w := &lineCheck{next: make([]int, ranks)}
	begin := time.Now()
	j, err := f.startTo(w, order{Argv: []string{f.self, "lines", fmt.Sprint(count)}, Ranks: ranks})
	if err != nil {
		return finding{}, err
	}
	if err := j.wait(10 * time.Minute); err != nil {
		return finding{}, err
	}
	took := j.end.Sub(begin)
	if code := j.code(); code != 0 {
		return finding{}, fmt.Errorf("exit code %d\n%s", code, j.stderr)
	}
	if w.wrong != "" {
		return finding{}, fmt.Errorf("%s", w.wrong)
	}
	if len(w.rest) > 0 || slices.ContainsFunc(w.next, func(n int) bool { return n != count }) {
		return finding{}, fmt.Errorf("lines by rank: %v, want %d each; rest %q", w.next, count, w.rest)
	}
	return finding{Banner: none, End: took, Gone: none}, nil
}

// lineCheck is written what ranks print by lines.
type lineCheck struct {
	next  []int // line by rank
	rest  []byte
	wrong string
}

func (c *lineCheck) Write(p []byte) (int, error) {
	text := string(append(c.rest, p...))
	end := strings.LastIndexByte(text, '\n') + 1
	c.rest = []byte(text[end:])
	for l := range strings.Lines(text[:end]) {
		var rank int
		fmt.Sscan(l, &rank)
		if rank < 0 || rank >= len(c.next) || l != line(rank, c.next[rank])+"\n" {
			if c.wrong == "" {
				c.wrong = fmt.Sprintf("got %q where rank %d was at line %d", l, rank, c.next[rank%len(c.next)])
			}
			continue
		}
		c.next[rank]++
	}
	return len(p), nil
}
