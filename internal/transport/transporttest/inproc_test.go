package transporttest_test

import (
	"testing"

	"github.com/muster-mpi/muster/internal/transport"
	"github.com/muster-mpi/muster/internal/transport/inproc"
	"github.com/muster-mpi/muster/internal/transport/transporttest"
)

func openInproc(_ testing.TB, hs []transport.Handler) []transport.Conn {
	net := inproc.NewNet(len(hs))
	conns := make([]transport.Conn, len(hs))
	for i, h := range hs {
		conns[i] = net.Open(i, h)
	}
	return conns
}

func TestInproc(t *testing.T) { transporttest.Run(t, openInproc) }

func BenchmarkInproc(b *testing.B) { transporttest.Bench(b, openInproc) }
