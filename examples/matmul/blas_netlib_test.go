//go:build netlib && cgo

package main

import (
	"math/rand/v2"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/muster-mpi/muster/internal/launchtest"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/blas/gonum"
	"gonum.org/v1/netlib/blas/netlib"
)

// TestOpenBLASAgreesWithGonum compares the local product with gonum's own, for
// blocks that lie in larger matrices, under the bound that the program checks:
// |C−C₁| ≤ 2γ|A||B|.
func TestOpenBLASAgreesWithGonum(t *testing.T) {
	if _, ok := blas64.Implementation().(netlib.Implementation); !ok {
		t.Fatalf("the tag netlib is set and local products are by %T", blas64.Implementation())
	}
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 3))
		m, n, k := 1+r.IntN(130), 1+r.IntN(130), 1+r.IntN(130)
		inside := func(rows, cols int) blas64.General {
			top, left := r.IntN(4), r.IntN(4)
			whole := normal(r, top+rows+r.IntN(3), left+cols+r.IntN(3))
			return block(whole, span{top, top + rows}, span{left, left + cols})
		}
		a, b := inside(m, k), inside(k, n)
		c := block(newMatrix(m, n+3), span{0, m}, span{2, n + 2})
		multiplyAdd(c, a, b)
		want := newMatrix(m, n)
		gonum.Implementation{}.Dgemm(blas.NoTrans, blas.NoTrans, m, n, k, 1, a.Data, a.Stride, b.Data, b.Stride, 0, want.Data, want.Stride)
		if v := verify(c, want, a, b); !v.ok() {
			t.Errorf("seed %d, (%d×%d)·(%d×%d): %v", seed, m, k, k, n, v)
		}
	}
}

// TestLauncherBuildsWithOpenBLAS runs the README's command.
func TestLauncherBuildsWithOpenBLAS(t *testing.T) {
	if testing.Short() || runtime.GOOS != "linux" {
		t.Skip("starts processes, which the launcher does on Linux")
	}
	muster := launchtest.Build(t, launchtest.Muster)
	out, err := exec.CommandContext(t.Context(), muster, "run", "-tags", "netlib", "-n", "2", ".", "-size", "200").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "check      passed") {
		t.Errorf("%v\n%s", err, out)
	}
}
