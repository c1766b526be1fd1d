package collectives_test

import (
	"context"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/rank"
	"github.com/muster-mpi/muster/rank/ranktest"
)

// terms are numbers of very different sizes, of which the large ones cancel.
func terms(rng *rand.Rand, n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = math.Ldexp(rng.NormFloat64(), rng.IntN(200)-100)
	}
	for i := 0; i+1 < n; i += 4 {
		v[i+1] = -v[i]
	}
	rng.Shuffle(n, func(i, j int) { v[i], v[j] = v[j], v[i] })
	return v
}

// bigSum is the sum of v with room for every bit.
func bigSum(v []float64) *big.Float {
	sum := new(big.Float).SetPrec(2400)
	for _, x := range v {
		sum.Add(sum, new(big.Float).SetFloat64(x))
	}
	return sum
}

// TestSumExactHasTheSameBitsForEveryDistribution deals the same terms out to 1 to 8
// ranks in random order and random shares, and compares with a sum of big numbers.
func TestSumExactHasTheSameBitsForEveryDistribution(t *testing.T) {
	for seed := range uint64(4) {
		all := terms(rand.New(rand.NewPCG(seed, 1)), 501)
		want, _ := bigSum(all).Float64()
		for p := 1; p <= 8; p++ {
			rng := rand.New(rand.NewPCG(seed, uint64(p)))
			local := make([][]float64, p)
			for _, i := range rng.Perm(len(all)) {
				r := rng.IntN(p) * rng.IntN(2) // rank 0 has most, others may have none
				local[r] = append(local[r], all[i])
			}
			ranktest.Run(t, p, func(t *testing.T, c *rank.Comm) {
				got, err := collectives.SumExact(t.Context(), c, local[c.Rank()])
				if err != nil {
					t.Fatal(err)
				}
				if math.Float64bits(got) != math.Float64bits(want) {
					t.Errorf("rank %d of %d, seed %d: got %x, want %x", c.Rank(), p, seed, got, want)
				}
			})
		}
	}
}

func TestSumExactOfFloat32IsRoundedOnce(t *testing.T) {
	type meters float32
	ranktest.Run(t, 3, func(t *testing.T, c *rank.Comm) {
		term := []meters{1, 0x1p-24, 0x1p-80}[c.Rank()]
		got, err := collectives.SumExact(t.Context(), c, []meters{term})
		if err != nil || got != 1+0x1p-23 { // through float64 it would be 1
			t.Errorf("rank %d: got %x, %v, want %x", c.Rank(), got, err, meters(1+0x1p-23))
		}
	})
}

func TestSumExactOfNothingAndOfWhatIsNoNumber(t *testing.T) {
	inf := math.Inf(1)
	for _, row := range []struct {
		terms [2][]float64
		want  float64
	}{
		{[2][]float64{nil, nil}, 0},
		{[2][]float64{{math.Copysign(0, -1)}, nil}, 0},
		{[2][]float64{{math.MaxFloat64, math.MaxFloat64}, {-math.MaxFloat64}}, math.MaxFloat64},
		{[2][]float64{{inf}, {1}}, inf},
		{[2][]float64{{inf}, {-inf}}, math.NaN()},
		{[2][]float64{nil, {math.NaN()}}, math.NaN()},
	} {
		ranktest.Run(t, 2, func(t *testing.T, c *rank.Comm) {
			got, err := collectives.SumExact(t.Context(), c, row.terms[c.Rank()])
			if err != nil || math.Float64bits(got) != math.Float64bits(row.want) && (got == got || row.want == row.want) {
				t.Errorf("%v, rank %d: got %v, %v, want %v", row.terms, c.Rank(), got, err, row.want)
			}
		})
	}
}

// TestSumExactEachDoesNotDependOnWhoBringsWhat permutes the vectors of the ranks, and
// has more ranks bring zeros.
func TestSumExactEachDoesNotDependOnWhoBringsWhat(t *testing.T) {
	const n, vectors = 7, 5
	rng := rand.New(rand.NewPCG(3, 4))
	all := make([][]float64, 8)
	for r := range all {
		all[r] = make([]float64, n)
		if r < vectors {
			copy(all[r], terms(rng, n))
		}
	}
	want := make([]float64, n)
	for i := range want {
		column := make([]float64, vectors)
		for r := range column {
			column[r] = all[r][i]
		}
		want[i], _ = bigSum(column).Float64()
	}
	for p := vectors; p <= len(all); p++ {
		perm := rng.Perm(p)
		ranktest.Run(t, p, func(t *testing.T, c *rank.Comm) {
			src := all[perm[c.Rank()]]
			got, err := collectives.SumExactEach(t.Context(), c, nil, src)
			if err != nil {
				t.Fatal(err)
			}
			for i := range want {
				if math.Float64bits(got[i]) != math.Float64bits(want[i]) {
					t.Errorf("rank %d of %d, order %v, element %d: got %x, want %x", c.Rank(), p, perm, i, got[i], want[i])
				}
			}
		})
	}
}

// TestSumExactOfDifferentTypesIsAMismatch: words of both would add up to nonsense.
func TestSumExactOfDifferentTypesIsAMismatch(t *testing.T) {
	mismatch(t, 2, "", func(ctx context.Context, c *rank.Comm) error {
		if c.Rank() == 0 {
			_, err := collectives.SumExact(ctx, c, []float32{1})
			return err
		}
		_, err := collectives.SumExact(ctx, c, []float64{1})
		return err
	}, "SumExact(70 of int64, Sum of float32", "SumExact(70 of int64, Sum of float64")
}
