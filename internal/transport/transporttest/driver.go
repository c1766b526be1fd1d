package transporttest

import (
	"runtime"

	"github.com/muster-mpi/muster/internal/transport"
)

// Driver stands for a process in which nobody waits: it polls a transport.Poller only
// when it is woken, as an engine does whose ranks compute.
type Driver struct {
	// Spin is how many polls without work the Driver makes before it dozes.
	Spin int

	wake, stop, done chan struct{}
}

// NewDriver returns a Driver of a Poller that is to be opened with its Wake.
func NewDriver(spin int) *Driver {
	return &Driver{Spin: spin, wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
}

// Wake is the Poller's wake function.
func (d *Driver) Wake() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// Drive returns p as a Conn that is no Poller; its calls go to h.
func (d *Driver) Drive(p transport.Poller, h transport.Handler) transport.Conn {
	go d.run(p, h)
	return driven{p, d}
}

func (d *Driver) run(p transport.Poller, h transport.Handler) {
	defer close(d.done)
	for {
		for idle := 0; idle <= d.Spin && !d.stopped(); idle++ {
			if p.Poll(h) {
				h.Idle()
				idle = 0
			} else if d.Spin > 0 {
				runtime.Gosched()
			}
		}
		if !p.Doze() {
			select {
			case <-d.wake:
			case <-d.stop:
			}
		}
		if d.stopped() {
			return
		}
		p.Rouse()
	}
}

func (d *Driver) stopped() bool {
	select {
	case <-d.stop:
		return true
	default:
		return false
	}
}

// driven hides that the Conn is a Poller.
type driven struct {
	transport.Conn
	d *Driver
}

func (c driven) Close() error {
	close(c.d.stop)
	<-c.d.done
	return c.Conn.Close()
}
