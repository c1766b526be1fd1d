package shm

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/transport"
	"github.com/muster-mpi/muster/internal/wire"
)

// sink is a Handler that does with a payload what an engine does: copy it to where it is
// wanted.
type sink struct {
	mem    []byte
	frames int
	bytes  int
	answer bool // the frame wants one
	lost   error
}

func (s *sink) Deliver(_ int, h *wire.Header, payload layout.Buffer) {
	at := 0
	if h.Kind == wire.Bulk {
		at = int(h.Arg)
	}
	run, _ := payload.Plain()
	copy(s.mem[at:], run)
	s.frames++
	s.bytes += len(run)
	if h.Flags&wire.FlagSync != 0 {
		s.answer = true
	}
}
func (s *sink) Sent(int, uint64)      {}
func (s *sink) Writable(int)          {}
func (s *sink) Lost(_ int, err error) { s.lost = err }
func (s *sink) Idle()                 {}

// touched returns memory whose pages are there.
func touched(size int) []byte {
	b := make([]byte, size)
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
	return b
}

// send sends a frame, polling while the link is full.
func (s *sink) send(c *Conn, peer int, h *wire.Header, payload layout.Buffer) transport.Result {
	for {
		res, err := c.Send(peer, h, payload, 1)
		must(err)
		if res != transport.Full {
			return res
		}
		c.Poll(s)
	}
}

// pin keeps the calling goroutine on one core, as the peers' launchers do with a rank: two
// ranks that spin on the same core measure the kernel's time slice. The thread ends with
// the goroutine.
func pin(core int) {
	runtime.LockOSThread()
	var set unix.CPUSet
	set.Set(core)
	unix.SchedSetaffinity(0, &set) // where there is no such core or no right to it, so be it
}

// echoRole answers every frame that asks for it with one of the same size.
func echoRole() {
	pin(1)
	e, self := inherited()
	c, err := e.open(self, os.Getppid(), nil)
	must(err)
	s := &sink{mem: touched(64 << 20)}
	for s.lost == nil {
		c.Poll(s)
		if s.answer {
			s.answer = false
			s.send(c, 1-self, &wire.Header{Kind: wire.Eager, Tag: 1}, layout.Of(s.mem[:s.bytes/s.frames]))
			s.bytes, s.frames = 0, 0
		}
	}
	c.Close()
}

// pair starts the role in a second process and returns this process's end.
func pair(b *testing.B, role string) (*Conn, *sink) {
	e := newEnds(b)
	cmd := e.command(role, 1)
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	c, err := e.open(0, cmd.Process.Pid, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		c.Close()
		cmd.Wait()
	})
	pin(0)
	return c, &sink{mem: touched(64 << 20)}
}

// exchange sends one frame that asks for an answer and polls until it is there.
func exchange(c *Conn, s *sink, h *wire.Header, payload layout.Buffer) {
	s.frames = 0
	s.send(c, 1, h, payload)
	for s.frames == 0 {
		c.Poll(s)
	}
}

func init() { roles["flag"] = flagRole }

// flagRole answers each change of a word with one of another word.
func flagRole() {
	pin(1)
	e, self := inherited()
	c, err := e.open(self, 0, nil)
	must(err)
	l := c.peers[1-self].link.Load()
	for seen := uint64(0); seen < closedBit; {
		if v := l.claimsIn[0].Load(); v != seen {
			seen = v
			storeRelease((*uint64)(unsafe.Pointer(&l.claimsOut[0])), v)
		}
	}
}

// BenchmarkFlag is the machine's limit: one word each way.
func BenchmarkFlag(b *testing.B) {
	c, _ := pair(b, "flag")
	l := c.peers[1].link.Load()
	turn := uint64(0)
	once := func(v uint64) {
		storeRelease((*uint64)(unsafe.Pointer(&l.claimsOut[0])), v)
		for l.claimsIn[0].Load() != v {
		}
	}
	once(1)
	b.ResetTimer()
	for turn = 2; turn < uint64(b.N)+2; turn++ {
		once(turn)
	}
	b.StopTimer()
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(2*b.N), "ns/one-way")
	once(closedBit)
}

