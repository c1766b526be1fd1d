package rank

import (
	"fmt"
	"net"
	"os"

	"github.com/muster-mpi/muster/internal/transport"
	"github.com/muster-mpi/muster/internal/transport/shm"
	"github.com/muster-mpi/muster/internal/transport/stream"
	pb "github.com/muster-mpi/muster/proto"
)

// links are this process's links to other ranks, all by one transport.
type links struct {
	transport.Conn
	// fail ends the link to a peer that is known to be dead.
	fail func(peer int, cause error)
	// attach makes a link of what the agent has handed over. It closes files.
	attach func(l *pb.LinkUp, files []*os.File) error
}

// packetBytes is the most that goes over a gRPC link in one piece; an eager
// message is never cut.
const packetBytes = 256 << 10

// open makes the links that the job's settings name, and those to other hosts if the
// job has any. What else there is is not even made.
func (c *control) open(w *pb.Welcome, bell *os.File) error {
	name := w.Settings.GetTransport()
	switch name {
	case "shm":
		if bell == nil {
			return fmt.Errorf("malformed welcome: the transport is %q and no bell came with it", name)
		}
		c.near = sharedLinks(shm.New(shm.Config{
			Self: int(w.Rank), Size: int(w.Size), Connect: c.connect, Bell: bell,
			Wake: c.engine.Wake,
		}, c.engine))
	case "unix", "tcp":
		var err error
		if c.near, err = c.streamLinks(w, name == "tcp"); err != nil {
			return err
		}
	default:
		return fmt.Errorf("malformed welcome: transport %q, this program has \"shm\", \"unix\" and \"tcp\"", name)
	}
	c.far = c.near
	if name != "tcp" && severalHosts(w) {
		var err error
		if c.far, err = c.streamLinks(w, true); err != nil {
			return err
		}
	}
	return nil
}

// severalHosts reports whether the job has ranks on another host than this rank's.
func severalHosts(w *pb.Welcome) bool {
	for _, h := range w.Hosts {
		if h.Host != w.Hosts[0].Host {
			return true
		}
	}
	return false
}

// linksTo returns the links by which peer is reached.
func (c *control) linksTo(peer int) *links {
	if c.isNear(peer) {
		return &c.near
	}
	return &c.far
}

// conns returns all of this rank's links, and which of them leads to a peer.
func (c *control) conns(loop transport.Conn) ([]transport.Conn, func(peer int) transport.Conn) {
	all, route := byWay(c.world, c.near.Conn, loop)
	if c.far.Conn == c.near.Conn {
		return all, route
	}
	return append(all, c.far.Conn), func(peer int) transport.Conn {
		if c.isNear(peer) {
			return route(peer)
		}
		return c.far.Conn
	}
}

// crowded reports whether the ranks of this rank's host exceed its cores. The agent
// knows; the process may see no more than the core it is bound to.
func crowded(w *pb.Welcome) bool { return w.Settings.GetRanksPerCoreHundredths() > 100 }

// sharedLinks are links by shared memory.
func sharedLinks(c *shm.Conn) links {
	return links{c, c.Fail, func(l *pb.LinkUp, files []*os.File) error {
		if len(files) != 2 {
			closeAll(files)
			return fmt.Errorf("%d descriptors came, want shared memory and a bell", len(files))
		}
		return c.Attach(int(l.Peer), shm.Attachment{Memory: files[0], Bell: files[1], PID: int(l.Pid), Push: l.Pid != 0})
	}}
}

// streamLinks are links by gRPC over connected sockets; with TLS, if the job has it, on
// those that others might reach.
func (c *control) streamLinks(w *pb.Welcome, tcp bool) (links, error) {
	cfg := stream.Config{
		Self: int(w.Rank), Size: int(w.Size), Job: [16]byte(w.Job), Incarnation: w.Incarnation,
		Connect: c.connect,
		Packet:  max(packetBytes, int(w.Settings.GetEagerBytes())),
		Spin:    stream.DefaultSpin,
	}
	if crowded(w) {
		cfg.Spin = -1 // another rank needs the core
	}
	if tcp {
		var err error
		if cfg.TLS, err = credentials(w); err != nil {
			return links{}, err
		}
	}
	s := stream.New(cfg, c.engine)
	return links{s, s.Fail, func(l *pb.LinkUp, files []*os.File) error {
		defer closeAll(files)
		c.mu.Lock()
		c.next[int(l.Peer)] = l.Number + 1
		c.mu.Unlock()
		if len(files) != 1 {
			return fmt.Errorf("%d descriptors came, want a socket", len(files))
		}
		conn, err := net.FileConn(files[0])
		if err != nil {
			return err
		}
		s.Attach(int(l.Peer), l.Number, conn)
		return nil
	}}, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}
