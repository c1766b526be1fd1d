package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/muster-mpi/muster/rank"
	"github.com/muster-mpi/muster/rank/ranktest"
)

var sizes = []int{1, 2, 3, 4, 5, 7, 8}

// onRanks calls fn on p ranks, each with its block of all.
func onRanks(t *testing.T, p int, all *bodies, o options, fn func(t *testing.T, ctx context.Context, s *simulation)) {
	t.Helper()
	ranktest.Run(t, p, func(t *testing.T, c *rank.Comm) {
		ctx := t.Context()
		own := all.part(block(all.len(), p, c.Rank()))
		s, err := newSimulation(ctx, c, own, all.len(), &o)
		if err != nil {
			t.Error(err)
			return
		}
		fn(t, ctx, s)
	})
}

// joined returns the bodies of all ranks of s at rank 0.
func joined(t *testing.T, ctx context.Context, s *simulation) *bodies {
	t.Helper()
	all := newBodies(0, s.n)
	err := s.collect(ctx, func(b *bodies) error {
		for i := range b.len() {
			all.set(b.first+i, b.at(i))
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return all
}

func TestReplicatedTrajectoriesHaveTheSameBitsForAnyNumberOfRanks(t *testing.T) {
	for _, scheme := range integrators {
		for _, n := range []int{5, 37} {
			const steps = 60
			twin := moving(plummer(n, 2, 0, n), scheme.name, 1.0/64, 0.05)
			advance(t, twin, steps)
			energy := twin.sums().energy()
			o := options{decomposition: "replicated", integrator: scheme, dt: 1.0 / 64, softening: 0.05}
			for _, p := range sizes {
				t.Run(fmt.Sprintf("%s/n=%d/p=%d", scheme.name, n, p), func(t *testing.T) {
					onRanks(t, p, plummer(n, 2, 0, n), o, func(t *testing.T, ctx context.Context, s *simulation) {
						if err := s.advance(ctx, steps); err != nil {
							t.Error(err)
							return
						}
						sums, err := s.measure(ctx)
						if err != nil {
							t.Error(err)
							return
						}
						all := joined(t, ctx, s)
						if s.c.Rank() == 0 {
							wantSameBits(t, all, twin.own)
							if sums.energy() != energy {
								t.Errorf("energy %v, want %v", sums.energy(), energy)
							}
						}
					})
				})
			}
		}
	}
}

func TestBothDecompositionsGiveTheForcesOfANaiveSum(t *testing.T) {
	const n, softening = 23, 0.1
	all := scattered(n, 8)
	for _, how := range []string{"replicated", "ring"} {
		for _, p := range append(slices.Clone(sizes), 30) {
			t.Run(fmt.Sprintf("%s/p=%d", how, p), func(t *testing.T) {
				o := options{decomposition: how, integrator: integrators[0], softening: softening}
				onRanks(t, p, all, o, func(t *testing.T, ctx context.Context, s *simulation) {
					if err := s.accelerate(ctx); err != nil {
						t.Error(err)
						return
					}
					for k := range s.own.len() {
						i := s.own.first + k
						ax, ay, az, _ := exactForce(all, i, s.eps2)
						sx, sy, sz := termSums(all, i, s.eps2)
						for _, c := range [][3]float64{{s.acc.x[k], ax, sx}, {s.acc.y[k], ay, sy}, {s.acc.z[k], az, sz}} {
							if math.Abs(c[0]-c[1]) > (n+20)*unit*c[2] {
								t.Errorf("rank %d body %d: got %v, want %v", s.c.Rank(), i, c[0], c[1])
							}
						}
					}
				})
			})
		}
	}
}

// TestRingAgreesWithinTheBoundOfOneSum is inequality (1) of the ring.
func TestRingAgreesWithinTheBoundOfOneSum(t *testing.T) {
	const n, softening = 101, 0.05
	all := plummer(n, 3, 0, n)
	twin := moving(plummer(n, 3, 0, n), "leapfrog", 1, softening)
	if err := twin.accelerate(t.Context()); err != nil {
		t.Fatal(err)
	}
	gamma := (n - 1) * unit / (1 - (n-1)*unit)
	for _, p := range sizes {
		o := options{decomposition: "ring", integrator: integrators[0], softening: softening}
		onRanks(t, p, all, o, func(t *testing.T, ctx context.Context, s *simulation) {
			if err := s.accelerate(ctx); err != nil {
				t.Error(err)
				return
			}
			for k := range s.own.len() {
				i := s.own.first + k
				sx, sy, sz := termSums(all, i, s.eps2)
				for _, c := range [][3]float64{{s.acc.x[k], twin.acc.x[i], sx}, {s.acc.y[k], twin.acc.y[i], sy}, {s.acc.z[k], twin.acc.z[i], sz}} {
					if math.Abs(c[0]-c[1]) > 2*gamma*c[2] {
						t.Errorf("p %d body %d: differs by %.1e, bound %.1e", p, i, c[0]-c[1], 2*gamma*c[2])
					}
				}
			}
		})
	}
}

// TestRingTrajectoriesAgreeWithinTheirBound is recurrence (3) of the ring.
func TestRingTrajectoriesAgreeWithinTheirBound(t *testing.T) {
	const n, steps, dt, softening = 48, 128, 1.0 / 64, 0.5
	twin := moving(plummer(n, 6, 0, n), "leapfrog", dt, softening)
	// X and V bound what is met on the way, with room for the other run.
	var reach, speed float64
	for range steps {
		advance(t, twin, 1)
		for i := range n {
			reach = max(reach, 1.01*math.Abs(twin.own.x[i]), 1.01*math.Abs(twin.own.y[i]), 1.01*math.Abs(twin.own.z[i]))
			speed = max(speed, 1.1*math.Abs(twin.own.vx[i]), 1.1*math.Abs(twin.own.vy[i]), 1.1*math.Abs(twin.own.vz[i]))
		}
	}
	k := 2 / math.Pow(softening, 3)
	alpha := 2 * math.Sqrt(3) * (n + 20) * unit * 2 / (3 * math.Sqrt(3) * softening * softening)
	var delta, nu float64
	kick := func() { nu += dt/2*(k*delta+alpha) + 7*math.Sqrt(3)*unit*speed }
	for range steps {
		kick()
		delta += dt*nu + 7*math.Sqrt(3)*unit*reach
		kick()
	}
	if delta > 1e-6 {
		t.Fatalf("the bound %.1e says nothing: choose a softer system", delta)
	}
	for _, p := range sizes {
		o := options{decomposition: "ring", integrator: integrators[0], dt: dt, softening: softening}
		onRanks(t, p, plummer(n, 6, 0, n), o, func(t *testing.T, ctx context.Context, s *simulation) {
			if err := s.advance(ctx, steps); err != nil {
				t.Error(err)
				return
			}
			all := joined(t, ctx, s)
			if s.c.Rank() != 0 {
				return
			}
			most := 0.0
			for i := range n {
				most = max(most, norm(all.x[i]-twin.own.x[i], all.y[i]-twin.own.y[i], all.z[i]-twin.own.z[i]))
			}
			if most > delta {
				t.Errorf("p %d: positions differ by %.1e, bound %.1e", p, most, delta)
			}
			t.Logf("p %d: positions differ by %.1e, bound %.1e", p, most, delta)
		})
	}
}

func TestRingMemoryIsThatOfThreeBlocks(t *testing.T) {
	const n, p = 1000, 8
	onRanks(t, p, plummer(n, 1, 0, n), options{decomposition: "ring", integrator: integrators[0]}, func(t *testing.T, _ context.Context, s *simulation) {
		held := len(s.own.flat) + 3*len(s.acc.x)
		for _, b := range s.forces.(*ring).buffers {
			held += len(b.flat)
		}
		if most := (stateFields + 3 + 2*sourceFields) * (n/p + 1); held > most {
			t.Errorf("rank %d holds %d numbers, want at most %d", s.c.Rank(), held, most)
		}
	})
}

func TestScatterAndCollectAreInverse(t *testing.T) {
	for _, n := range []int{1, 6, 50} {
		all := scattered(n, 4)
		for _, p := range sizes {
			ranktest.Run(t, p, func(t *testing.T, c *rank.Comm) {
				var given *bodies
				if c.Rank() == 0 {
					given = all
				}
				own, total, err := scatter(t.Context(), c, given)
				if err != nil || total != n {
					t.Errorf("p %d rank %d: %d bodies, %v; want %d", p, c.Rank(), total, err, n)
					return
				}
				got := joined(t, t.Context(), &simulation{c: c, n: n, own: own})
				if c.Rank() == 0 {
					wantSameBits(t, got, all)
				}
			})
		}
	}
}

func TestVerdictOfRankZeroReachesAll(t *testing.T) {
	const p = 5
	for _, want := range []error{nil, errors.New("no such file")} {
		var mu sync.Mutex
		var got []string
		ranktest.Run(t, p, func(t *testing.T, c *rank.Comm) {
			var own error
			if c.Rank() == 0 {
				own = want
			}
			err := verdict(t.Context(), c, own)
			mu.Lock()
			defer mu.Unlock()
			got = append(got, fmt.Sprint(err))
		})
		if all := slices.Repeat([]string{fmt.Sprint(want)}, p); !slices.Equal(got, all) {
			t.Errorf("got %q, want %q", got, all)
		}
	}
}
