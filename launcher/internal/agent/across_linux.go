package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/muster-mpi/muster/internal/knock"
	pb "github.com/muster-mpi/muster/proto"
)

// A link between ranks of two hosts is a TCP connection between their agents, which
// each hands its end to its rank. Whose rank asks for it dials; the ranks do TLS on it,
// so an agent sees nothing of what they say. Where hosts are not to have ports it is a tunnel
// by way of the launcher, and that numbers it. Both ends number the connections of a
// pair alike: the one who accepts takes any number that it has not had.

// dial is a connection on its way.
type dial struct {
	number   uint32
	began    time.Time
	stranger error // of an earlier attempt, at which something else has answered
	cancel   context.CancelFunc
}

const (
	dialPause = 100 * time.Millisecond // between two attempts
	// supersededFor is how long an agent that was told that another connection is
	// on its way waits for it, before it asks for a later one.
	supersededFor = 500 * time.Millisecond
)

// onConnectAcross answers rank r's wish for a link to a rank of another host.
func (h *host) onConnectAcross(r *rankState, peer int, number uint32) {
	p := pairOf(r.rank, peer)
	if number > h.links.next[p] {
		h.violation(r, fmt.Sprintf("asked for link %d to rank %d before link %d", number, peer, number-1))
		return
	}
	if h.lostRanks[peer] || !h.links.want(p, number, true) {
		return
	}
	h.links.wanted[p] = true
	if h.start.GetByLauncher() {
		h.send(&pb.FromAgent{Kind: &pb.FromAgent_Tunnel{Tunnel: &pb.TunnelWanted{
			From: int32(r.rank), To: int32(peer), Number: number,
		}}})
		return
	}
	h.net.queued = append(h.net.queued, p)
	h.dialQueued()
}

// dialQueued dials for as many pairs as there are descriptors.
func (h *host) dialQueued() {
	if h.net.roster == nil || h.ending {
		return
	}
	for len(h.net.queued) > 0 && len(h.net.dials) < max(1, h.links.most) {
		p := h.net.queued[0]
		h.net.queued = h.net.queued[1:]
		if h.links.wanted[p] && h.net.dials[p] == nil {
			h.dial(p, time.Now(), nil)
		}
	}
}

// endsOf returns which rank of p is of this host, and which is not.
func (h *host) endsOf(p pair) (r *rankState, peer int) {
	if r := h.rank(p.lo); r != nil {
		return r, p.hi
	}
	return h.rank(p.hi), p.lo
}

// dial asks the peer's agent for the next link of p. began is when that was first
// tried, stranger what has come of it that says most.
func (h *host) dial(p pair, began time.Time, stranger error) {
	r, peer := h.endsOf(p)
	ctx, cancel := context.WithCancel(context.Background())
	d := &dial{number: h.links.next[p], began: began, stranger: stranger, cancel: cancel}
	h.net.dials[p] = d
	k := knock.Knock{
		Job: [16]byte(h.start.GetJob()), From: uint32(r.rank), To: uint32(peer),
		Number: d.number, Incarnation: 1,
	}
	addresses, key := h.net.roster[h.hostOf(peer)], h.start.GetLinkKey()
	go func() {
		ctx, stop := context.WithTimeout(ctx, h.silence())
		defer stop()
		conn, err := knock.Dial(ctx, addresses, key, k)
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			err = fmt.Errorf("nothing comes back from %s within %v", strings.Join(addresses, " or "), h.silence())
		}
		if !h.post(func() { h.onDialled(p, d, conn, err) }) && conn != nil {
			conn.Close()
		}
	}()
}

// silence is how long a host that does not answer is waited for.
func (h *host) silence() time.Duration {
	return max(time.Second, time.Duration(h.start.GetSilenceNanos()))
}

