package rank

import (
	"fmt"
	"os"
	"sync"

	"github.com/muster-mpi/muster/internal/boot"
	"github.com/muster-mpi/muster/internal/engine"
	"github.com/muster-mpi/muster/internal/segment"
	"github.com/muster-mpi/muster/internal/transport"
	"github.com/muster-mpi/muster/internal/transport/inproc"
	"github.com/muster-mpi/muster/internal/transport/shm"
)

// sharedBroker hands shared memory to the ranks of a process, as an agent does to
// the ranks of a host.
type sharedBroker struct {
	bells []*os.File

	mu     sync.Mutex
	ends   []*shm.Conn
	linked map[[2]int]bool
}

func newSharedBroker(n int) (*sharedBroker, error) {
	x := &sharedBroker{ends: make([]*shm.Conn, n), linked: make(map[[2]int]bool)}
	for range n {
		bell, err := segment.NewBell()
		if err != nil {
			x.close()
			return nil, err
		}
		x.bells = append(x.bells, bell)
	}
	return x, nil
}

func (x *sharedBroker) close() { closeAll(x.bells) }

func (x *sharedBroker) open(r int, e *engine.Engine) ([]transport.Conn, func(int) transport.Conn) {
	links := shm.New(shm.Config{
		Self: r, Size: len(x.ends), Bell: x.bells[r],
		Connect: func(peer int) error { return x.connect(r, peer) },
		Wake:    e.Wake,
	}, e)
	x.mu.Lock()
	x.ends[r] = links
	x.mu.Unlock()
	return byWay(r, links, inproc.Loop(len(x.ends), r, e))
}

// connect makes the link between two ranks, whichever asks first.
func (x *sharedBroker) connect(r, peer int) error {
	pair := [2]int{min(r, peer), max(r, peer)}
	x.mu.Lock()
	made := x.linked[pair]
	x.linked[pair] = true
	mine, theirs := x.ends[r], x.ends[peer]
	x.mu.Unlock()
	if made {
		return nil
	}
	memory, err := segment.Create(fmt.Sprintf("muster-local-%d-%d", pair[0], pair[1]), shm.SegmentBytes)
	if err != nil {
		return err
	}
	defer memory.Close()
	if err := x.attach(mine, peer, memory); err != nil {
		return err
	}
	return x.attach(theirs, r, memory)
}

// attach gives an end to a rank, which closes the descriptors that it gets.
func (x *sharedBroker) attach(c *shm.Conn, peer int, memory *os.File) error {
	var files []*os.File
	for _, f := range []*os.File{memory, x.bells[peer]} {
		fd, err := boot.Duplicate(f)
		if err != nil {
			closeAll(files)
			return err
		}
		files = append(files, os.NewFile(uintptr(fd), f.Name()))
	}
	return c.Attach(peer, shm.Attachment{Memory: files[0], Bell: files[1], PID: os.Getpid()})
}
