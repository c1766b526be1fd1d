package launcher

import (
	"errors"
	"fmt"
	"net/netip"

	pb "github.com/muster-mpi/muster/proto"
)

// An agent speaks for the ranks of its host and for nothing else. What it says of others,
// or out of turn, is not believed: its host is lost then, and named.

// claims checks of what an agent says all but whether it is its turn.
func (r *run) claims(a *hostAgent, m *pb.FromAgent) error {
	own := func(rank int32) error {
		if rank < 0 || int(rank) >= len(r.plan.host) || r.plan.host[rank] != a.number {
			return fmt.Errorf("it speaks of rank %d", rank)
		}
		return nil
	}
	switch k := m.GetKind().(type) {
	case nil:
		return errors.New("it sends a message of no kind")
	case *pb.FromAgent_Output:
		return own(k.Output.GetRank())
	case *pb.FromAgent_StdinTaken:
		if n := k.StdinTaken.GetBytes(); n < 0 {
			return fmt.Errorf("its ranks have read %d bytes", n)
		}
	case *pb.FromAgent_Listening:
		for _, address := range k.Listening.GetAddresses() {
			if _, err := netip.ParseAddrPort(address); err != nil {
				return fmt.Errorf("it listens at %q, which is no address and port", address)
			}
		}
	case *pb.FromAgent_Tunnel:
		if err := own(k.Tunnel.GetFrom()); err != nil {
			return err
		}
		if to := k.Tunnel.GetTo(); to < 0 || int(to) >= len(r.plan.host) || r.plan.host[to] == a.number {
			return fmt.Errorf("it wants a tunnel to rank %d", to)
		}
	case *pb.FromAgent_Started:
		var errs []error
		for _, p := range k.Started.GetRanks() {
			errs = append(errs, own(p.GetRank()))
		}
		return errors.Join(errs...)
	case *pb.FromAgent_Need:
		for _, digest := range k.Need.GetDigests() {
			if r.plan.programOf(digest) == "" {
				return fmt.Errorf("it asks for program %x, which is none of this job's", digest)
			}
		}
	case *pb.FromAgent_Staged:
		for _, digest := range k.Staged.GetDigests() {
			if r.plan.programOf(digest) == "" {
				return fmt.Errorf("it has program %x, which is none of this job's", digest)
			}
		}
	case *pb.FromAgent_Joined:
		return own(k.Joined.GetRank())
	case *pb.FromAgent_Left:
		return own(k.Left.GetRank())
	case *pb.FromAgent_Exited:
		return own(k.Exited.GetRank())
	case *pb.FromAgent_Stopped:
		return own(k.Stopped.GetRank())
	case *pb.FromAgent_Continued:
		return own(k.Continued.GetRank())
	case *pb.FromAgent_Stacks:
		return own(k.Stacks.GetRank())
	case *pb.FromAgent_Lost:
		return errors.Join(own(k.Lost.GetFailure().GetRank()), failureClaims(k.Lost.GetFailure(), own))
	case *pb.FromAgent_Failure:
		return failureClaims(k.Failure, own)
	case *pb.FromAgent_States:
		return statesClaims(k.States.GetRanks(), own)
	}
	return nil
}

func failureClaims(f *pb.Failure, own func(int32) error) error {
	if f.GetRank() != -1 {
		if err := own(f.GetRank()); err != nil {
			return err
		}
	}
	if e := f.GetExited(); e != nil {
		if err := own(e.GetRank()); err != nil {
			return err
		}
	}
	return statesClaims(f.GetOthers(), own)
}

func statesClaims(all []*pb.RankState, own func(int32) error) error {
	for _, s := range all {
		if err := own(s.GetRank()); err != nil {
			return err
		}
	}
	return nil
}

// inTurn checks whether an agent may say m now.
func (r *run) inTurn(a *hostAgent, m *pb.FromAgent) error {
	twice := false
	switch k := m.GetKind().(type) {
	case *pb.FromAgent_Note:
		return nil
	case *pb.FromAgent_Ready:
		if a.ready != nil {
			return errors.New("it says Ready twice")
		}
		return nil
	case *pb.FromAgent_Listening:
		twice = a.listening != nil
	case *pb.FromAgent_Started:
		twice = a.started
	case *pb.FromAgent_Joined:
		twice = r.result.Ranks[k.Joined.GetRank()].joined
	case *pb.FromAgent_Tunnel:
		p := rankPair{min(k.Tunnel.GetFrom(), k.Tunnel.GetTo()), max(k.Tunnel.GetFrom(), k.Tunnel.GetTo())}
		if n := k.Tunnel.GetNumber(); n > r.tunnels[p] {
			return fmt.Errorf("it wants tunnel %d between ranks %d and %d before tunnel %d", n, p.lo, p.hi, n-1)
		}
	}
	_, done := m.GetKind().(*pb.FromAgent_Done)
	switch {
	case !a.begun:
		return fmt.Errorf("it sends %T before it was given its part of the job", m.GetKind())
	case twice:
		return fmt.Errorf("it sends %T twice", m.GetKind())
	case done && !r.ending && r.result.Failure == nil:
		for rank, x := range r.result.Ranks {
			if r.plan.host[rank] == a.number && !x.Ended {
				return fmt.Errorf("it is done and rank %d has not ended", rank)
			}
		}
	}
	return nil
}

// onViolation gives up a host whose agent does not keep to the protocol.
func (r *run) onViolation(a *hostAgent, err error) {
	if a.over() {
		return
	}
	r.failHost(a, ExitProtocol, "the agent of host %s broke the protocol: %v", a.host.Name, err)
	r.lose(a, "it broke the protocol")
}
