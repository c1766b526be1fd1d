package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/match"
	"github.com/muster-mpi/muster/internal/transport"
	"github.com/muster-mpi/muster/internal/transport/inproc"
)

// openInproc returns n engines linked in process and their worlds.
func openInproc(t testing.TB, n int, cfg Config) ([]*Engine, []*Context) {
	net := inproc.NewNet(n)
	engines, worlds := make([]*Engine, n), make([]*Context, n)
	for i := range engines {
		cfg.Self, cfg.Size = i, n
		e := New(cfg)
		c := net.Open(i, e)
		e.Start(func(int) transport.Conn { return c }, c)
		var err error
		if worlds[i], err = e.NewContext(WorldID, wholeWorld(n), i); err != nil {
			t.Fatal(err)
		}
		engines[i] = e
	}
	return engines, worlds
}

// Many goroutines of every rank exchange messages of all sizes and modes at
// once: each pair of them keeps its order and its bytes, withdrawn messages
// either arrive or do not, and nothing remains.
func TestConcurrentRanks(t *testing.T) {
	const ranks, lanes = 3, 3
	rounds := 150
	if testing.Short() || raceEnabled {
		rounds = 50
	}
	engines, worlds := openInproc(t, ranks, Config{EagerBytes: 256, UnexpectedBytes: 3 * 4000})
	for _, e := range engines {
		e.chunk = 1000
	}
	var all sync.WaitGroup
	for from := range ranks {
		for to := range ranks {
			for lane := range lanes {
				tag := int64(lane*ranks + from)
				all.Go(func() {
					if err := sendLane(engines[from], worlds[from], to, tag, rounds); err != nil {
						t.Errorf("lane %d from %d to %d: %v", lane, from, to, err)
					}
				})
				all.Go(func() {
					if err := recvLane(engines[to], worlds[to], from, tag, rounds); err != nil {
						t.Errorf("lane %d at %d from %d: %v", lane, to, from, err)
					}
				})
			}
		}
	}
	all.Wait()
	for _, e := range engines {
		all.Go(func() {
			if err := e.Drain(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	net := &simNet{engines: engines}
	if err := net.checkAtRest(); err != nil {
		t.Error(err)
	}
}

func laneSize(tag int64, i int) int {
	return []int{0, 8, 200, 256, 257, 3000, 10000}[rand.New(rand.NewPCG(uint64(tag), uint64(i))).IntN(7)]
}

func sendLane(e *Engine, c *Context, to int, tag int64, rounds int) error {
	for i := range rounds {
		env := &Envelope{
			Context: c, Peer: to, Tag: tag, Layout: uint32(i + 1), Mode: []Mode{Standard, Standard, Synchronous}[i%3],
			Buf: layout.Of(pattern(uint32(i), laneSize(tag, i))),
		}
		if i%10 == 9 { // withdraw until it goes through
			for k := 0; ; k++ {
				ctx, cancel := context.WithCancel(context.Background())
				if k < 3 {
					go cancel()
				}
				err := e.Send(ctx, env)
				cancel()
				if err == nil {
					break
				}
				if !errors.Is(err, ErrCancelled) {
					return err
				}
			}
			continue
		}
		r, err := e.Isend(env)
		if err == nil {
			_, err = e.Wait(context.Background(), r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func recvLane(e *Engine, c *Context, from int, tag int64, rounds int) error {
	ctx := context.Background()
	for i := range rounds {
		buf := make([]byte, 10000)
		env := &Envelope{Context: c, Peer: from, Tag: tag, Buf: layout.Of(buf)}
		var st Status
		var err error
		switch i % 4 {
		case 0:
			st, err = e.Recv(ctx, env)
		case 1:
			if i%3 == 0 {
				env.Peer = int(match.AnySource) // the tag names the source
			}
			var r Ref
			if r, err = e.Irecv(env); err == nil {
				<-e.Done(r)
				st, err = e.Wait(ctx, r)
			}
		case 2:
			var m *Message
			if m, _, err = e.Probe(ctx, env, true); err == nil {
				st, err = e.Mrecv(ctx, m, env)
			}
		case 3:
			short, cancel := context.WithCancel(ctx)
			go cancel()
			if st, err = e.Recv(short, env); errors.Is(err, ErrCancelled) {
				st, err = e.Recv(ctx, env)
			}
		}
		want := pattern(uint32(i), laneSize(tag, i))
		if err != nil || st.Layout != uint32(i+1) || st.Source != from || !bytes.Equal(buf[:st.Bytes], want) {
			return fmt.Errorf("message %d of %d bytes: %+v, %v", i, len(want), st, err)
		}
	}
	return nil
}

// Ranks fail, engines close and contexts are freed while others send: every
// call returns, and no buffer is touched afterwards (which the race detector
// sees).
func TestFailureDuringTraffic(t *testing.T) {
	rounds := 60
	if testing.Short() || raceEnabled {
		rounds = 20
	}
	for seed := range uint64(rounds) {
		rng := rand.New(rand.NewPCG(seed, 0))
		engines, worlds := openInproc(t, 3, Config{EagerBytes: 256, UnexpectedBytes: 3 * 4000})
		for _, e := range engines {
			e.chunk = 1000
		}
		id := engines[0].NextID()
		cs := make([]*Context, len(engines))
		for i, e := range engines {
			cs[i], _ = e.NewContext(id, wholeWorld(3), i)
		}
		var all sync.WaitGroup
		for i, e := range engines {
			for k := range 4 {
				c, to := []*Context{worlds[i], cs[i]}[k%2], (i+1)%3
				all.Go(func() {
					buf := make([]byte, 3000)
					for n := 0; ; n++ {
						buf[0]++
						env := &Envelope{Context: c, Peer: to, Mode: Mode(n % 2), Buf: layout.Of(buf[:[]int{10, 3000}[n%2]])}
						if e.Send(context.Background(), env) != nil {
							return
						}
					}
				})
				all.Go(func() {
					buf := make([]byte, 3000)
					for {
						buf[0]++
						env := &Envelope{Context: c, Peer: (i + 2) % 3, Tag: match.AnyTag, Buf: layout.Of(buf)}
						if _, err := e.Recv(context.Background(), env); err != nil {
							return
						}
					}
				})
			}
		}
		for _, c := range cs {
			all.Go(c.Free)
		}
		victim := rng.IntN(3)
		for i, e := range engines {
			all.Go(func() {
				if i == victim {
					e.Close(errGone)
					return
				}
				e.Fail(victim, errGone)
				e.Close(errGone)
			})
		}
		all.Wait()
		for i, e := range engines {
			if len(e.free) != len(e.ops) {
				t.Fatalf("seed %d: rank %d: %d of %d operations are back in the pool", seed, i, len(e.free), len(e.ops))
			}
		}
	}
}
