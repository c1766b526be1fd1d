package rank_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/muster-mpi/muster/rank"
	"github.com/muster-mpi/muster/rank/ranktest"
)

// bg is the context of calls that nothing but their match ends.
var bg = context.Background()

// world is one shape of the matrix over which the rules are tested.
type world struct {
	ranks      int
	eager      int
	unexpected int64
}

const defaultEager = 64 << 10

// protocols are the settings that decide how a message travels: offered unless
// it is tiny, offered above a limit small enough to cross often, as delivered,
// and never without asking, as there is no credit.
var protocols = []world{
	{eager: 1},
	{eager: 64},
	{eager: 4 << 10},
	{eager: 4 << 10, unexpected: 1},
}

func (w world) String() string {
	return fmt.Sprintf("n=%d,eager=%d,unexpected=%d", w.ranks, w.eager, w.unexpected)
}

func (w world) options() []rank.LocalOption {
	return []rank.LocalOption{rank.EagerBytes(w.eager), rank.UnexpectedBytes(w.unexpected)}
}

// sizes are message lengths on both sides of every change of protocol.
func (w world) sizes() []int { return []int{0, 1, w.eager - 1, w.eager, w.eager + 1, 3 * w.eager} }

// edges are the fewest of sizes that go by all roads, for tests that try much
// else.
func (w world) edges() []int { return []int{0, w.eager, w.eager + 1} }

// size draws one of sizes.
func (w world) size(rng *rand.Rand) int { return w.sizes()[rng.IntN(len(w.sizes()))] }

// everywhere runs fn as each rank of worlds of 2 to 5 ranks under each protocol.
func everywhere(t *testing.T, fn func(t *testing.T, c *rank.Comm, w world)) {
	t.Helper()
	for n := 2; n <= 5; n++ {
		inWorldsOf(t, n, fn)
	}
}

// inWorldsOf is everywhere for n ranks only. Two ranks have the default settings
// as well, whose long messages cost most of the time.
func inWorldsOf(t *testing.T, n int, fn func(t *testing.T, c *rank.Comm, w world)) {
	t.Helper()
	worlds := protocols
	if n == 2 {
		worlds = append(slices.Clone(worlds), world{eager: defaultEager})
	}
	for _, w := range worlds {
		w.ranks = n
		t.Run(w.String(), func(t *testing.T) {
			ranktest.Run(t, n, func(t *testing.T, c *rank.Comm) { fn(t, c, w) }, w.options()...)
		})
	}
}

// seed returns the seed of a randomised test: SEED of the environment, or one
// of the time. It is printed if the test fails.
func seed(t *testing.T) uint64 {
	t.Helper()
	s := uint64(time.Now().UnixNano())
	if v, err := strconv.ParseUint(os.Getenv("SEED"), 10, 64); err == nil {
		s = v
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("repeat with SEED=%d", s)
		}
	})
	return s
}

// noise is what messages are cut from.
var noise = func() []byte {
	b := make([]byte, 3<<20)
	rng := rand.NewChaCha8([32]byte{1})
	_, _ = rng.Read(b)
	return b
}()

// fill returns n bytes that depend on who sends and on which of its messages
// this is.
func fill(n, sender, k int) []byte {
	return bytes.Clone(noise[(sender*10007+k*13)%(1<<20):][:n])
}

// canary is what memory holds that nobody may write.
const canary = 0xc5

// canaries returns n bytes of it.
func canaries(n int) []byte { return bytes.Repeat([]byte{canary}, n) }

// untouched reports whether all of b is as canaries made it.
func untouched(b []byte) bool { return bytes.Count(b, []byte{canary}) == len(b) }

// ok ends the rank if err is not nil.
func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// same ends the rank if what arrived is not what was sent.
func same(t *testing.T, got, want []byte) {
	t.Helper()
	if bytes.Equal(got, want) {
		return
	}
	at := 0
	for at < min(len(got), len(want)) && got[at] == want[at] {
		at++
	}
	t.Fatalf("got %d bytes, want %d, the first difference at %d", len(got), len(want), at)
}

// barrier returns when all ranks of c have called it; what each sent on c to
// another before is at that other's. It talks on the twin of c, so receives
// pending on c do not matter.
func barrier(t *testing.T, c *rank.Comm) {
	t.Helper()
	const tag = 0
	c = c.Twin()
	for r := range c.Size() {
		if r == c.Rank() {
			continue
		}
		req := rank.Isend[byte](c, r, tag, nil)
		_, err := rank.Recv[byte](bg, c, r, tag, nil)
		ok(t, err)
		_, err = req.Wait(bg)
		ok(t, err)
	}
}

// mode is a way to send.
type mode struct {
	name string
	send func(c *rank.Comm, dest int, tag rank.Tag, buf []byte) (rank.Request, error)
}

// started makes a mode of a call that returns a Request.
func started(name string, f func(*rank.Comm, int, rank.Tag, []byte) rank.Request) mode {
	return mode{name, func(c *rank.Comm, dest int, tag rank.Tag, buf []byte) (rank.Request, error) {
		return f(c, dest, tag, buf), nil
	}}
}

// modes start a send; they need a buffer attached to the world.
var modes = []mode{
	started("Isend", rank.Isend[byte]),
	started("Issend", rank.Issend[byte]),
	started("Ibsend", rank.Ibsend[byte]),
	{"Bsend", func(c *rank.Comm, dest int, tag rank.Tag, buf []byte) (rank.Request, error) {
		return rank.Request{}, rank.Bsend(bg, c, dest, tag, buf)
	}},
	{"SendInit", func(c *rank.Comm, dest int, tag rank.Tag, buf []byte) (rank.Request, error) {
		return rank.SendInit(c, dest, tag, buf).Start()
	}},
	{"SsendInit", func(c *rank.Comm, dest int, tag rank.Tag, buf []byte) (rank.Request, error) {
		return rank.SsendInit(c, dest, tag, buf).Start()
	}},
	{"BsendInit", func(c *rank.Comm, dest int, tag rank.Tag, buf []byte) (rank.Request, error) {
		return rank.BsendInit(c, dest, tag, buf).Start()
	}},
}

// blocking are the sends that return when the buffer is free. Rsend is among
// them for tests that post the receive first.
var blocking = map[string]func(context.Context, *rank.Comm, int, rank.Tag, []byte) error{
	"Send":  rank.Send[byte],
	"Ssend": rank.Ssend[byte],
	"Bsend": rank.Bsend[byte],
}

// attach gives the world room for buffered sends and takes it away when the
// rank's part of the test is over.
func attach(t *testing.T, c *rank.Comm) (detach func()) {
	t.Helper()
	const room = 64 << 20
	ok(t, c.AttachBuffer(room))
	return func() {
		n, err := c.DetachBuffer(bg)
		if err != nil || n != room {
			t.Errorf("DetachBuffer: %d, %v", n, err)
		}
	}
}
