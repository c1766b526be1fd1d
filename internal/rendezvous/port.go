package rendezvous

import (
	"math"
	"net"
	"sync"
	"time"

	"github.com/muster-mpi/muster/internal/knock"
)

// joinNumber is the number of a knock that is to join the job; links have those below.
const joinNumber = math.MaxUint32

// port is where other ranks reach this one: for links, and at rank 0 to join.
type port struct {
	listeners []*knock.Listener
	ready     chan struct{} // closed once links is set
	links     *links
	running   sync.WaitGroup
}

// openPort takes over listeners. admit and joinKey are rank 0's, else nil.
func openPort(all []net.Listener, job [16]byte, joinKey []byte, admit func(*knock.Caller), foreign func(*knock.Foreign)) *port {
	p := &port{ready: make(chan struct{})}
	config := knock.Config{Job: job, Foreign: foreign, Room: knock.NewRoom(knock.HalfOpen), Key: func(k knock.Knock) []byte {
		if k.Number == joinNumber {
			return joinKey
		}
		return p.linkKey()
	}}
	for _, inner := range all {
		l := knock.Listen(inner, config)
		p.listeners = append(p.listeners, l)
		p.running.Go(func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				if c.Knock.Number == joinNumber {
					p.running.Go(func() { admit(c) })
				} else {
					p.links.answer(c)
				}
			}
		})
	}
	return p
}

// linkKey waits until the job has begun here too: another rank may have heard of that
// before this one.
func (p *port) linkKey() []byte {
	late := time.NewTimer(knock.Patience / 2)
	defer late.Stop()
	select {
	case <-p.ready:
		return p.links.key
	case <-late.C:
		return nil
	}
}

// begin lets links in.
func (p *port) begin(l *links) {
	p.links = l
	close(p.ready)
}

// close closes the port. What was admitted goes on.
func (p *port) close() {
	for _, l := range p.listeners {
		l.Close()
	}
	select {
	case <-p.ready:
		p.links.close()
	default:
	}
}
