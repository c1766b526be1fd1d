package layout

import (
	"fmt"
	"testing"
)

// BenchmarkPack packs and unpacks 64 KiB, from and to memory that the caches
// hold, in blocks with a gap as long as a block; copy moves as many bytes that
// lie side by side.
func BenchmarkPack(b *testing.B) {
	const size = 64 << 10
	packed := make([]byte, size)
	b.Run("copy", func(b *testing.B) {
		mem := make([]byte, size)
		b.SetBytes(size)
		for b.Loop() {
			copy(packed, mem)
		}
	})
	for _, block := range []int{4, 8, 12, 16, 32, 64, 256, 4096} {
		plan, err := Strided(0, block, Dim{size / block, 2 * block})
		if err != nil {
			b.Fatal(err)
		}
		runs := make([]Run, size/block)
		for i := range runs {
			runs[i] = Run{Offset: 2 * i * block, Len: block}
		}
		runs[0].Offset, runs[1].Offset = runs[1].Offset, runs[0].Offset // or they would become a strided plan
		indexed, err := Indexed(runs)
		if err != nil {
			b.Fatal(err)
		}
		mem := make([]byte, 2*size)
		for name, p := range map[string]*Plan{"strided": plan, "indexed": indexed} {
			buf, err := WithPlan(mem, p)
			if err != nil {
				b.Fatal(err)
			}
			b.Run(fmt.Sprintf("%s/pack/%d", name, block), func(b *testing.B) {
				b.SetBytes(size)
				for b.Loop() {
					buf.ReadAt(packed, 0)
				}
			})
			b.Run(fmt.Sprintf("%s/unpack/%d", name, block), func(b *testing.B) {
				b.SetBytes(size)
				for b.Loop() {
					buf.WriteAt(packed, 0)
				}
			})
		}
	}
}

// BenchmarkCopyStrided copies between two strided buffers by either loop; where
// they cross is bounceRun.
func BenchmarkCopyStrided(b *testing.B) {
	const size = 64 << 10
	for _, block := range []int{8, 64, 128, 256, 512, 1024, 4096} {
		plan, err := Strided(0, block, Dim{size / block, 2 * block})
		if err != nil {
			b.Fatal(err)
		}
		dst, _ := WithPlan(make([]byte, 2*size), plan)
		src, _ := WithPlan(make([]byte, 2*size), plan)
		b.Run(fmt.Sprintf("small/%d", block), func(b *testing.B) {
			b.SetBytes(size)
			for b.Loop() {
				copySmall(dst, 0, src, 0, size)
			}
		})
		b.Run(fmt.Sprintf("runs/%d", block), func(b *testing.B) {
			b.SetBytes(size)
			for b.Loop() {
				copyRuns(dst, 0, src, 0, size)
			}
		})
	}
}

// BenchmarkColumn packs one column of a row-major matrix of 2048 float64s a
// side; plain is the loop a user would write.
func BenchmarkColumn(b *testing.B) {
	const n = 2048
	m := make([]float64, n*n)
	col := make([]float64, n)
	plan, err := Strided(0, 8, Dim{n, n * 8})
	if err != nil {
		b.Fatal(err)
	}
	buf, err := WithPlan(BytesOf(m), plan)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("plan", func(b *testing.B) {
		b.SetBytes(n * 8)
		for b.Loop() {
			buf.ReadAt(BytesOf(col), 0)
		}
	})
	b.Run("plain", func(b *testing.B) {
		b.SetBytes(n * 8)
		for b.Loop() {
			for i := range col {
				col[i] = m[i*n]
			}
		}
	})
}

// BenchmarkSmallPiece reads 64 bytes in the middle of a plan: what a link pays
// for each frame it fills.
func BenchmarkSmallPiece(b *testing.B) {
	plan, err := Strided(0, 64, Dim{100, 100_000}, Dim{100, 1000})
	if err != nil {
		b.Fatal(err)
	}
	buf, err := WithPlan(make([]byte, 10_000_000), plan)
	if err != nil {
		b.Fatal(err)
	}
	dst := make([]byte, 64)
	for b.Loop() {
		buf.ReadAt(dst, 300_000)
	}
}
