package output

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
	"testing"
)

// Eight ranks print lines of 64 bytes, handed over 16 KiB at a time.
func BenchmarkEightRanks(b *testing.B) {
	for _, o := range []Options{{}, {Tag: true}, {Tag: true, Raw: true}, {Tag: true, Timestamp: true, Color: true}, {DropOnSlow: true}} {
		b.Run(fmt.Sprintf("tag=%v,time=%v,raw=%v,drop=%v", o.Tag, o.Timestamp, o.Raw, o.DropOnSlow), func(b *testing.B) {
			const ranks = 8
			o.Size, o.Stdout, o.Stderr = ranks, io.Discard, io.Discard
			s, err := New(o)
			if err != nil {
				b.Fatal(err)
			}
			chunk := bytes.Repeat([]byte("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\n"), 256)
			// A cut in the middle of a line, so that lines are assembled.
			chunk = append(chunk[10:], chunk[:10]...)
			b.SetBytes(int64(len(chunk)))
			b.ReportAllocs()
			var wg sync.WaitGroup
			b.ResetTimer()
			for rank := range ranks {
				wg.Go(func() {
					for range b.N/ranks + 1 {
						s.Write(rank, false, chunk, false)
					}
				})
			}
			wg.Wait()
			s.Close(context.Background())
			b.ReportMetric(float64(b.N*256)/b.Elapsed().Seconds(), "lines/s")
		})
	}
}
