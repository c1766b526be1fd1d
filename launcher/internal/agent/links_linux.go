package agent

import (
	"fmt"
	"net"
	"os"

	pb "github.com/muster-mpi/muster/proto"
	"golang.org/x/sys/unix"
)

// pair names two ranks, the lower one first.
type pair struct{ lo, hi int }

func pairOf(a, b int) pair { return pair{min(a, b), max(a, b)} }

// links hands out connections between ranks. A link is made when one of the two
// has asked for it and both have joined.
type links struct {
	next   map[pair]uint32 // number of the link to make next
	wanted map[pair]bool   // asked for, but one of the two has not joined, or in later

	// Each link on its way to its ranks holds descriptors of the agent. Where those
	// do not suffice for more, links are made later.
	most     int // ends that may be on the way
	underway int
	later    []pair
}

func newLinks() links {
	return links{next: make(map[pair]uint32), wanted: make(map[pair]bool)}
}

// linksUnderWay is how many ends of links the agent can have on the way with n
// ranks: what its limit of descriptors leaves, two for each, beside a port that holds so
// many strangers and guests.
func linksUnderWay(n, strangers int) int {
	var limit unix.Rlimit
	taken := descriptors(n) + uint64(strangers)
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil || limit.Cur <= taken {
		return n
	}
	return n + int(min(limit.Cur-taken, 1<<20))/2
}

// want notes that one of p asks for their link of this number, and reports whether
// it has to be made. A link that was made is not made again: the other side asked
// for it as well, or the answer is on its way.
func (l *links) want(p pair, number uint32, joined bool) bool {
	if number != l.next[p] || l.wanted[p] {
		return false
	}
	if !joined {
		l.wanted[p] = true
		return false
	}
	return true
}

// onConnect answers rank r's wish for a link.
func (h *host) onConnect(r *rankState, m *pb.Connect) {
	peer := h.rank(int(m.GetPeer()))
	if host := h.hostOf(int(m.GetPeer())); peer == nil && host >= 0 && h.hasPeers() {
		h.onConnectAcross(r, int(m.GetPeer()), m.GetNumber())
		return
	}
	if peer == nil || peer == r {
		h.violation(r, fmt.Sprintf("asked for a link to rank %d of %d", m.GetPeer(), h.start.GetSize()))
		return
	}
	if m.GetNumber() > h.links.next[pairOf(r.rank, peer.rank)] {
		h.violation(r, fmt.Sprintf("asked for link %d to rank %d before link %d", m.GetNumber(), peer.rank, m.GetNumber()-1))
		return
	}
	if peer.gone() {
		return // its end ends the job, or the failure policy has told r
	}
	if h.links.want(pairOf(r.rank, peer.rank), m.GetNumber(), peer.conn != nil) {
		h.link(r, peer)
	}
}

// link makes the next link between two joined ranks.
func (h *host) link(a, b *rankState) {
	p := pairOf(a.rank, b.rank)
	if h.links.underway >= h.links.most {
		h.links.wanted[p] = true
		h.links.later = append(h.links.later, p)
		return
	}
	delete(h.links.wanted, p)
	number := h.links.next[p]
	ends, err := h.ends(a, b)
	if err != nil {
		h.fail(failure{rank: a.rank, code: ExitResource, what: fmt.Sprintf("cannot be linked to rank %d: %v", b.rank, err)})
		return
	}
	h.links.next[p] = number + 1
	for i, r := range []*rankState{a, b} {
		peer := []*rankState{b, a}[i]
		up := &pb.LinkUp{Peer: int32(peer.rank), Number: number}
		if a.vouched() && b.vouched() {
			up.Pid = int64(peer.pid)
		}
		if r.put(packet{&pb.ToRank{Kind: &pb.ToRank_Link{Link: up}}, ends[i], func() { h.post(h.onLinkSent) }}) {
			h.links.underway++
		}
	}
}

// onLinkSent makes a link that waited for descriptors.
func (h *host) onLinkSent() {
	h.links.underway--
	for len(h.links.later) > 0 && h.links.underway < h.links.most {
		p := h.links.later[0]
		h.links.later = h.links.later[1:]
		a, b := h.rank(p.lo), h.rank(p.hi)
		if a.gone() || b.gone() {
			delete(h.links.wanted, p)
			continue
		}
		h.link(a, b)
	}
}

// ends makes a link between a and b and returns the descriptors for each of them.
func (h *host) ends(a, b *rankState) (ends [2][]*os.File, err error) {
	if h.start.GetSettings().GetTransport() == sharedMemory {
		return h.sharedPair(a, b)
	}
	pair, err := connectedPair(h.start.GetSettings().GetTransport())
	return [2][]*os.File{pair[:1], pair[1:]}, err
}

// linkWanted makes the links that waited for rank r to join.
func (h *host) linkWanted(r *rankState) {
	for _, peer := range h.ranks {
		if peer != r && peer.conn != nil && !peer.gone() && h.links.wanted[pairOf(r.rank, peer.rank)] {
			h.link(r, peer)
		}
	}
}

// connectedPair returns the two ends of a new connection.
func connectedPair(transport string) ([2]*os.File, error) {
	if transport == "tcp" {
		return loopbackPair()
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return [2]*os.File{}, os.NewSyscallError("socketpair", err)
	}
	return [2]*os.File{os.NewFile(uintptr(fds[0]), "link"), os.NewFile(uintptr(fds[1]), "link")}, nil
}

// loopbackPair connects to itself. The listener is open only for that moment,
// and what it accepts is kept only if it is the very connection that was dialled.
func loopbackPair() (ends [2]*os.File, err error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		if l, err = net.Listen("tcp6", "[::1]:0"); err != nil {
			return ends, fmt.Errorf("no loopback interface to listen on: %w", err)
		}
	}
	defer l.Close()
	dialled, err := net.Dial(l.Addr().Network(), l.Addr().String())
	if err != nil {
		return ends, err
	}
	defer dialled.Close()
	for {
		accepted, err := l.Accept()
		if err != nil {
			return ends, err
		}
		if accepted.RemoteAddr().String() != dialled.LocalAddr().String() {
			accepted.Close() // somebody else's
			continue
		}
		defer accepted.Close()
		for i, c := range []net.Conn{dialled, accepted} {
			if ends[i], err = c.(*net.TCPConn).File(); err != nil {
				if i == 1 {
					ends[0].Close()
				}
				return [2]*os.File{}, err
			}
		}
		return ends, nil
	}
}