// onDialled is the end of dial d.
func (h *host) onDialled(p pair, d *dial, conn net.Conn, err error) {
	d.cancel()
	if h.net.dials[p] == d {
		delete(h.net.dials, p)
	}
	defer h.dialQueued()
	r, peer := h.endsOf(p)
	current := h.links.next[p] == d.number && h.links.wanted[p] && h.net.dials[p] == nil
	if !current || h.ending || r.gone() || h.lostRanks[peer] {
		if conn != nil {
			conn.Close()
		}
		return
	}
	if errors.Is(err, knock.ErrStranger) {
		d.stranger = err
	}
	switch {
	case err == nil:
		h.handOver(p, arrival{conn, d.number})
	case errors.Is(err, knock.ErrSuperseded):
		// The other one comes the other way, or has come and was lost on the road.
		time.AfterFunc(supersededFor, func() {
			h.post(func() {
				if h.links.next[p] == d.number && h.links.wanted[p] && h.net.dials[p] == nil && !h.ending {
					h.links.next[p]++
					h.dial(p, d.began, d.stranger)
				}
			})
		})
	case time.Since(d.began) < h.silence():
		time.AfterFunc(dialPause, func() {
			h.post(func() {
				if h.links.next[p] == d.number && h.links.wanted[p] && h.net.dials[p] == nil && !h.ending {
					h.dial(p, d.began, d.stranger)
				}
			})
		})
	default:
		how := "does not answer"
		if d.stranger != nil {
			how, err = "is not where it should be", d.stranger
		}
		h.fail(failure{rank: r.rank, code: ExitLost, what: fmt.Sprintf(
			"cannot be linked to rank %d: host %s %s: %v", peer, h.nameOf(h.hostOf(peer)), how, err)})
	}
}

// answer takes the connections of l.
func (h *host) answer(l *knock.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		if !h.post(func() { h.onKnock(c) }) {
			c.Close()
		}
	}
}

// onKnock is a connection that an agent of the job asks for.
func (h *host) onKnock(c *knock.Caller) {
	if c.Knock.To == knock.ToAgent {
		h.onGuest(c)
		return
	}
	verdict := h.judgeKnock(c.Knock)
	if err := c.Answer(verdict); err != nil || verdict != knock.Accepted {
		c.Close()
		return
	}
	p := pairOf(int(c.Knock.From), int(c.Knock.To))
	if d := h.net.dials[p]; d != nil {
		d.cancel()
		delete(h.net.dials, p)
	}
	h.handOver(p, arrival{c.Conn, c.Knock.Number})
}

func (h *host) judgeKnock(k knock.Knock) knock.Verdict {
	r, from := h.rank(int(k.To)), int(k.From)
	if host := h.hostOf(from); r == nil || host < 0 || host == int(h.start.GetHost()) {
		h.note("%s: a connection was asked for from rank %d to rank %d, which are not of two hosts; refused", h.hostName(), k.From, k.To)
		return knock.Refused
	}
	p := pairOf(r.rank, from)
	switch {
	case h.ending || r.gone() || h.lostRanks[from]:
		return knock.Refused
	case k.Number < h.links.next[p]:
		return knock.Superseded
	case h.net.dials[p] != nil && r.rank < from:
		return knock.Superseded // both dial: the lower rank's connection is used
	}
	return knock.Accepted
}

// handOver gives a connection to the rank of p that is of this host, now or once it
// has joined.
func (h *host) handOver(p pair, a arrival) {
	delete(h.links.wanted, p)
	h.links.next[p] = a.number + 1
	r, peer := h.endsOf(p)
	if r.conn == nil {
		if old, ok := h.net.parked[p]; ok {
			old.conn.Close()
		}
		h.net.parked[p] = a
		return
	}
	defer a.conn.Close()
	f, err := a.conn.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		h.fail(failure{rank: r.rank, code: ExitResource, what: fmt.Sprintf("cannot be linked to rank %d: %v", peer, err)})
		return
	}
	r.put(packet{
		m:     &pb.ToRank{Kind: &pb.ToRank_Link{Link: &pb.LinkUp{Peer: int32(peer), Number: a.number}}},
		files: []*os.File{f},
	})
}

// handOverParked gives rank r, which has joined, what came for it before.
func (h *host) handOverParked(r *rankState) {
	for p, a := range h.net.parked {
		if p.lo == r.rank || p.hi == r.rank {
			delete(h.net.parked, p)
			h.handOver(p, a)
		}
	}
}
