package launcher

import (
	"context"

	pb "github.com/muster-mpi/muster/proto"
)

// rankPair names two ranks, the lower first.
type rankPair struct{ lo, hi int32 }

// onTunnelWanted leads a link between two hosts through this process. Both ends may ask;
// the number says whether that is for the same one.
func (r *run) onTunnelWanted(m *pb.TunnelWanted) {
	p := rankPair{min(m.GetFrom(), m.GetTo()), max(m.GetFrom(), m.GetTo())}
	if p.lo < 0 || int(p.hi) >= len(r.plan.host) || m.GetNumber() < r.tunnels[p] {
		return
	}
	number := m.GetNumber()
	r.tunnels[p] = number + 1
	a, b := r.agents[r.plan.host[p.lo]], r.agents[r.plan.host[p.hi]]
	if a == b || a.over() || b.over() {
		return
	}
	go tunnel(a, b, p, number)
}

// tunnel carries what the two ranks say until either end has ended. It does not look at
// the data, which the ranks have encrypted unless the user does without TLS.
func tunnel(a, b *hostAgent, p rankPair, number uint32) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	one, err := pb.NewAgentClient(a.conn).Tunnel(ctx)
	if err != nil {
		return
	}
	two, err := pb.NewAgentClient(b.conn).Tunnel(ctx)
	if err != nil {
		return
	}
	type end interface {
		Send(*pb.Chunk) error
		Recv() (*pb.Chunk, error)
	}
	if one.Send(&pb.Chunk{Open: &pb.TunnelWanted{From: p.lo, To: p.hi, Number: number}}) != nil ||
		two.Send(&pb.Chunk{Open: &pb.TunnelWanted{From: p.hi, To: p.lo, Number: number}}) != nil {
		return
	}
	ended := make(chan struct{}, 2)
	carry := func(from, to end) {
		defer func() { ended <- struct{}{} }()
		for {
			m, err := from.Recv()
			if err != nil || to.Send(m) != nil {
				return
			}
		}
	}
	go carry(one, two)
	go carry(two, one)
	<-ended
}
