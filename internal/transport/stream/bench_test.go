package stream_test

import (
	"testing"

	"github.com/muster-mpi/muster/internal/transport/stream/streamtest"
	"github.com/muster-mpi/muster/internal/transport/transporttest"
)

func BenchmarkUnix(b *testing.B) { transporttest.Bench(b, streamtest.Net{Pair: streamtest.Unix}.Open) }
func BenchmarkTCP(b *testing.B)  { transporttest.Bench(b, streamtest.Net{Pair: streamtest.TCP}.Open) }
func BenchmarkTLS(b *testing.B) {
	transporttest.Bench(b, streamtest.Net{Pair: streamtest.TCP, TLS: true}.Open)
}
