package launcher

import (
	"context"
	"time"

	"github.com/muster-mpi/muster/launcher/internal/remote"
	pb "github.com/muster-mpi/muster/proto"
)

// How long the search for what a lost agent has left may take. A host of which nothing
// was heard is most likely cut off and cannot be searched; its agent ends all by itself
// once its lease is over.
const (
	sweepTime       = 3 * time.Second
	sweepTimeSilent = 700 * time.Millisecond
)

// sweep starts another agent on the host of one that was lost, to kill what that may
// have left of the job. Ranks die with their agent; what they have started may not.
func (r *run) sweep(lost *hostAgent) <-chan error {
	end := make(chan error, 1)
	a := &hostAgent{number: lost.number, host: lost.host}
	o := r.shellOptions(a)
	o.OnStage, o.Stderr = nil, nil
	limit := sweepTime
	if lost.silent {
		limit = sweepTimeSilent
	}
	go func() { end <- sweepHost(a, o, r.plan.common.GetJob(), limit) }()
	return end
}

func sweepHost(a *hostAgent, o remote.Options, job []byte, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	s, err := remote.Start(ctx, o)
	if err != nil {
		return err
	}
	a.link = remoteAgent{s}
	defer a.kill()
	if err := a.connect(s.Conn); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, a.kill)
	defer stop()
	a.send(&pb.ToAgent{Kind: &pb.ToAgent_Sweep{Sweep: &pb.Sweep{Job: job}}})
	for {
		m, err := a.stream.Recv()
		if err != nil {
			return err
		}
		if m.GetDone() != nil {
			return nil
		}
	}
}
