package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/muster-mpi/muster/bench/peer"
	"github.com/muster-mpi/muster/bench/results"
)

// A benchLine is what muster bench was told.
type benchLine struct {
	what       string // "p2p", "coll" or "startup"
	ranks      []int
	tests      []string
	transports []benchTransport
	against    []string // peers
	rounds     int
	repeat     int

	low, high int // bytes; of all tests of p2p if sized is set
	sized     bool
	sizes     []int // bytes, of coll
	iters     int   // 0: by time
	warmup    int   // -1: not said
	window    int   // 0: 64, and 4 beyond 4 MiB
	target    time.Duration
	compute   time.Duration
	validate  bool
	full      bool
	limits    *bool // nil: with peers only
	memory    int   // ranks of the memory figure
	budget    time.Duration
	using     string // an algorithm
	local     bool   // goroutine ranks

	json, csv string
	help      bool
}

// p2pTests are the tests in the order in which they run, and the sizes they have
// if nothing is said.
var p2pTests = []struct {
	name      string
	low, high int
}{
	{"latency", 0, 64 << 20},
	{"bw", 1, 64 << 20},
	{"bibw", 1, 64 << 20},
	{"rate", 64, 64},
	{"overlap", 4 << 20, 4 << 20},
}

// A benchTransport is a way for messages to go as muster run offers it.
type benchTransport struct {
	name     string
	job      string // --transport
	insecure bool   // --insecure-wire
}

// benchTransports are those that this muster run has.
func benchTransports() []benchTransport {
	all := []benchTransport{{"shm", "shm", false}, {"unix", "unix", false}, {"tcp", "tcp", true}, {"tcp-tls", "tcp", false}}
	return slices.DeleteFunc(all, func(t benchTransport) bool {
		return find("transport").set(new(commandLine), new(program), t.job) != nil
	})
}

// A benchOption is a flag of muster bench.
type benchOption struct {
	names []string // the first is the one we show
	value string   // placeholder in the help; empty for a switch
	only  string   // the benchmarks that have it; empty: all
	help  string
	set   func(b *benchLine, value string) error
}

// of reports whether a benchmark has the flag.
func (o *benchOption) of(what string) bool {
	return o.only == "" || slices.Contains(strings.Fields(o.only), what)
}

