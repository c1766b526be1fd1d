package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/muster-mpi/muster/bench/contest"
	"github.com/muster-mpi/muster/bench/results"
)

// collectiveSizes are measured if nothing is said.
const collectiveSizes = "8,4KiB,64KiB,1MiB,16MiB"

// goroutines is the transport of ranks in one process.
var goroutines = benchTransport{name: "local"}

// wide says how many of a collective's two buffers have a block for every rank;
// of those that it does not name neither has.
var wide = map[string]int{"gather": 1, "scatter": 1, "allgather": 1, "alltoall": 2, "reducescatterblock": 1}

// buffers is how many bytes the buffers of all ranks have together.
func buffers(test string, ranks, size int) int64 {
	blocks := 2 + wide[test]*(ranks-1)
	return int64(ranks) * int64(blocks) * int64(size)
}

// sizeList takes sizes and ranges of powers of two, between commas.
func sizeList(v string) (list []int, err error) {
	if !strings.ContainsAny(v, ",:") {
		v = "1:" + v // as OSU
	}
	for part := range strings.SplitSeq(v, ",") {
		if !strings.Contains(part, ":") {
			part += ":" + part
		}
		low, high, err := sizeRange(part)
		if err != nil {
			return nil, fmt.Errorf("%s: expected sizes in bytes up to 1GiB, or MIN:MAX, with commas between, such as 8,4KiB,64KiB:1MiB", quote(v))
		}
		list = append(list, low)
		next := 1
		for next <= low {
			next *= 2
		}
		for ; next <= high; next *= 2 {
			list = append(list, next)
		}
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

// completeCollectives fills in what is coll's own.
func (b *benchLine) completeCollectives() error {
	if b.sizes == nil {
		b.sizes, _ = sizeList(collectiveSizes)
	}
	if b.tests == nil {
		b.tests = b.allTests()
	}
	for _, test := range b.tests {
		if list, _ := b.sizesOf(test, 1, 0); len(list) == 0 {
			return fmt.Errorf("-m: %s adds float64, and none of the sizes is a multiple of 8", test)
		}
	}
	if b.transports == nil && !b.local {
		b.transports = benchTransports()[:1]
	}
	if b.local {
		b.transports = append(b.transports, goroutines)
	}
	return nil
}

// sizesOf are the sizes of a collective that can be measured on so many ranks
// when there are memory bytes, 0 if that is not known. The note says which are
// left out for their buffers.
func (b *benchLine) sizesOf(test string, ranks int, memory int64) (list []int, note string) {
	if test == "barrier" {
		return []int{0}, ""
	}
	for _, size := range b.sizes {
		if results.Sums(test) && size%8 != 0 {
			continue
		}
		if need := buffers(test, ranks, size); memory > 0 && need > memory/2 {
			return list, fmt.Sprintf("%s on %d ranks is not measured from %d bytes on: the buffers would take %d MiB, more than half of the memory", test, ranks, size, need>>20)
		}
		list = append(list, size)
	}
	return list, ""
}

// collectives are the tests of collective operations, and who takes part.
func (r *benchRun) collectives() (tests []contest.Test, list []contest.Contestant, err error) {
	b := r.line
	for _, n := range b.ranks {
		for _, name := range b.tests {
			sizes, note := b.sizesOf(name, n, r.report.Environment.MemoryMB<<20)
			if note != "" {
				r.report.Notes = append(r.report.Notes, note)
			}
			if len(sizes) > 0 {
				tests = append(tests, contest.Test{Name: name, Ranks: n, Args: b.collectiveArgs(name, sizes)})
			}
		}
	}
	if len(tests) == 0 {
		return nil, nil, errors.New("nothing is left to measure: " + strings.Join(r.report.Notes, "; "))
	}
	for _, t := range b.transports {
		run := r.launched("coll", t.job, t.insecure)
		if t == goroutines {
			run = r.inOneProcess
		}
		list = append(list, contest.Contestant{Kind: results.Ours, Name: "muster", Transport: t.name, Run: func(ctx context.Context, t contest.Test) (string, error) {
			if b.using != "" {
				t.Args = append(slices.Clip(t.Args), "-a", "-u", b.using)
			}
			return run(ctx, t)
		}})
	}
	return tests, append(list, r.peersOver(b.transports)...), nil
}

// peersOver are the peers, over every transport of theirs that one of ours is
// compared with.
func (r *benchRun) peersOver(ours []benchTransport) (list []contest.Contestant) {
	var wires []string
	for _, t := range ours {
		if w := results.PeerTransport(t.name); !slices.Contains(wires, w) {
			wires = append(wires, w)
		}
	}
	for _, w := range wires {
		for _, p := range r.peers {
			list = append(list, contest.Contestant{Kind: results.Peer, Name: p.Name, Transport: w, Run: func(ctx context.Context, t contest.Test) (string, error) {
				return p.Run(ctx, w, t.Ranks, runtime.NumCPU(), t.Args)
			}})
		}
	}
	return list
}

// inOneProcess runs the ranks as goroutines.
func (r *benchRun) inOneProcess(ctx context.Context, t contest.Test) (string, error) {
	args := append([]string{"-local", strconv.Itoa(t.Ranks)}, t.Args...)
	var out, said strings.Builder
	cmd := exec.CommandContext(ctx, r.program["coll"].Path, args...)
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		return "", fmt.Errorf("bench/coll %s: %w\n%s", shellWords(args), err, strings.TrimSpace(said.String()))
	}
	return out.String(), nil
}

// collectiveArgs are the flags of bench/coll and its twin.
func (b *benchLine) collectiveArgs(test string, sizes []int) []string {
	args := []string{"-t", test, "-s", joinNumbers(sizes), "-r", strconv.Itoa(b.repeat), "-i", strconv.Itoa(b.iters), "-x", strconv.Itoa(b.warmup),
		"-T", nanoseconds(b.target), "-b", nanoseconds(b.budget)}
	if b.validate {
		args = append(args, "-c")
	}
	return args
}

// noteShortRuns notes whose cells have fewer repetitions than were asked for.
func (r *benchRun) noteShortRuns() {
	type who struct {
		name, transport string
		ranks           int
	}
	var order []who
	short, cells := make(map[who]int), make(map[who]int)
	for _, s := range r.report.Series {
		w := who{s.Name, s.Transport, s.Ranks}
		cells[w]++
		if slices.ContainsFunc(s.Rounds, func(round []float64) bool { return len(round) < r.line.repeat }) {
			if short[w]++; short[w] == 1 {
				order = append(order, w)
			}
		}
	}
	for _, w := range order {
		r.report.Notes = append(r.report.Notes, fmt.Sprintf("%s over %s on %d ranks made fewer than %s in %d of %s: --budget %v was used up",
			w.name, w.transport, w.ranks, count(r.line.repeat, "repetition"), short[w], count(cells[w], "cell"), r.line.budget))
	}
}