func BenchmarkPingPong(b *testing.B) {
	for _, size := range []int{0, 8, 64, 1 << 10, 4 << 10, 8 << 10, 16 << 10, 32 << 10, 64 << 10, 256 << 10, 1 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			c, s := pair(b, "echo")
			h := wire.Header{Kind: wire.Eager, Flags: wire.FlagSync, Bytes: uint64(size)}
			payload := layout.Of(make([]byte, size))
			if size > pieceBytes-granule {
				h.Kind = wire.Bulk
			}
			once := func() { exchange(c, s, &h, payload) }
			if h.Kind == wire.Bulk {
				once = func() { bulkExchange(c, s, &h, payload) }
			}
			for range 100 {
				once()
			}
			b.ResetTimer()
			for range b.N {
				once()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(2*b.N), "ns/one-way")
		})
	}
}

// bulkExchange sends Bulk and then asks for an answer of one byte for each piece, so that
// one way is nearly the whole.
func bulkExchange(c *Conn, s *sink, h *wire.Header, payload layout.Buffer) {
	b := *h
	b.Flags = 0
	s.send(c, 1, &b, payload)
	exchange(c, s, &wire.Header{Kind: wire.Eager, Flags: wire.FlagSync}, layout.Buffer{})
}

func BenchmarkRate(b *testing.B) {
	for _, size := range []int{8, 64, 1 << 10, 4 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			c, s := pair(b, "echo")
			h := wire.Header{Kind: wire.Eager, Bytes: uint64(size)}
			last := wire.Header{Kind: wire.Eager, Flags: wire.FlagSync}
			payload := layout.Of(make([]byte, size))
			exchange(c, s, &last, layout.Buffer{})
			b.ResetTimer()
			for range b.N {
				s.send(c, 1, &h, payload)
			}
			exchange(c, s, &last, layout.Buffer{})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "M/s")
		})
	}
}

func BenchmarkBulk(b *testing.B) {
	for _, size := range []int{64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20, 64 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			c, s := pair(b, "echo")
			h := wire.Header{Kind: wire.Bulk, Bytes: uint64(size)}
			last := wire.Header{Kind: wire.Eager, Flags: wire.FlagSync}
			payload := layout.Of(touched(size))
			exchange(c, s, &last, layout.Buffer{})
			b.SetBytes(int64(size))
			b.ResetTimer()
			for range b.N {
				s.send(c, 1, &h, payload)
			}
			exchange(c, s, &last, layout.Buffer{})
		})
	}
}

// BenchmarkPull copies from the other process's memory, which only lies there.
func BenchmarkPull(b *testing.B) {
	for _, size := range []int{4 << 10, 64 << 10, 1 << 20, 16 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			mayCopy(b)
			c, addr, _ := remote(b, host)
			dst := touched(size)
			b.SetBytes(int64(size))
			b.ResetTimer()
			for range b.N {
				for at := 0; at < size; at += vmPieceBytes {
					part := dst[at:min(size, at+vmPieceBytes)]
					if err := c.Pull(1, layout.Of(part), addr+uint64(at%(memoryBytes-vmPieceBytes))); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

// loop is a link whose ends are polled in turns by one goroutine.
func loop(b testing.TB) (tx, rx *Conn) {
	e := newEnds(b)
	var conns [2]*Conn
	for i := range conns {
		c, err := e.open(i, 0, nil)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { c.Close() })
		conns[i] = c
	}
	return conns[0], conns[1]
}

// BenchmarkSend is Send and Poll on one core: what is left when no line has to travel.
func BenchmarkSend(b *testing.B) {
	for _, size := range []int{8, 64, 1 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			tx, rx := loop(b)
			h := wire.Header{Kind: wire.Eager, Bytes: uint64(size)}
			payload := layout.Of(make([]byte, size))
			s := &sink{mem: make([]byte, size)}
			group := ringBytes / 2 / int(frameBytes(size))
			var sending, polling time.Duration
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				start := time.Now()
				for range group {
					if res, err := tx.Send(1, &h, payload, 0); res != transport.Taken || err != nil {
						b.Fatal(res, err)
					}
				}
				middle := time.Now()
				for rx.Poll(s) {
				}
				sending, polling = sending+middle.Sub(start), polling+time.Since(middle)
			}
			b.ReportMetric(float64(sending)/float64(b.N*group), "ns/send")
			b.ReportMetric(float64(polling)/float64(b.N*group), "ns/poll")
		})
	}
}

func BenchmarkPollOfNothing(b *testing.B) {
	_, rx := loop(b)
	s := &sink{}
	for b.Loop() {
		rx.Poll(s)
	}
}

func BenchmarkReadyOfNothing(b *testing.B) {
	_, rx := loop(b)
	for b.Loop() {
		rx.Ready()
	}
}

func BenchmarkDoze(b *testing.B) {
	_, rx := loop(b)
	for b.Loop() {
		rx.Doze()
		rx.Rouse()
	}
}