var benchOptions = []benchOption{
	{names: []string{"n", "np"}, value: "N", help: "ranks: of p2p an even number, rank i talks to i+N/2 (default 2); of coll a list (default 2,4,8), as of startup (default 8,128)",
		set: func(b *benchLine, v string) error {
			b.ranks = nil
			for part := range strings.SplitSeq(v, ",") {
				n, err := number(part, 1, maxRanks, "a number of ranks")
				if err != nil {
					return err
				}
				b.ranks = append(b.ranks, n)
			}
			return nil
		}},
	{names: []string{"against"}, value: "LIST", help: "also measure openmpi, mpich or both, with the same program in C, and print ratios",
		set: func(b *benchLine, v string) error {
			list, err := listOf(v, peer.Names(), "a peer")
			b.against = list
			return err
		}},
	{names: []string{"rounds"}, value: "N", help: "runs of each program, all in turn (default 6 with --against, else 1)",
		set: benchNumber(func(b *benchLine) *int { return &b.rounds }, 1, 1000, "a number of rounds")},
	{names: []string{"repeat"}, value: "N", help: "repetitions within a run (default 10; of startup 1)",
		set: benchNumber(func(b *benchLine) *int { return &b.repeat }, 1, 100000, "a number of repetitions")},
	{names: []string{"full", "f"}, help: "print minimum, percentiles, maximum and allocations per message too",
		set: benchToggle(func(b *benchLine) *bool { return &b.full })},
	{names: []string{"json"}, value: "FILE", help: "write everything to FILE, as JSON",
		set: func(b *benchLine, v string) error { b.json = v; return notEmpty(v, "a file") }},
	{names: []string{"csv"}, value: "FILE", help: "write a line per series and comparison to FILE",
		set: func(b *benchLine, v string) error { b.csv = v; return notEmpty(v, "a file") }},

	{names: []string{"transport"}, value: "LIST", only: "p2p coll", help: "of shm, unix, tcp (plain) and tcp-tls, those that muster run has (default: all; of coll the first)",
		set: func(b *benchLine, v string) error {
			var names []string
			for _, t := range benchTransports() {
				names = append(names, t.name)
			}
			list, err := listOf(v, names, "a transport")
			b.transports = slices.DeleteFunc(benchTransports(), func(t benchTransport) bool { return !slices.Contains(list, t.name) })
			return err
		}},
	{names: []string{"m"}, value: "[MIN:]MAX", only: "p2p coll", help: "sizes, powers of two, as 0:4096 or 1KiB:64MiB (default: 0:64MiB; rate 64, overlap 4MiB); of coll also a list (default " + collectiveSizes + ")",
		set: func(b *benchLine, v string) (err error) {
			if b.what == "coll" {
				b.sizes, err = sizeList(v)
				return err
			}
			b.low, b.high, err = sizeRange(v)
			b.sized = true
			return err
		}},
	{names: []string{"i"}, value: "N", only: "p2p coll", help: "iterations of a repetition (default: as many as take --time, found by each program by the same rule)",
		set: benchNumber(func(b *benchLine) *int { return &b.iters }, 1, 1<<24, "a number of iterations")},
	{names: []string{"x"}, value: "N", only: "p2p coll", help: "iterations to warm up (default: those that find the number; with -i a tenth of it)",
		set: benchNumber(func(b *benchLine) *int { return &b.warmup }, 0, 1<<24, "a number of iterations")},
	{names: []string{"W"}, value: "N", only: "p2p", help: "messages under way in bw, bibw and rate (default 64, and 4 beyond 4 MiB)",
		set: benchNumber(func(b *benchLine) *int { return &b.window }, 1, 1<<16, "a number of messages")},
	{names: []string{"time"}, value: "TIME", only: "p2p coll", help: "what a repetition should take (default 5ms)",
		set: benchTime(func(b *benchLine) *time.Duration { return &b.target })},
	{names: []string{"compute"}, value: "TIME", only: "p2p", help: "what overlap computes (default 50ms)",
		set: benchTime(func(b *benchLine) *time.Duration { return &b.compute })},
	{names: []string{"c"}, only: "p2p coll", help: "check every byte of every repetition, outside the time (default: of the first exchange of each size)",
		set: benchToggle(func(b *benchLine) *bool { return &b.validate })},
	{names: []string{"limits"}, only: "p2p", help: "also measure memcpy, a shared flag, sockets, TLS and a plain gRPC stream (default: with --against)",
		set: func(b *benchLine, v string) error {
			on, err := truth(v)
			b.limits = &on
			return err
		}},
	{names: []string{"budget"}, value: "TIME", only: "coll", help: "after which a size makes no further repetition in a run (default 1s)",
		set: benchTime(func(b *benchLine) *time.Duration { return &b.budget })},
	{names: []string{"using"}, value: "NAME", only: "coll", help: "the algorithm that carries ours out (default: the one that would be chosen)",
		set: func(b *benchLine, v string) error { b.using = v; return notEmpty(v, "an algorithm") }},
	{names: []string{"local"}, only: "coll", help: "ranks that are goroutines of one process; with --transport beside those",
		set: benchToggle(func(b *benchLine) *bool { return &b.local })},
	{names: []string{"memory"}, value: "N", only: "startup", help: "ranks whose memory is measured (default 32)",
		set: benchNumber(func(b *benchLine) *int { return &b.memory }, 2, maxRanks, "a number of ranks")},
	{names: []string{"help", "h"}, help: "print this",
		set: benchToggle(func(b *benchLine) *bool { return &b.help })},
}

