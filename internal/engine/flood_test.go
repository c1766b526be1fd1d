package engine

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"

	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/match"
)

// A rank that sleeps while another floods it with blocking sends holds no more
// than Config says and one envelope beyond; nothing is refused, and all comes
// in order.
func TestFloodIsBoundedCompleteAndInOrder(t *testing.T) {
	const eagerBytes, limit = 4096, 1 << 20
	for _, size := range []int{0, 1 << 10, eagerBytes, eagerBytes + 1} {
		t.Run(fmt.Sprintf("%d bytes", size), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				net := newSimNet(rand.New(rand.NewPCG(1, 1)), 2, func(c *Config) {
					c.EagerBytes, c.UnexpectedBytes = eagerBytes, limit
				})
				net.calm = true
				world := net.open(t, WorldID)
				const count = 4000
				sent := 0
				go func() {
					buf := make([]byte, size)
					for i := range count {
						if size >= 4 {
							binary.LittleEndian.PutUint32(buf, uint32(i))
						}
						err := net.engines[0].Send(context.Background(), &Envelope{
							Context: world[0], Peer: 1, Tag: int64(i), Buf: layout.Of(buf),
						})
						if err != nil {
							t.Errorf("send %d: %v", i, err)
							return
						}
						sent++
					}
				}()
				drive := func() {
					synctest.Wait()
					for net.step() {
						synctest.Wait()
					}
				}
				drive()
				st := net.engines[1].Stats()
				window := net.engines[1].window
				if most := int(window/eagerCost(size)) + 1; st.Unexpected > most || sent > most {
					t.Errorf("%d envelopes are queued and %d sends have returned, want at most %d", st.Unexpected, sent, most)
				}
				buf := make([]byte, size)
				for i := range count {
					st, err := recvNow(net.engines[1], world[1], buf, drive)
					if err != nil || st.Tag != int64(i) || st.Bytes != size || size >= 4 && binary.LittleEndian.Uint32(buf) != uint32(i) {
						t.Fatalf("message %d: %+v, %v", i, st, err)
					}
				}
				drive()
				if st := net.engines[1].Stats(); st.PeakBytes > limit || st.Unexpected != 0 {
					t.Errorf("%+v, want at most %d bytes at the peak and nothing at the end", st, limit)
				}
				if sent != count {
					t.Errorf("%d sends have returned, want %d", sent, count)
				}
			})
		})
	}
}

// recvNow receives the next message from rank 0, driving the network while
// there is none.
func recvNow(e *Engine, c *Context, buf []byte, drive func()) (Status, error) {
	r, err := e.Irecv(&Envelope{Context: c, Peer: 0, Tag: match.AnyTag, Buf: layout.Of(buf)})
	if err != nil {
		return Status{}, err
	}
	for {
		if st, done, err := e.Test(r); done || err != nil {
			return st, err
		}
		drive()
	}
}
