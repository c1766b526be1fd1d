package faulty_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/socketpair"
	"github.com/muster-mpi/muster/internal/transport"
	"github.com/muster-mpi/muster/internal/transport/faulty"
	"github.com/muster-mpi/muster/internal/transport/inproc"
	"github.com/muster-mpi/muster/internal/transport/stream/streamtest"
	"github.com/muster-mpi/muster/internal/transport/transporttest"
	"github.com/muster-mpi/muster/internal/wire"
)

func openInproc(_ testing.TB, hs []transport.Handler) []transport.Conn {
	net := inproc.NewNet(len(hs))
	conns := make([]transport.Conn, len(hs))
	for i, h := range hs {
		conns[i] = net.Open(i, h)
	}
	return conns
}

// over puts a faulty Conn over each Conn that open makes.
func over(open transporttest.Opener, seed uint64, plan faulty.Plan) transporttest.Opener {
	return func(tb testing.TB, hs []transport.Handler) []transport.Conn {
		wrapped := make([]*faulty.Conn, len(hs))
		lower := make([]transport.Handler, len(hs))
		for i, h := range hs {
			wrapped[i] = faulty.New(h, seed+uint64(i), plan)
			lower[i] = wrapped[i].Handler()
		}
		conns := open(tb, lower)
		for i, c := range conns {
			conns[i] = wrapped[i].Over(c)
		}
		return conns
	}
}

func TestConformanceUnderFaults(t *testing.T) {
	for _, below := range []struct {
		name string
		open transporttest.Opener
	}{
		{"inproc", openInproc},
		{"stream", streamtest.Net{Pair: socketpair.Unix}.Open},
		{"twice", over(openInproc, 99, faulty.Rough)},
	} {
		for seed := range uint64(2) {
			t.Run(fmt.Sprintf("%s/seed%d", below.name, seed), func(t *testing.T) {
				transporttest.Run(t, over(below.open, seed, faulty.Rough))
			})
		}
	}
}

// recorder notes the calls for peer 1.
type recorder struct {
	calls chan string
}

func (r recorder) Deliver(_ int, h *wire.Header, _ layout.Buffer) {
	r.calls <- fmt.Sprint("deliver ", h.ID)
}
func (r recorder) Sent(_ int, token uint64)   { r.calls <- fmt.Sprint("sent ", token) }
func (r recorder) Writable(int)               {}
func (r recorder) Lost(peer int, cause error) { r.calls <- fmt.Sprint("lost ", peer, " ", cause) }
func (r recorder) Idle()                      {}

func TestKilledPeerIsLostAfterWhatHadArrived(t *testing.T) {
	h := recorder{make(chan string, 10)}
	conn := faulty.New(h, 1, faulty.Plan{Delay: 0.9})
	dead := errors.New("killed by the test")
	hs := []transport.Handler{conn.Handler(), recorder{make(chan string, 10)}}
	conns := openInproc(t, hs)
	conn.Over(conns[0])
	for id := range uint64(3) {
		if _, err := conns[1].Send(0, &wire.Header{Kind: wire.Ack, ID: id}, layout.Buffer{}, 0); err != nil {
			t.Fatal(err)
		}
	}
	conn.Kill(1, dead)
	conn.Kill(1, errors.New("killed twice"))
	if _, err := conns[1].Send(0, &wire.Header{Kind: wire.Ack, ID: 9}, layout.Buffer{}, 0); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"deliver 0", "deliver 1", "deliver 2", "lost 1 killed by the test"} {
		if got := <-h.calls; got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
	if _, err := conn.Send(1, &wire.Header{Kind: wire.Ack}, layout.Buffer{}, 0); !errors.Is(err, dead) {
		t.Errorf("Send to a killed peer: %v, want %v", err, dead)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	conns[1].Close()
	if len(h.calls) > 0 {
		t.Errorf("%s after Lost", <-h.calls)
	}
}
