package shm

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/segment"
	"github.com/muster-mpi/muster/internal/transport"
	"github.com/muster-mpi/muster/internal/wire"
)

// victim is a Conn whose peer is a test that writes into the segment as it likes.
type victim struct {
	tb   testing.TB
	conn *Conn
	mem  []byte
	s    *shared
	seen *log
}

// log notes the calls of a Handler.
type log struct {
	tb        testing.TB
	delivered []wire.Header
	sum       int
	sent      []uint64
	writable  int
	lost      []error
}

func (l *log) Deliver(peer int, h *wire.Header, payload layout.Buffer) {
	l.alive("Deliver")
	l.delivered = append(l.delivered, *h)
	for run := range payload.Runs() {
		for _, b := range run { // reads every byte
			l.sum += int(b)
		}
	}
}
func (l *log) Sent(_ int, token uint64) { l.alive("Sent"); l.sent = append(l.sent, token) }
func (l *log) Writable(int)             { l.alive("Writable"); l.writable++ }
func (l *log) Lost(_ int, cause error)  { l.alive("Lost"); l.lost = append(l.lost, cause) }
func (l *log) Idle()                    {}
func (l *log) alive(call string) {
	if len(l.lost) > 0 {
		l.tb.Errorf("%s after Lost", call)
	}
}

func newVictim(tb testing.TB) *victim {
	e := newEnds(tb)
	mem, err := segment.Map(e.memory, SegmentBytes, true)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { segment.Unmap(mem) })
	c, err := e.open(1, os.Getpid(), nil)
	if err != nil {
		tb.Fatal(err)
	}
	v := &victim{tb: tb, conn: c, mem: mem, s: (*shared)(unsafe.Pointer(unsafe.SliceData(mem))), seen: &log{tb: tb}}
	tb.Cleanup(func() { v.close() })
	return v
}

func (v *victim) close() {
	v.conn.cfg.CloseTimeout = 1 // what a peer does not take is its loss
	v.conn.Close()
}

// put writes a frame into the victim's ring at byte at.
func (v *victim) put(at int, word uint64, h *wire.Header) {
	r := &v.s.rings[0]
	if h != nil {
		h.Put(r[at+wordBytes : at+frontBytes])
	}
	atomic.StoreUint64(r.word(uint64(at)), word)
}

func (v *victim) poll() {
	for range 5 {
		v.conn.Poll(v.seen)
		v.conn.Ready()
	}
}

func whole(n int) uint64 { return validBit | uint64(wire.HeaderBytes+n) }

// A peer that garbles its ring and dies is lost, although not all that it wrote can
// be drained.
func TestDeadPeerWithAGarbledRingIsLost(t *testing.T) {
	v := newVictim(t)
	v.put(0, validBit|47, &wire.Header{Kind: wire.Ack})
	dead := errors.New("killed")
	v.conn.Fail(0, dead)
	v.poll()
	if len(v.seen.lost) != 1 || !errors.Is(v.seen.lost[0], dead) {
		t.Fatalf("lost: %v, want once, with %v", v.seen.lost, dead)
	}
	if v.conn.Ready() || v.conn.Poll(v.seen) {
		t.Error("there is work left")
	}
}

func TestWhatAPeerGarblesEndsTheLinkWithAReason(t *testing.T) {
	ack := &wire.Header{Kind: wire.Ack}
	for _, c := range []struct {
		name string
		do   func(v *victim)
		want string
	}{
		{"a frame shorter than a header", func(v *victim) { v.put(0, validBit|47, ack) }, "control word"},
		{"a frame longer than the ring", func(v *victim) { v.put(0, validBit|lengthMask, ack) }, "where the ring has"},
		{"a frame over the end of the ring", func(v *victim) {
			v.put(0, whole(ringBytes-2*granule-frontBytes), ack)
			v.put(ringBytes-2*granule, whole(ringBytes), ack)
		}, "control word"},
		{"a header of no kind", func(v *victim) { v.put(0, whole(0), &wire.Header{Kind: 20}) }, "malformed frame header"},
		{"a header with reserved bits", func(v *victim) {
			v.s.rings[0][wordBytes+3] = 1
			v.put(0, whole(0), nil)
			v.s.rings[0][wordBytes] = byte(wire.Ack)
		}, "malformed frame header"},
		{"padding with a length", func(v *victim) { v.put(0, validBit|kindPad|64, nil) }, "padding"},
		{"a later part of nothing", func(v *victim) { v.put(0, validBit|kindMore|100<<restShift|64, nil) }, "when 0 were due"},
		{"a part with nothing to follow", func(v *victim) { v.put(0, validBit|kindFirst|64, ack) }, "control word"},
		{"a payload larger than any", func(v *victim) { v.put(0, validBit|kindFirst|(MaxFrameBytes+1)<<restShift|64, ack) }, "control word"},
		{"parts that do not add up", func(v *victim) {
			v.put(0, validBit|kindFirst|1000<<restShift|56, ack)
			v.put(64, validBit|kindMore|500<<restShift|56, nil)
		}, "when 1000 were due"},
		{"a part of a malformed frame", func(v *victim) { v.put(0, validBit|kindFirst|1000<<restShift|56, &wire.Header{Kind: 20}) }, "malformed frame header"},
		{"a wish for what was never published", func(v *victim) { v.s.sides[0].want.Store(granule * 100) }, "wants position 6400"},
		{"a wish beyond all positions", func(v *victim) { v.s.sides[0].want.Store(closedBit - 1) }, "wants position"},
		{"more consumed than published", func(v *victim) { v.s.sides[0].tail.Store(1 << 40); v.fill() }, "says it has consumed"},
		{"consumed within a granule", func(v *victim) { v.s.sides[0].tail.Store(3); v.fill() }, "says it has consumed"},
		{"less consumed than before", func(v *victim) {
			v.fill()
			v.s.sides[0].tail.Store(ringBytes / 2)
			v.fill()
			v.s.sides[0].tail.Store(0)
			v.fill()
		}, "says it has consumed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := newVictim(t)
			c.do(v)
			v.poll()
			if len(v.seen.lost) != 1 || !strings.Contains(v.seen.lost[0].Error(), c.want) || !strings.Contains(v.seen.lost[0].Error(), "rank 0") {
				t.Fatalf("lost with %v, want one error with %q and the rank", v.seen.lost, c.want)
			}
			if res, err := v.conn.Send(0, ack, layout.Buffer{}, 0); err == nil {
				t.Errorf("Send on the lost link: %v and no error", res)
			}
			if v.conn.Ready() {
				t.Error("Ready, with no link left")
			}
		})
	}
}

