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

// open makes the links that the job's settings name. What another transport
// would need is not even made.
func (c *control) open(w *pb.Welcome, bell *os.File) error {
	switch name := w.Settings.GetTransport(); name {
	case "shm":
		if bell == nil {
			return fmt.Errorf("malformed welcome: the transport is %q and no bell came with it", name)
		}
		c.links = sharedLinks(shm.New(shm.Config{
			Self: int(w.Rank), Size: int(w.Size), Connect: c.connect, Bell: bell,
			Wake: c.engine.Wake,
		}, c.engine))
	case "unix", "tcp":
		spin := stream.DefaultSpin
		if crowded(w) {
			spin = -1 // another rank needs the core
		}
		tlsConfig, err := credentials(w)
		if err != nil {
			return err
		}
		c.links = c.streamLinks(stream.New(stream.Config{
			Self: int(w.Rank), Size: int(w.Size), Job: [16]byte(w.Job), Incarnation: w.Incarnation,
			Connect: c.connect, TLS: tlsConfig,
			Packet: max(packetBytes, int(w.Settings.GetEagerBytes())),
			Spin:   spin,
		}, c.engine))
	default:
		return fmt.Errorf("malformed welcome: transport %q, this program has \"shm\", \"unix\" and \"tcp\"", name)
	}
	return nil
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

// streamLinks are links by gRPC over connected sockets.
func (c *control) streamLinks(s *stream.Conn) links {
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
	}}
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}
