package main

import "fmt"

// seed is where the pattern of a rank's message begins: it depends on the rank,
// the size and the run, so that no message is taken for another.
func seed(rank, size, run int) int { return rank*31 + size*7 + run*101 }

// pattern is byte i of a message.
func pattern(seed, i int) byte { return byte(seed + i + i>>8*3 + i>>16*5) }

// prepare fills what is sent and spoils what will be received.
func (p *pair) prepare(size int) {
	s := seed(p.world.Rank(), size, p.runs)
	for i := range size {
		p.out[i] = pattern(s, i)
	}
	s = seed(p.partner, size, p.runs)
	for i := range size {
		p.in[i] = ^pattern(s, i)
	}
}

// check looks at every byte that was received.
func (p *pair) check(m mode, size int) error {
	if m == compute {
		return nil
	}
	if p.leads && (p.test == "bw" || p.test == "rate") {
		return nil // it only sent
	}
	s := seed(p.partner, size, p.runs)
	for i := range size {
		if p.in[i] != pattern(s, i) {
			return fmt.Errorf("rank %d, run %d: byte %d of %d from rank %d is %#x, want %#x",
				p.world.Rank(), p.runs, i, size, p.partner, p.in[i], pattern(s, i))
		}
	}
	return nil
}
