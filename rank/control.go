package rank

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-mpi/muster/internal/engine"
	"github.com/muster-mpi/muster/internal/rendezvous"
	pb "github.com/muster-mpi/muster/proto"
	"google.golang.org/protobuf/proto"
)

// party is whom a rank talks to about its job: the agent of its host or, where no
// launcher of muster's has started it, rank 0's process. Both speak the same messages.
type party interface {
	Send(m proto.Message, files ...*os.File) error
	Recv(m proto.Message) ([]*os.File, error)
	Close() error
}

// control is this rank's side of the conversation with its agent.
type control struct {
	conn       party
	launched   bool // there is a launcher, which shows what ranks report
	world      int
	engine     *engine.Engine
	isNear     func(peer int) bool // it is a rank of this host
	near, far  links               // to ranks of this host, and of others; may be the same
	returnable bool                // failure policy return
	closing    atomic.Bool

	mu sync.Mutex
	// next is the number of the next link to a peer, once there was one. Shared
	// memory does not break, so its only link is number 0.
	next map[int]uint32

	leaving gate // AllLeaving came
	drained gate // AllDrained came
	gone    gate // the agent is gone
}

// listen hears the agent until it or the job ends.
func (c *control) listen() {
	for {
		var m pb.ToRank
		files, err := c.conn.Recv(&m)
		if err != nil {
			c.gone.open()
			if !c.closing.Load() {
				// The job has ended. Its other ranks learn the same way; where the
				// kernel kills us first, as well.
				ended := &rendezvous.Ended{Code: exitLost, Text: "the agent of this host is gone"}
				errors.As(err, &ended)
				if ended.Text != "" {
					fmt.Fprintf(os.Stderr, "muster: rank %d: %s\n", c.world, ended.Text)
				}
				os.Exit(ended.Code)
			}
			return
		}
		switch k := m.Kind.(type) {
		case *pb.ToRank_Link:
			c.attach(k.Link, files)
			continue // they are closed
		case *pb.ToRank_AllLeaving:
			c.leaving.open()
		case *pb.ToRank_AllDrained:
			c.drained.open()
		case *pb.ToRank_Dump:
			go c.dump(k.Dump.Number)
		case *pb.ToRank_Failed:
			cause := errors.New(k.Failed.Cause)
			c.linksTo(int(k.Failed.Rank)).fail(int(k.Failed.Rank), cause)
			c.engine.Fail(int(k.Failed.Rank), cause)
		}
		closeAll(files)
	}
}

// attach makes a link of what the agent has handed over. Without the means for it
// (descriptors, memory) the job cannot go on.
func (c *control) attach(l *pb.LinkUp, files []*os.File) {
	if err := c.linksTo(int(l.Peer)).attach(l, files); err != nil && !c.closing.Load() {
		go c.abort(exitResource, fmt.Sprintf("rank %d cannot be linked to rank %d: %v", c.world, l.Peer, err))
	}
}

// connect asks for a link to peer: the next one, so that both ends may ask at
// once and get the same.
func (c *control) connect(peer int) error {
	c.mu.Lock()
	number := c.next[peer]
	c.mu.Unlock()
	return c.conn.Send(&pb.FromRank{Kind: &pb.FromRank_Connect{Connect: &pb.Connect{Peer: int32(peer), Number: number}}})
}

// verdictAfter is how long a rank that lost a link waits for its agent to say
// that the peer died, before it reports the link.
const verdictAfter = 2 * time.Second

// Exit codes of a process that lost its agent or a link, or that has too few
// descriptors or too little memory for one: the launcher's ExitLost and
// ExitResource.
const (
	exitLost     = 71
	exitResource = 72
)

// lost hears of a broken link. Mostly the peer has died, and the agent, its
// parent, is about to say so or to end the job; if not, the link is at fault.
func (c *control) lost(peer int, cause error) {
	time.AfterFunc(verdictAfter, func() {
		if c.closing.Load() {
			return
		}
		if c.returnable {
			c.engine.Fail(peer, cause)
			return
		}
		c.abort(exitLost, fmt.Sprintf("rank %d lost its link to rank %d: %v", c.world, peer, cause))
	})
}

func (c *control) allLeaving(ctx context.Context) error {
	if err := c.conn.Send(&pb.FromRank{Kind: &pb.FromRank_Leaving{Leaving: &pb.Leaving{}}}); err != nil {
		return err
	}
	return c.await(ctx, &c.leaving)
}

func (c *control) allDrained(ctx context.Context) error {
	if err := c.conn.Send(&pb.FromRank{Kind: &pb.FromRank_Drained{Drained: &pb.Drained{}}}); err != nil {
		return err
	}
	return c.await(ctx, &c.drained)
}

func (c *control) await(ctx context.Context, g *gate) error {
	return c.engine.Asleep(func() error {
		select {
		case <-g.ch:
			return nil
		case <-c.gone.ch:
			return errors.New("the agent went away")
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
}

// maxLeftovers bounds how many a rank lists.
const maxLeftovers = 100

// left says the rank's last word.
func (c *control) left(list []Leftover) error {
	m := &pb.Left{More: int64(max(0, len(list)-maxLeftovers))}
	for _, l := range list[:min(len(list), maxLeftovers)] {
		what := l.Op
		if l.Kind == UnreceivedSend {
			what = "" // the sender's call is not known here
		}
		m.Leftovers = append(m.Leftovers, &pb.Leftover{
			Kind: pb.Leftover_Kind(l.Kind), Comm: l.Comm, Source: int32(l.Source), Dest: int32(l.Dest),
			Tag: int64(l.Tag), Bytes: int64(l.Bytes), Count: int64(l.Count), What: what,
		})
	}
	c.closing.Store(true)
	return c.conn.Send(&pb.FromRank{Kind: &pb.FromRank_Left{Left: m}})
}

// say tells the agent why the process is about to exit.
func (c *control) say(code int, text string) error {
	return c.conn.Send(&pb.FromRank{Kind: &pb.FromRank_Abort{Abort: &pb.Abort{Code: int32(code), Text: text}}})
}

// abort asks the agent to end the job and waits for that, but not for long; it
// does not return.
func (c *control) abort(code int, reason string) {
	if c.say(code, reason) != nil {
		fmt.Fprintf(os.Stderr, "muster: rank %d aborted: %s\n", c.world, reason)
		os.Exit(code)
	}
	select {
	case <-c.gone.ch:
	case <-time.After(verdictAfter):
	}
	os.Exit(code)
}

func (c *control) close() {
	c.closing.Store(true)
	c.conn.Close()
}