func benchNumber(field func(*benchLine) *int, low, high int, what string) func(*benchLine, string) error {
	return func(b *benchLine, v string) (err error) {
		*field(b), err = number(v, low, high, what)
		return err
	}
}

func benchToggle(field func(*benchLine) *bool) func(*benchLine, string) error {
	return func(b *benchLine, v string) (err error) {
		*field(b), err = truth(v)
		return err
	}
}

func benchTime(field func(*benchLine) *time.Duration) func(*benchLine, string) error {
	return func(b *benchLine, v string) (err error) {
		*field(b), err = parseDuration(v)
		return err
	}
}

// listOf takes words between commas, each one of allowed.
func listOf(v string, allowed []string, what string) ([]string, error) {
	var list []string
	for part := range strings.SplitSeq(v, ",") {
		if !slices.Contains(allowed, part) {
			return nil, fmt.Errorf("%s: expected %s, of %s", quote(part), what, strings.Join(allowed, ", "))
		}
		if !slices.Contains(list, part) {
			list = append(list, part)
		}
	}
	return list, nil
}

// maxMessage bounds -m: beyond it a repetition takes minutes.
const maxMessage = 1 << 30

// sizeRange takes MIN:MAX, or MAX alone.
func sizeRange(v string) (low, high int, err error) {
	first, last, both := strings.Cut(v, ":")
	if !both {
		first, last = "0", v
	}
	one := func(text string) int {
		if text == "0" {
			return 0
		}
		n, parseErr := parseSize(text)
		if parseErr != nil || n > maxMessage {
			err = fmt.Errorf("%s: expected MIN:MAX or MAX in bytes up to 1GiB, such as 0:4096 or 1KiB:64MiB", quote(v))
		}
		return int(n)
	}
	low, high = one(first), one(last)
	if err == nil && low > high {
		err = fmt.Errorf("%s: expected the smaller size first", quote(v))
	}
	return low, high, err
}

// benchmarks are what muster bench has.
var benchmarks = []string{"p2p", "coll", "startup"}

// parseBench reads the arguments of muster bench and checks all that shows
// without running anything.
func parseBench(args []string) (*benchLine, error) {
	b := &benchLine{warmup: -1, target: 5 * time.Millisecond, compute: 50 * time.Millisecond, memory: 32, budget: time.Second}
	if len(args) == 0 {
		return nil, fmt.Errorf("no benchmark named: expected muster bench %s, scaling or compare", strings.Join(benchmarks, ", "))
	}
	if slices.Contains([]string{"-h", "-help", "--help", "help"}, args[0]) {
		b.help = true
		return b, nil
	}
	b.what, args = args[0], args[1:]
	if !slices.Contains(benchmarks, b.what) {
		return nil, fmt.Errorf("%s is no benchmark: expected %s, scaling or compare", quote(b.what), strings.Join(benchmarks, ", "))
	}
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		if len(arg) < 2 || arg[0] != '-' {
			if err := b.test(arg); err != nil {
				return nil, err
			}
			continue
		}
		name, value, given := strings.Cut(strings.TrimPrefix(arg[1:], "-"), "=")
		o := findBench(name)
		if o == nil {
			return nil, unknownBenchFlag(arg, name)
		}
		shown := dashed(o.names[0], false)
		switch {
		case !o.of(b.what):
			return nil, fmt.Errorf("%s is a flag of muster bench %s", shown, strings.ReplaceAll(o.only, " ", " and "))
		case given:
		case o.value == "":
			value = "true"
		case len(args) == 0:
			return nil, fmt.Errorf("%s: expected %s %s", shown, shown, o.value)
		default:
			value, args = args[0], args[1:]
		}
		if err := o.set(b, value); err != nil {
			return nil, fmt.Errorf("%s: %w", shown, err)
		}
		if b.help {
			return b, nil
		}
	}
	return b, b.complete()
}

