package stream_test

import (
	"io"
	"testing"

	"github.com/muster-mpi/muster/internal/socketpair"
	"github.com/muster-mpi/muster/internal/transport/stream/streamtest"
	"github.com/muster-mpi/muster/internal/transport/transporttest"
)

func BenchmarkUnix(b *testing.B) { transporttest.Bench(b, streamtest.Net{Pair: socketpair.Unix}.Open) }
func BenchmarkTCP(b *testing.B)  { transporttest.Bench(b, streamtest.Net{Pair: socketpair.TCP}.Open) }
func BenchmarkTLS(b *testing.B) {
	transporttest.Bench(b, streamtest.Net{Pair: socketpair.TCP, TLS: true}.Open)
}

// BenchmarkRaw is what the sockets themselves give: the same two patterns with
// nothing between Go and the kernel.
func BenchmarkRaw(b *testing.B) {
	for _, c := range []struct {
		name string
		pair streamtest.Pair
	}{{"Unix", socketpair.Unix}, {"TCP", socketpair.TCP}} {
		x, y, err := c.pair()
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { x.Close(); y.Close() })
		b.Run(c.name+"/Latency8B", func(b *testing.B) {
			go func() {
				buf := make([]byte, 8)
				for range b.N {
					io.ReadFull(y, buf)
					y.Write(buf)
				}
			}()
			buf := make([]byte, 8)
			for range b.N {
				x.Write(buf)
				io.ReadFull(x, buf)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(2*b.N), "ns/one-way")
		})
		b.Run(c.name+"/Bandwidth4MiB", func(b *testing.B) {
			b.SetBytes(4 << 20)
			go func() {
				buf := make([]byte, 256<<10)
				for range 16 * b.N {
					x.Write(buf)
				}
			}()
			buf := make([]byte, 256<<10)
			for range 16 * b.N {
				io.ReadFull(y, buf)
			}
		})
	}
}
