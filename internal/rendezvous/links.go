package rendezvous

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/muster-mpi/muster/internal/knock"
	pb "github.com/muster-mpi/muster/proto"
)

// links makes the connections between this rank and the others: it dials the ports of
// those that this rank wants a link to, and takes those that dial this one's.
//
// Both ends may want the same link at once, and each connection of two ranks has a
// number, so that they agree on one: a number is used once, and where both dial, the
// lower rank's connection is the one, unless that rank has tried in vain.
type links struct {
	self    int
	job     [16]byte
	key     []byte
	members []*pb.Member
	deliver func(*pb.LinkUp, *os.File)

	ctx   context.Context // ends with the links
	stop  context.CancelFunc
	dials sync.WaitGroup

	mu    sync.Mutex
	pairs map[int]*pair
}

// pair is what is known of the connections to one peer.
type pair struct {
	next uint32 // lowest number that was not handed over
	dial *dial  // under way; or nil
}

// dial is the endeavour to make a connection.
type dial struct {
	cancel context.CancelFunc
	vain   bool // has been tried once
}

func newLinks(self int, job [16]byte, key []byte, members []*pb.Member, deliver func(*pb.LinkUp, *os.File)) *links {
	l := &links{self: self, job: job, key: key, members: members, deliver: deliver, pairs: make(map[int]*pair)}
	l.ctx, l.stop = context.WithCancel(context.Background())
	return l
}

// close ends all dials and returns when they have ended.
func (l *links) close() {
	l.stop()
	l.dials.Wait()
}

func (l *links) pairLocked(peer int) *pair {
	p := l.pairs[peer]
	if p == nil {
		p = new(pair)
		l.pairs[peer] = p
	}
	return p
}

// Dialling goes on for dialFor in vain before the link layer has to ask again. One
// try takes dialTry at most, and dialPause lies between two.
const (
	dialFor   = 10 * time.Second
	dialTry   = 2 * time.Second
	dialPause = 500 * time.Millisecond
)

// want begins to make the connection number to peer, unless it was made or is being made.
func (l *links) want(peer int, number uint32) error {
	if peer < 0 || peer >= len(l.members) || peer == l.self {
		return fmt.Errorf("there is no link from rank %d to rank %d of %d", l.self, peer, len(l.members))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.pairLocked(peer)
	if number < p.next || p.dial != nil || l.ctx.Err() != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(l.ctx, dialFor)
	d := &dial{cancel: cancel}
	p.dial = d
	l.dials.Go(func() { l.run(ctx, d, peer, p, number) })
	return nil
}

// run makes the connection number to peer, or leaves it to the peer.
func (l *links) run(ctx context.Context, d *dial, peer int, p *pair, number uint32) {
	defer d.cancel()
	k := knock.Knock{
		Job: l.job, From: uint32(l.self), To: uint32(peer), Number: number,
		Incarnation: l.members[l.self].GetIncarnation(),
	}
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, dialPause) {
		try, cancel := context.WithTimeout(ctx, dialTry)
		conn, err := knock.Dial(try, l.members[peer].GetAddresses(), l.key, k)
		cancel()
		l.mu.Lock()
		over := err == nil || errors.Is(err, knock.ErrSuperseded) || ctx.Err() != nil
		use := err == nil && number >= p.next
		if use {
			p.next = number + 1
		}
		d.vain = true
		if over && p.dial == d {
			p.dial = nil
		}
		l.mu.Unlock()
		switch {
		case use:
			l.handOver(peer, number, conn)
		case conn != nil:
			conn.Close()
		}
		if over {
			return
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// answer decides on a connection whose knock is proven.
func (l *links) answer(c *knock.Caller) {
	verdict := l.judge(c.Knock)
	// If the answer does not arrive the link layer finds the connection broken.
	c.Answer(verdict)
	if verdict != knock.Accepted {
		c.Close()
		return
	}
	l.handOver(int(c.Knock.From), c.Knock.Number, c.Conn)
}

func (l *links) judge(k knock.Knock) knock.Verdict {
	peer := int(k.From)
	if k.To != uint32(l.self) || k.From >= uint32(len(l.members)) || peer == l.self ||
		k.Incarnation != l.members[peer].GetIncarnation() {
		return knock.Refused
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.pairLocked(peer)
	if k.Number < p.next || p.dial != nil && !p.dial.vain && l.self < peer {
		return knock.Superseded
	}
	p.next = k.Number + 1
	if p.dial != nil {
		p.dial.cancel()
		p.dial = nil
	}
	return knock.Accepted
}

// handOver gives the connection to the link layer: without its descriptor where this
// process may have no more of them, which ends the job there.
func (l *links) handOver(peer int, number uint32, conn net.Conn) {
	defer conn.Close()
	var file *os.File
	if tcp, ok := conn.(*net.TCPConn); ok {
		file, _ = tcp.File()
	}
	l.deliver(&pb.LinkUp{Peer: int32(peer), Number: number}, file)
}
