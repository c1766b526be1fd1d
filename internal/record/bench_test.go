package record

import "testing"

func BenchmarkBeginLockedEnd(b *testing.B) {
	r := New()
	for i := range b.N {
		r.BeginLocked(OpRecv, 1, 2, int64(i), 1024).End(r)
	}
}

func BenchmarkBeginEnd(b *testing.B) {
	r := New()
	for i := range b.N {
		r.Begin(OpRecv, 1, 2, int64(i), 1024).End(r)
	}
}

func BenchmarkBeginEndContended(b *testing.B) {
	r := New()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r.Begin(OpRecv, 1, 2, 7, 1024).End(r)
		}
	})
}

// Another goroutine is blocked meanwhile.
func BenchmarkBeginLockedEndWhileOneBlocks(b *testing.B) {
	r := New()
	r.Begin(OpRecv, 1, 2, 7, 1024).Block(r, 1, "solver.go:142")
	for i := range b.N {
		r.BeginLocked(OpRecv, 1, 2, int64(i), 1024).End(r)
	}
}

func BenchmarkBlockEnd(b *testing.B) {
	r := New()
	for range b.N {
		s := r.BeginLocked(OpRecv, 1, 2, 7, 1024)
		s.Block(r, 1, "solver.go:142")
		s.End(r)
	}
}

func BenchmarkRead(b *testing.B) {
	r := New()
	for i := range 2 * laneSize {
		r.BeginLocked(OpRecv, 1, 2, int64(i), 1024).End(r)
	}
	for range b.N {
		r.Reader().Last(5)
	}
}
