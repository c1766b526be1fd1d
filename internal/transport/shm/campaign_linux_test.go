package shm

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/transport"
	"github.com/muster-mpi/muster/internal/wire"
)

var campaign = flag.Bool("campaign", false, "kill 1000 times instead of 50")

func init() { roles["chatter"] = chatterRole }

// chatter is one side of the campaign: it sends frames of all kinds and sizes, whose
// bytes follow from sender and number, and checks those that come.
type chatter struct {
	peer     int
	received uint64
	part     []byte // of the Bulk frame that comes in pieces
	held     bool
	blocked  bool
	lost     error
}

// text is what payloads are cut from.
var text = func() []byte {
	b := make([]byte, 1<<20)
	rand.NewChaCha8([32]byte{3}).Read(b)
	return b
}()

// chat returns the frame that rank from sends as the index-th. Its tag is its checksum.
func chat(from int, index uint64) (wire.Header, []byte) {
	rnd := rand.New(rand.NewPCG(uint64(from), index))
	kinds := []wire.Kind{wire.Eager, wire.Eager, wire.Bulk, wire.Offer, wire.Credit}
	size := rnd.IntN(100)
	switch p := rnd.IntN(100); {
	case p > 97:
		size = rnd.IntN(400 << 10)
	case p > 80:
		size = rnd.IntN(20 << 10)
	}
	at := rnd.IntN(len(text) - size)
	b := text[at : at+size]
	return wire.Header{
		Kind: kinds[rnd.IntN(len(kinds))], Source: uint32(from), Tag: int64(crc32.ChecksumIEEE(b)), Bytes: uint64(size), ID: index,
	}, b
}

func (c *chatter) Deliver(_ int, h *wire.Header, payload layout.Buffer) {
	want, bytes := chat(c.peer, c.received)
	got := make([]byte, payload.Len())
	payload.ReadAt(got, 0)
	if h.Kind == wire.Bulk {
		if h.Arg != uint64(len(c.part)) || h.Bytes != uint64(len(got)) {
			must(fmt.Errorf("frame %d: a piece of %d bytes at %d (%+v), %d are here", c.received, len(got), h.Arg, *h, len(c.part)))
		}
		c.part = append(c.part, got...)
		want.Arg, want.Bytes = h.Arg, h.Bytes
		if got = c.part; len(got) < len(bytes) {
			if *h != want {
				must(fmt.Errorf("frame %d: got %+v, want %+v", c.received, *h, want))
			}
			return
		}
		c.part = nil
	}
	if *h != want || len(got) != len(bytes) || int64(crc32.ChecksumIEEE(got)) != h.Tag {
		must(fmt.Errorf("frame %d: got %+v with %d bytes, want %+v with %d", c.received, *h, len(got), want, len(bytes)))
	}
	c.received++
}
func (c *chatter) Sent(int, uint64)      { c.held = false }
func (c *chatter) Writable(int)          { c.blocked = false }
func (c *chatter) Lost(_ int, err error) { c.lost = err }
func (c *chatter) Idle()                 {}

var errKilled = errors.New("killed by the campaign")

// chatterRole talks until it is told that its peer is dead, and then until the link says so
// too. It ends with "ok" only if all that it saw was whole, in order and unchanged.
func chatterRole() {
	e, self := inherited()
	in := bufio.NewReader(os.Stdin)
	var pid int
	var doze bool
	_, err := fmt.Fscanln(in, &pid, &doze)
	must(err)
	wake := make(chan struct{}, 1)
	c, err := e.open(self, pid, func() {
		select {
		case wake <- struct{}{}:
		default:
		}
	})
	must(err)
	fmt.Println("up")
	go func() {
		if _, err := in.ReadString('\n'); err != nil {
			os.Exit(2) // the test is gone
		}
		c.Fail(1-self, errKilled)
	}()
	s := &chatter{peer: 1 - self}
	for index := uint64(0); s.lost == nil; {
		worked := c.Poll(s)
		for range 20 {
			if s.blocked || s.held || s.lost != nil {
				break
			}
			h, b := chat(self, index)
			s.blocked = true // Writable comes from Poll, so not before Send returns
			res, err := c.Send(1-self, &h, layout.Of(b), index)
			must(err)
			if s.blocked = res == transport.Full; !s.blocked {
				s.held = res == transport.Held
				index++
			}
		}
		if !worked && doze {
			if !c.Doze() {
				<-wake
			}
			c.Rouse()
		}
	}
	if !errors.Is(s.lost, errKilled) {
		must(s.lost)
	}
	must(c.Close())
	fmt.Println("ok", s.received)
}

func TestASideMayDieAtAnyInstruction(t *testing.T) {
	rounds := 50
	switch {
	case *campaign:
		rounds = 1000
	case testing.Short():
		rounds = 10
	}
	frames := 0
	for round := range rounds {
		rnd := rand.New(rand.NewPCG(7, uint64(round)))
		e := newEnds(t)
		var ps [2]roleProcess
		for i := range ps {
			ps[i] = e.start(t, "chatter", i)
		}
		for i, p := range ps {
			fmt.Fprintln(p.in, ps[1-i].Process.Pid, rnd.IntN(2) == 0)
		}
		victim := rnd.IntN(2)
		survivor := ps[1-victim]
		if line, err := survivor.out.ReadString('\n'); line != "up\n" {
			t.Fatalf("round %d: rank %d says %q, error %v", round, 1-victim, line, err)
		}
		// Anywhere from before the victim's first instruction with the link to well
		// within the exchange; where, the machine's noise decides as much as this.
		<-time.After(time.Duration(rnd.IntN(20_000)) * time.Microsecond)
		ps[victim].Process.Kill()
		err := ps[victim].Wait()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("round %d: the victim, rank %d, ended before it was killed: %v", round, victim, err)
		}
		fmt.Fprintln(survivor.in, "dead")
		guard := time.AfterFunc(20*time.Second, func() { survivor.Process.Signal(syscall.SIGQUIT) })
		line, _ := survivor.out.ReadString('\n')
		guard.Stop()
		if err := survivor.Wait(); err != nil || !strings.HasPrefix(line, "ok ") {
			t.Fatalf("round %d: the survivor, rank %d, says %q and ends with %v", round, 1-victim, line, err)
		}
		var n int
		fmt.Sscan(line[len("ok "):], &n)
		frames += n
		e.close()
	}
	if frames == 0 {
		t.Error("in all rounds no frame arrived: nothing was tested")
	}
	t.Logf("%d rounds, %d frames checked", rounds, frames)
}
