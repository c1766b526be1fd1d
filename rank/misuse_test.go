package rank_test

import (
	"context"
	"errors"
	"testing"

	"github.com/muster-mpi/muster/rank"
	"github.com/muster-mpi/muster/rank/ranktest"
)

// A bad argument on one rank fails the call on all, and the next call pairs up.
func TestSplitWithABadColorFailsOnAllRanks(t *testing.T) {
	ranktest.Run(t, 3, func(t *testing.T, c *rank.Comm) {
		ctx := context.Background()
		color := 0
		if c.Rank() == 1 {
			color = -1
		}
		if _, err := c.Split(ctx, color, 0); !errors.Is(err, rank.ErrArgument) {
			t.Errorf("rank %d: %v, want ErrArgument", c.Rank(), err)
		}
		d, err := c.Split(ctx, c.Rank(), 0)
		if err != nil || d.Size() != 1 {
			t.Errorf("rank %d: the next Split: %v, %v", c.Rank(), d, err)
		}
	})
}

func TestSendRecvRefusesOverlappingBuffers(t *testing.T) {
	ranktest.Run(t, 1, func(t *testing.T, c *rank.Comm) {
		ctx := context.Background()
		buf := make([]int, 10)
		if _, err := rank.SendRecv(ctx, c, 0, 0, buf[:6], 0, 0, buf[5:]); !errors.Is(err, rank.ErrArgument) {
			t.Errorf("got %v, want ErrArgument", err)
		}
		if _, err := rank.SendRecv(ctx, c, 0, 0, buf[:5], 0, 0, buf[5:]); err != nil {
			t.Error(err)
		}
	})
}

// What Go lets a program write down without an argument is refused, not a panic.
func TestNilAndZeroValuesAreErrors(t *testing.T) {
	ranktest.Run(t, 1, func(t *testing.T, c *rank.Comm) {
		ctx := context.Background()
		var zero rank.Comm
		var psend rank.PartitionedSend
		var precv rank.PartitionedRecv
		var persistent rank.Persistent
		_, startErr := persistent.Start()
		_, waitErr := psend.Wait(ctx)
		_, recvErr := precv.Wait(ctx)
		_, arrivedErr := precv.Arrived(0)
		for name, err := range map[string]error{
			"Leave of a zero Comm": zero.Leave(ctx), "Send on nil": rank.Send(ctx, nil, 0, 0, []int{1}),
			"Start of a zero Persistent": startErr, "Start of a zero PartitionedSend": psend.Start(),
			"Ready": psend.Ready(0), "Wait": waitErr, "Free": psend.Free(), "receiver's Start": precv.Start(),
			"receiver's Wait": recvErr, "Arrived": arrivedErr, "receiver's Free": precv.Free(),
			"Then(nil)": rank.Request{}.Then(nil), "Local without a function": rank.Local(1, nil),
		} {
			if err == nil {
				t.Errorf("%s: no error", name)
			}
		}
		var none *rank.Message
		if s := none.Status(); s.Bytes != 0 {
			t.Errorf("status of no message: %+v", s)
		}
		if c.Compare(nil) != rank.Unequal {
			t.Error("a communicator compares with nil as something else than unequal")
		}
		//lint:ignore SA1012 a nil context is the point
		if err := rank.Send(nil, c, 0, 0, []int{1}); err != nil {
			t.Error(err)
		}
		if _, err := rank.Recv(ctx, c, 0, 0, make([]int, 1)); err != nil {
			t.Error(err)
		}
	})
}
