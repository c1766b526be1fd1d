// Package plan is what the programs of `muster bench` that take samples have in
// common: which sizes, how many messages under way, how many iterations, and the
// line that a repetition prints. bench/peer/c has its twins in C, which are
// changed with it.
package plan

import (
	"flag"
	"fmt"
	"time"
)

// Most is the bound of the iterations of a repetition that Calibrate finds.
const Most = 1 << 24

// A Plan says how much is measured.
type Plan struct {
	Low    int // bytes of the first size
	High   int // and of the last
	Window int // messages under way; 0: 64, and 4 beyond 4 MiB
	Effort
}

// An Effort says how long each size is measured.
type Effort struct {
	Iters  int // iterations of a repetition; 0: as many as take Target
	Warmup int // iterations before the first repetition, beyond those that find Iters
	Repeat int // repetitions
	Target time.Duration
}

// Flags defines p's flags in fs, with their defaults.
func (p *Plan) Flags(fs *flag.FlagSet) {
	fs.IntVar(&p.Low, "l", 0, "`bytes` of the first size")
	fs.IntVar(&p.High, "h", 64<<20, "`bytes` of the last size")
	fs.IntVar(&p.Window, "W", 0, "messages under way; 0: 64, and 4 beyond 4 MiB")
	p.Effort.Flags(fs)
}

// Flags defines e's flags in fs, with their defaults.
func (e *Effort) Flags(fs *flag.FlagSet) {
	fs.IntVar(&e.Iters, "i", 0, "iterations of a repetition; 0: as many as take -T")
	fs.IntVar(&e.Warmup, "x", 0, "iterations before the first repetition")
	fs.IntVar(&e.Repeat, "r", 10, "repetitions")
	fs.DurationVar(&e.Target, "T", 5*time.Millisecond, "`time` of a repetition")
}

// Sizes are the powers of two from Low to High, after 0 if that is Low, and Low
// itself.
func (p *Plan) Sizes() []int {
	list := []int{p.Low}
	next := 1
	for next <= p.Low {
		next *= 2
	}
	for ; next <= p.High; next *= 2 {
		list = append(list, next)
	}
	return list
}

// WindowOf is how many messages of a size are under way at a time.
func (p *Plan) WindowOf(size int) int {
	switch {
	case p.Window > 0:
		return p.Window
	case size > 4<<20:
		return 4
	}
	return 64
}

// Iterations are those asked for, or else what Calibrate finds for Target.
func (e *Effort) Iterations(run func(n int) (time.Duration, error)) (int, error) {
	if e.Iters > 0 {
		return e.Iters, nil
	}
	return Calibrate(e.Target, run)
}

// Calibrate finds a number of iterations that takes about target, and warms up
// meanwhile. It is the least of a growing series of which two runs one after the
// other took half of target: one may have been held up by something else.
func Calibrate(target time.Duration, run func(n int) (time.Duration, error)) (int, error) {
	enough := 0
	for n := 1; ; {
		elapsed, err := run(n)
		if err != nil {
			return 0, err
		}
		if elapsed >= target/2 || n >= Most {
			if enough++; enough == 2 {
				return n, nil
			}
			continue
		}
		enough = 0
		n = min(int(float64(n)*min(max(float64(target)/float64(max(elapsed, 1)), 2), 10)), Most)
	}
}

// Sample prints a repetition: messages that crossed one after the other, or in
// each other's wake, in so many nanoseconds.
func Sample(test string, size, rep int, messages int64, elapsed time.Duration, rest string) {
	fmt.Printf("sample test=%s size=%d rep=%d messages=%d ns=%d%s\n", test, size, rep, messages, elapsed.Nanoseconds(), rest)
}
