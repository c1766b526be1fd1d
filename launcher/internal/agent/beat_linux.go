package agent

import (
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/muster-mpi/muster/internal/tcpwatch"
	pb "github.com/muster-mpi/muster/proto"
	"google.golang.org/grpc"
)

const (
	// longLease is how long an agent goes on that hears nothing of its launcher and
	// does not know why: the launcher's process may be stopped.
	longLease = time.Minute
	// beatStep is how often the lease is looked at.
	beatStep = 150 * time.Millisecond
	// nudgeAfter is the silence after which the agent sends something of its own accord:
	// whether the kernel at the other end acknowledges it tells whether that is there.
	nudgeAfter = 350 * time.Millisecond
)

// leastRetransmit is how long data has waited at least when Linux sends it again, and so
// before a stall is seen.
const leastRetransmit = 200 * time.Millisecond

// lease is the right to go on without word of the launcher. The launcher renews it by
// each pulse; it begins with the first.
type lease struct {
	mu     sync.Mutex
	awake  awake
	silent time.Duration // awake time since the last pulse
	short  time.Duration // 0: there was none
	watch  *tcpwatch.Watch
}

func (l *lease) renew(short time.Duration) {
	l.mu.Lock()
	l.short, l.silent = short, 0
	l.mu.Unlock()
}

// over looks at the clock and reports whether the agent is cut off, and whether it
// should send something to find out. Nobody answers at a host that is gone: short
// suffices then.
func (l *lease) over() (cutOff, nudge bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.awake.total
	l.awake.advance()
	if l.short <= 0 {
		return false, false
	}
	l.silent += l.awake.total - before
	if l.silent > max(longLease, 2*l.short) {
		return true, false
	}
	return l.silent > l.short && l.unanswered(), l.silent > nudgeAfter
}

// unanswered reports whether the ssh connection that leads to the launcher has lost
// its other end. Without ssh that is not known.
func (l *lease) unanswered() bool {
	server, client, ok := sshEnds()
	if !ok {
		return false
	}
	if l.watch == nil {
		l.watch = tcpwatch.New()
	}
	stalls := l.watch.Look(l.awake.total, func(c tcpwatch.Conn) bool { return c.Local == server && c.Remote == client })
	return len(stalls) > 0 && stalls[0].Retransmits >= 2
}

// Beat answers the launcher's pulses, and gives the job up when they stay away.
func (s *server) Beat(stream grpc.BidiStreamingServer[pb.Pulse, pb.Pulse]) error {
	var mu sync.Mutex // of Send
	send := func(number uint64) error {
		mu.Lock()
		defer mu.Unlock()
		return stream.Send(&pb.Pulse{Number: number, UnixNanos: time.Now().UnixNano()})
	}
	l := new(lease)
	l.awake.restart()
	done := make(chan struct{})
	defer close(done)
	go func() {
		tick := time.NewTicker(beatStep)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				cutOff, nudge := l.over()
				if cutOff {
					s.cutOff()
					return
				}
				if nudge {
					go send(0) // may block for as long as nobody takes it
				}
			case <-done:
				return
			}
		}
	}()
	for {
		p, err := stream.Recv()
		if err != nil {
			return err
		}
		l.renew(time.Duration(p.GetLeaseNanos()))
		if err := send(p.GetNumber()); err != nil {
			return err
		}
	}
}

// cutOff gives up a launcher of which nothing is heard.
func (s *server) cutOff() {
	s.end()
	s.conn.Close()
}

// watchPeers looks after the connections to other hosts: a rank whose peer's host is
// gone learns nothing of it for as long as TCP has patience.
func (h *host) watchPeers() {
	if h.peerWatch == nil {
		h.peerWatch = tcpwatch.New()
	}
	ours := make(map[string]int)   // hosts by address and port
	of := make(map[netip.Addr]int) // and by address alone, from where they dial
	for host, addresses := range h.net.roster {
		for _, a := range addresses {
			ours[a] = host
			if at, err := netip.ParseAddrPort(a); err == nil {
				of[at.Addr()] = host
			}
		}
	}
	own := make(map[string]bool)
	for _, l := range h.net.listeners {
		own[l.Addr().String()] = true
	}
	stalls := h.peerWatch.Look(h.awake.total, func(c tcpwatch.Conn) bool {
		_, to := ours[c.Remote.String()]
		return to || own[c.Local.String()]
	})
	for _, s := range stalls {
		if s.For+leastRetransmit <= h.silence() || s.Retransmits < 3 {
			continue
		}
		name := s.Remote.Addr().String()
		if host, ok := of[s.Remote.Addr()]; ok {
			name = h.nameOf(host)
		}
		h.fail(failure{rank: -1, code: ExitLost, echo: true, what: fmt.Sprintf(
			"the network between host %s and host %s is gone: nothing that %v sends to %v is acknowledged, for %v and %d attempts now",
			h.hostName(), name, s.Local, s.Remote, s.For.Round(100*time.Millisecond), s.Retransmits)})
		return
	}
}
