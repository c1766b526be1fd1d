package agent

import (
	"errors"
	"fmt"
	"net"

	"github.com/muster-mpi/muster/internal/socketpair"
	pb "github.com/muster-mpi/muster/proto"
	"google.golang.org/grpc"
)

// tunnelBytes is how much a tunnel carries in one message.
const tunnelBytes = 128 << 10

// Tunnel gives a rank of this host one end of a connection whose other end is the
// stream. It returns when either has ended.
func (s *server) Tunnel(stream grpc.BidiStreamingServer[pb.Chunk, pb.Chunk]) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	s.mu.Lock()
	h := s.host
	s.mu.Unlock()
	if h == nil || first.GetOpen() == nil {
		return errors.New("a tunnel begins with Open, after Start")
	}
	near, far, err := socketpair.Unix()
	if err != nil {
		return err
	}
	defer near.Close()
	taken := make(chan error, 1)
	if !h.post(func() { taken <- h.onTunnel(first.GetOpen(), far) }) {
		far.Close()
		return errEnding
	}
	if err := <-taken; err != nil {
		far.Close()
		return err
	}
	go func() {
		for {
			m, err := stream.Recv()
			if err == nil {
				_, err = near.Write(m.GetData())
			}
			if err != nil {
				near.Close()
				return
			}
		}
	}()
	buf := make([]byte, tunnelBytes)
	for {
		n, err := near.Read(buf)
		if n > 0 {
			// Send has encoded the data when it returns.
			if err := stream.Send(&pb.Chunk{Data: buf[:n]}); err != nil {
				return err
			}
		}
		if err != nil {
			return nil
		}
	}
}

// onTunnel hands a rank its end of a tunnel, which the launcher has numbered.
func (h *host) onTunnel(m *pb.TunnelWanted, conn net.Conn) error {
	r, peer := h.rank(int(m.GetFrom())), int(m.GetTo())
	if host := h.hostOf(peer); r == nil || host < 0 || host == int(h.start.GetHost()) {
		return fmt.Errorf("a tunnel from rank %d to rank %d does not lead to another host", m.GetFrom(), peer)
	}
	if h.ending || r.gone() || h.lostRanks[peer] {
		return errEnding
	}
	h.handOver(pairOf(r.rank, peer), arrival{conn, m.GetNumber()})
	return nil
}