// test takes the name of a test.
func (b *benchLine) test(name string) error {
	names := b.allTests()
	if names == nil {
		return fmt.Errorf("%s: muster bench %s has no tests to choose from", quote(name), b.what)
	}
	if !slices.Contains(names, name) {
		return fmt.Errorf("%s is no test: expected %s", quote(name), strings.Join(names, ", "))
	}
	if !slices.Contains(b.tests, name) {
		b.tests = append(b.tests, name)
	}
	return nil
}

// allTests are the tests of the benchmark in the order in which they run.
func (b *benchLine) allTests() (names []string) {
	switch b.what {
	case "coll":
		return slices.Clone(results.Collectives)
	case "p2p":
		for _, t := range p2pTests {
			names = append(names, t.name)
		}
	}
	return names
}

// complete fills in the defaults and checks what only the whole line shows.
func (b *benchLine) complete() error {
	if b.ranks == nil {
		b.ranks = map[string][]int{"p2p": {2}, "coll": {2, 4, 8}, "startup": {8, 128}}[b.what]
	}
	if b.what == "coll" {
		if err := b.completeCollectives(); err != nil {
			return err
		}
	}
	if b.what == "p2p" {
		if n := b.ranks[0]; len(b.ranks) > 1 || n < 2 || n%2 != 0 {
			return fmt.Errorf("-n: %s ranks: expected one even number, 2 at least, since the ranks talk in pairs", joinNumbers(b.ranks))
		}
	}
	if b.rounds == 0 {
		b.rounds = 1
		if len(b.against) > 0 {
			b.rounds = 6
		}
	}
	if b.repeat == 0 {
		b.repeat = 10
		if b.what == "startup" {
			b.repeat = 1
		}
	}
	if b.tests == nil {
		b.tests = b.allTests()
	}
	if b.transports == nil {
		b.transports = benchTransports()
	}
	if b.limits == nil {
		on := len(b.against) > 0 && b.what != "coll"
		b.limits = &on
	}
	if b.warmup < 0 {
		b.warmup = 0
		if b.iters > 0 {
			b.warmup = max(1, b.iters/10)
		}
	}
	return nil
}

func joinNumbers(list []int) string {
	var words []string
	for _, n := range list {
		words = append(words, strconv.Itoa(n))
	}
	return strings.Join(words, ",")
}

func findBench(name string) *benchOption {
	for i := range benchOptions {
		if slices.Contains(benchOptions[i].names, name) {
			return &benchOptions[i]
		}
	}
	return nil
}

// unknownBenchFlag says what to write instead of a flag that does not exist.
func unknownBenchFlag(arg, name string) error {
	var known []string
	for _, o := range benchOptions {
		known = append(known, o.names...)
	}
	if s := nearest(name, known); s != "" {
		return fmt.Errorf("no flag %s; did you mean %s?", quote(arg), dashed(findBench(s).names[0], false))
	}
	return fmt.Errorf("no flag %s; muster help bench lists them", quote(arg))
}

// programArgs are the flags of bench/p2p, its twin and bench/limits for a test.
func (b *benchLine) programArgs(test string) []string {
	low, high := b.low, b.high
	for _, t := range p2pTests {
		if t.name == test && !b.sized {
			low, high = t.low, t.high
		}
	}
	if test == "bw" || test == "bibw" {
		low, high = max(low, 1), max(high, 1) // no bytes have no bandwidth
	}
	args := []string{"-t", test, "-l", strconv.Itoa(low), "-h", strconv.Itoa(high), "-r", strconv.Itoa(b.repeat),
		"-i", strconv.Itoa(b.iters), "-x", strconv.Itoa(b.warmup), "-W", strconv.Itoa(b.window),
		"-T", nanoseconds(b.target), "-C", nanoseconds(b.compute)}
	if b.validate {
		args = append(args, "-c")
	}
	return args
}

// nanoseconds is a time as the programs in C read it.
func nanoseconds(d time.Duration) string { return strconv.FormatInt(d.Nanoseconds(), 10) + "ns" }
