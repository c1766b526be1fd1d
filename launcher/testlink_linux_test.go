package launcher

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/muster-mpi/muster/internal/segment"
	"github.com/muster-mpi/muster/internal/transport/shm"
	pb "github.com/muster-mpi/muster/proto"
)

// testLink is one end of a link as far as the launcher's tests need one.
type testLink interface {
	put(b byte) // not 0, and once
	get() byte
	scribble() // what is no frame
	kind() string
}

// open makes a link of what the agent has handed over.
func (m *member) open(l *pb.LinkUp, files []*os.File) testLink {
	defer func() {
		for _, f := range files {
			f.Close()
		}
	}()
	if m.bell == nil || len(files) == 1 { // the latter to another host
		if len(files) != 1 || l.GetPid() < 0 {
			die("link %v came with %d descriptors, want one", l, len(files))
		}
		c, err := net.FileConn(files[0])
		if err != nil {
			die("link: %v", err)
		}
		return socketLink{c}
	}
	if len(files) != 2 {
		die("link %v came with %d descriptors, want memory and a bell", l, len(files))
	}
	memory, err := segment.Map(files[0], shm.SegmentBytes, true)
	if err != nil {
		die("link: %v", err)
	}
	theirs, err := segment.OpenBell(files[1])
	if err != nil {
		die("link: %v", err)
	}
	words := (*[2]atomic.Uint32)(unsafe.Pointer(unsafe.SliceData(memory)))
	if l.GetPeer() < m.GetRank() {
		return memoryLink{all: memory, out: &words[1], in: &words[0], mine: m.bell, theirs: theirs}
	}
	return memoryLink{all: memory, out: &words[0], in: &words[1], mine: m.bell, theirs: theirs}
}

type socketLink struct{ net.Conn }

func (s socketLink) put(b byte) { s.Write([]byte{b}) }

func (s socketLink) get() byte {
	b := make([]byte, 1)
	if _, err := io.ReadFull(s, b); err != nil {
		die("link: %v", err)
	}
	return b[0]
}

func (s socketLink) scribble() { s.Write(bytes.Repeat([]byte{0xa5, 0x5a, 3}, 10000)) }

func (s socketLink) kind() string { return s.LocalAddr().Network() }

// memoryLink is a word each way and the bells of both.
type memoryLink struct {
	all          []byte
	out, in      *atomic.Uint32
	mine, theirs *segment.Bell
}

func (l memoryLink) put(b byte) {
	l.out.Store(uint32(b))
	l.theirs.Ring()
}

func (l memoryLink) get() byte {
	for {
		if b := l.in.Load(); b != 0 {
			return byte(b)
		}
		if err := l.mine.Wait(); err != nil {
			die("bell: %v", err)
		}
	}
}

func (l memoryLink) scribble() {
	random := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		for i := range l.all {
			l.all[i] = byte(random.Uint32())
		}
		l.theirs.Ring()
		time.Sleep(time.Millisecond)
	}
}

func (l memoryLink) kind() string { return "shm" }