// fill sends until the link is full or lost.
func (v *victim) fill() {
	payload := layout.Of(make([]byte, 1000))
	for {
		res, err := v.conn.Send(0, &wire.Header{Kind: wire.Eager, Bytes: 1000}, payload, 0)
		if err != nil || res == transport.Full {
			return
		}
	}
}

// FuzzGarbledMemory has the peer write words anywhere into the segment between the calls
// of the victim.
func FuzzGarbledMemory(f *testing.F) {
	f.Add([]byte("\x00\x10\x00\x00\xff\xff\xff\xff\x01\x02\x03\x04\x00\x00"))
	word := binary.LittleEndian.AppendUint64(nil, whole(8))
	f.Add(append(append([]byte{0x40, 0x00}, word...), word...))
	f.Fuzz(func(t *testing.T, script []byte) {
		v := newVictim(t)
		v.run(script)
		v.close()
	})
}

// run does what the script says: two bytes for the place, one for what the victim does
// next, eight for the word.
func (v *victim) run(script []byte) {
	payload := layout.Of(make([]byte, 100<<10))
	for ; len(script) >= 11; script = script[11:] {
		place := int(binary.LittleEndian.Uint16(script))
		word := binary.LittleEndian.Uint64(script[3:])
		// The control page, or the first lines of the ring that the victim reads.
		at := place * 8 % controlBytes
		if place&0x8000 != 0 {
			at = controlBytes + place*8%4096
		}
		atomic.StoreUint64((*uint64)(unsafe.Pointer(&v.mem[at])), word)
		switch script[2] % 8 {
		case 0:
			v.conn.Send(0, &wire.Header{Kind: wire.Bulk, Bytes: 100 << 10}, payload, 1)
		case 1:
			v.conn.Send(0, &wire.Header{Kind: wire.Eager, Bytes: 100 << 10}, payload, 1)
		case 2:
			v.conn.Send(0, &wire.Header{Kind: wire.Eager, Bytes: 1000}, payload.Slice(0, 1000), 1)
		case 3:
			v.conn.Doze()
			v.conn.Rouse()
		case 4:
			v.conn.Reach(0, payload)
			v.conn.Claims(0)
		default:
			v.conn.Poll(v.seen)
			v.conn.Ready()
		}
		if len(v.seen.delivered) > 1000 {
			v.seen.delivered = nil
		}
	}
	v.poll()
}

// TestScribblingPeer is the same at random, and while the victim looks.
func TestScribblingPeer(t *testing.T) {
	rounds := 300
	if testing.Short() {
		rounds = 50
	}
	for seed := range uint64(rounds) {
		rnd := rand.New(rand.NewPCG(seed, 9))
		v := newVictim(t)
		script := make([]byte, 11*200)
		for i := range script {
			script[i] = byte(rnd.Uint32())
		}
		for i := 0; i < len(script); i += 11 {
			if rnd.IntN(2) == 0 { // a word that passes the first check
				binary.LittleEndian.PutUint64(script[i+3:], validBit|rnd.Uint64()&(kindMask|0xff<<restShift|0x1ff))
			}
		}
		stop, done := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			rnd := rand.New(rand.NewPCG(seed, 10))
			for {
				select {
				case <-stop:
					return
				default:
					at := rnd.IntN(controlBytes+8192) &^ 7
					atomic.StoreUint64((*uint64)(unsafe.Pointer(&v.mem[at])), rnd.Uint64()>>rnd.IntN(64))
				}
			}
		}()
		v.run(script)
		close(stop)
		<-done
		v.close()
		if len(v.seen.lost) > 1 {
			t.Fatalf("seed %d: lost %d times: %v", seed, len(v.seen.lost), v.seen.lost)
		}
	}
}
