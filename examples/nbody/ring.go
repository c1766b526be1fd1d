package main

import (
	"context"
	"time"

	"github.com/muster-mpi/muster/rank"
)

// ring passes the blocks of bodies round a ring of ranks: in each of p−1 steps a
// rank sends the block it holds to its right neighbour and receives the next one
// from its left, while it computes with the one it holds. A rank needs memory for
// its own block and two travelling ones: O(n/p).
//
// # Agreement with the replicated positions
//
// Rank r meets the blocks in the order r, r−1, …, so it adds the same terms as
// replicated in another order. One acceleration is a sum of n−1 terms; in any
// order the computed sum is within γ Σ|tⱼ| of the exact sum of these terms, with
// γ = (n−1)u/(1−(n−1)u) and u = 2⁻⁵³ (Higham 2002, section 4.2). So from equal
// positions each component differs by at most
//
//	|Δa| ≤ 2γ Σⱼ |tⱼ|.                                                    (1)
//
// Over many steps the positions drift apart as well. Let δ and ν bound the
// difference of any body's position and velocity. Each term changes with the
// two positions by at most m/ε³, the largest norm of the softened force's
// Jacobian; a computed term has a relative error of at most 20u; and
// |tⱼ| ≤ 2m/(3√3 ε²). So with total mass M two evaluations differ by at most
//
//	|Δa| ≤ Kδ + α,  K = 2M/ε³,  α = 2√3 (n+20) u · 2M/(3√3 ε²),           (2)
//
// the √3 for the step from components to vectors, and a leapfrog step of length
// h, whose products and additions round in each of the two runs, gives
//
//	ν ← ν + h/2 (Kδ + α) + 7√3 u V
//	δ ← δ + hν + 7√3 u X                                                  (3)
//	ν ← ν + h/2 (Kδ + α) + 7√3 u V
//
// where X and V bound every coordinate and velocity component met: a product is
// the difference of two of them. All this holds while nothing underflows. It is
// a proof, not an estimate: (3) grows like exp(√K t), so it says much for a soft
// system or a short time and nothing for the chaos beyond. The tests hold the
// program to (1) and to (3).
type ring struct {
	c       *rank.Comm
	n       int
	buffers [2]sourceBlock
	idle    time.Duration
}

// sourceBlock is memory for the sources of one block.
type sourceBlock struct {
	sources
	flat []float64
}

func newSourceBlock(n int) sourceBlock {
	flat := make([]float64, sourceFields*n)
	return sourceBlock{viewSources(n, flat), flat}
}

// newRing returns the decomposition of n bodies. It exchanges nothing.
func newRing(c *rank.Comm, n int) *ring {
	_, most := block(n, c.Size(), 0)
	return &ring{c: c, n: n, buffers: [2]sourceBlock{newSourceBlock(most), newSourceBlock(most)}}
}

func (r *ring) visit(ctx context.Context, own *bodies, fn func(s sources, self bool)) error {
	me, p := r.c.Rank(), r.c.Size()
	left, right := (me+p-1)%p, (me+1)%p
	held := own.flat[:sourceFields*own.len()]
	for step := range p {
		var next []float64
		var requests []rank.Request
		if step < p-1 {
			// What comes now is step+1 places from the rank that it began at.
			_, size := block(r.n, p, (me+p-step-1)%p)
			next = r.buffers[step%2].flat[:sourceFields*size]
			requests = []rank.Request{
				rank.Irecv(r.c, left, tagRing, next),
				rank.Isend(r.c, right, tagRing, held),
			}
		}
		fn(viewSources(len(held)/sourceFields, held), step == 0)
		began := time.Now()
		if err := rank.WaitAll(ctx, requests...); err != nil {
			return err
		}
		r.idle += time.Since(began)
		held = next
	}
	return nil
}

func (r *ring) waited() time.Duration { return r.idle }
