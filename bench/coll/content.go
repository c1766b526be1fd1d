package main

import (
	"encoding/binary"
	"fmt"
)

// seed is where a rank's block begins: it depends on rank, block, size and run,
// so that no block is taken for another.
func (g *group) seed(from, block int) uint64 {
	return mix(uint64(from)<<44|uint64(block)<<24|uint64(g.runs)&(1<<24-1)) + uint64(g.bytes)
}

// word is word i of the block that begins at seed.
func word(seed uint64, i int) uint64 { return mix(seed + uint64(i)*0x9e3779b97f4a7c15) }

// mix is the finalizer of SplitMix64 (Steele, Lea and Flood 2014): each bit of x
// has its part in each of the result.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// term is element i of what a rank adds: of 16 bits, so that sums are exact in
// whatever order.
func term(seed uint64, i int) float64 { return float64(word(seed, i) >> 48) }

// prepare fills what is sent and spoils what will be received.
func (g *group) prepare() {
	for i := range g.dst {
		g.dst[i] = 0xff // of float64 that is no number
	}
	if g.sums {
		s := g.seed(g.rank, 0)
		for i := range g.terms {
			g.terms[i] = term(s, i)
		}
		return
	}
	for block, rest := 0, g.src; len(rest) > 0; block, rest = block+1, rest[g.bytes:] {
		fill(rest[:g.bytes], g.seed(g.rank, block))
	}
}

func fill(b []byte, seed uint64) {
	i := 0
	for ; len(b) >= 8; i++ {
		binary.LittleEndian.PutUint64(b, word(seed, i))
		b = b[8:]
	}
	for k := range b {
		b[k] = byte(word(seed, i) >> (8 * k))
	}
}

// expectBlocks checks that every rank's block with a number is at its place in
// the destination.
func (g *group) expectBlocks(block int) error {
	for from := range g.size {
		if err := g.expectBlock(g.dst[from*g.bytes:][:g.bytes], from, block); err != nil {
			return err
		}
	}
	return nil
}

// expectBlock checks that b is a block of a rank.
func (g *group) expectBlock(b []byte, from, block int) error {
	s := g.seed(from, block)
	for i := range b {
		if i%8 == 0 && len(b)-i >= 8 && binary.LittleEndian.Uint64(b[i:]) == word(s, i/8) {
			continue
		}
		if want := byte(word(s, i/8) >> (8 * (i % 8))); b[i] != want {
			return fmt.Errorf("rank %d of %d, run %d: byte %d of block %d of rank %d is %#x, want %#x", g.rank, g.size, g.runs, i, block, from, b[i], want)
		}
	}
	return nil
}

// expectSum checks that v has the sums of the ranks below a bound, from element
// first on.
func (g *group) expectSum(v []float64, first, below int) error {
	seeds := make([]uint64, below)
	for r := range seeds {
		seeds[r] = g.seed(r, 0)
	}
	for i, got := range v {
		want := 0.0
		for _, s := range seeds {
			want += term(s, first+i)
		}
		if got != want {
			return fmt.Errorf("rank %d of %d, run %d: element %d, of the sum of ranks 0 to %d, is %v, want %v", g.rank, g.size, g.runs, first+i, below-1, got, want)
		}
	}
	return nil
}
