package agent

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/muster-mpi/muster/internal/authority"
	"github.com/muster-mpi/muster/internal/boot"
	"github.com/muster-mpi/muster/internal/knock"
	pb "github.com/muster-mpi/muster/proto"
)

// Protocol is the version of the messages between launcher and agent.
const Protocol = 2

// ready is the agent's first word.
func ready() *pb.Ready {
	m := &pb.Ready{
		Protocol: Protocol, HostName: boot.LocalHost(), UnixNanos: time.Now().UnixNano(),
		Cores: int32(ceil(usableCPUs(), 100)), Pid: int64(os.Getpid()),
	}
	for _, p := range interfaces() {
		m.Addresses = append(m.Addresses, p.Addr().String())
	}
	if server, _, ok := sshEnds(); ok {
		m.ReachedAt = server.Addr().String()
	}
	if id, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err == nil {
		m.Boot = strings.TrimSpace(string(id))
	}
	return m
}

// sshEnds returns the two ends of the ssh connection that this process was started
// over, if it was.
func sshEnds() (server, client netip.AddrPort, ok bool) {
	f := strings.Fields(os.Getenv("SSH_CONNECTION"))
	if len(f) != 4 {
		return server, client, false
	}
	end := func(address, port string) (netip.AddrPort, error) {
		a, err := netip.ParseAddr(address)
		if err != nil {
			return netip.AddrPort{}, err
		}
		n, err := strconv.ParseUint(port, 10, 16)
		return netip.AddrPortFrom(a.Unmap().WithZone(""), uint16(n)), err
	}
	client, err1 := end(f[0], f[1])
	server, err2 := end(f[2], f[3])
	return server, client, err1 == nil && err2 == nil
}

// interfaces returns the addresses by which other machines may know this one, with
// their networks.
func interfaces() []netip.Prefix {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var found []netip.Prefix
	for _, a := range all {
		p, err := netip.ParsePrefix(a.String())
		if err == nil && p.Addr().IsGlobalUnicast() {
			found = append(found, netip.PrefixFrom(p.Addr().Unmap(), p.Bits()))
		}
	}
	return found
}

// network is how the ranks of this host and those of others are linked.
type network struct {
	listeners []*knock.Listener
	roster    map[int][]string // by host; nil until it came
	dials     map[pair]*dial
	queued    []pair           // wanted; dialled when the roster or a descriptor is there
	parked    map[pair]arrival // for a rank that has not joined
	strangers strangers
	guests    int             // connections on which programs are given
	tls       *tls.Config     // of the agent, with those of other hosts; nil: there are no certificates
	open      context.Context // ends with the port
	close     context.CancelFunc
}

func newNetwork() network {
	n := network{dials: make(map[pair]*dial), parked: make(map[pair]arrival)}
	n.open, n.close = context.WithCancel(context.Background())
	return n
}

// arrival is a connection that a rank of another host asked for.
type arrival struct {
	conn   net.Conn
	number uint32
}

// openPort opens this host's port on the addresses that lead to the job's other hosts,
// and on no others.
func (h *host) openPort() error {
	inner, err := listenFacing(h.start.GetPeers(), h.start.GetNetworks())
	if err != nil {
		return err
	}
	if c := h.start.GetHostCredentials(); c != nil {
		if h.net.tls, err = authority.Config(c); err != nil {
			return err
		}
	}
	job := [16]byte(h.start.GetJob())
	key := h.start.GetLinkKey()
	room := knock.NewRoom(h.strangersRoom())
	var taken []string
	for _, l := range inner {
		taken = append(taken, l.Addr().String())
		k := knock.Listen(l, knock.Config{
			Job: job, Key: func(knock.Knock) []byte { return key }, Room: room,
			Foreign: func(f *knock.Foreign) { h.post(func() { h.onStranger(f) }) },
		})
		h.net.listeners = append(h.net.listeners, k)
		go h.answer(k)
	}
	h.send(&pb.FromAgent{Kind: &pb.FromAgent_Listening{Listening: &pb.Listening{Addresses: taken}}})
	return nil
}

// listenFacing opens one port on the addresses that lead to peers.
func listenFacing(peers []*pb.HostAddresses, networks []string) ([]net.Listener, error) {
	addresses, err := facing(peers, networks)
	if err != nil {
		return nil, err
	}
	for attempt := 0; ; attempt++ {
		all, err := listenOn(addresses, 0)
		if err == nil {
			return all, nil
		}
		if attempt == 10 {
			return nil, fmt.Errorf("cannot open a port: %w", err)
		}
	}
}

// listenOn opens one port on all addresses.
func listenOn(addresses []netip.Addr, port int) (all []net.Listener, err error) {
	for _, a := range addresses {
		l, err := net.Listen("tcp", netip.AddrPortFrom(a, uint16(port)).String())
		if err != nil {
			for _, l := range all {
				l.Close()
			}
			return nil, err
		}
		port = l.Addr().(*net.TCPAddr).Port
		all = append(all, l)
	}
	return all, nil
}

// facing returns this host's addresses on the roads to its peers: the one at which
// the launcher reached it, those that the system chooses towards where the peers were
// reached, and those in a network with an address of a peer; of these, what the user
// has restricted connections to.
func facing(peers []*pb.HostAddresses, networks []string) ([]netip.Addr, error) {
	mine := interfaces()
	var found []netip.Addr
	add := func(a netip.Addr) {
		if a.IsValid() && !a.IsUnspecified() && !a.IsMulticast() && !slices.Contains(found, a) {
			found = append(found, a)
		}
	}
	if server, _, ok := sshEnds(); ok {
		add(server.Addr())
	}
	for _, peer := range peers {
		for i, text := range peer.GetAddresses() {
			a, err := netip.ParseAddr(text)
			if err != nil {
				continue
			}
			a = a.Unmap()
			near := slices.ContainsFunc(mine, func(p netip.Prefix) bool { return p.Contains(a) && p.Addr() != a })
			// The first is where the peer was reached, be it on the loopback interface.
			if i == 0 || near {
				add(sourceTowards(a))
			}
		}
	}
	return restrict(found, networks)
}

// sourceTowards returns the address that the system would send from; nothing is sent.
func sourceTowards(a netip.Addr) netip.Addr {
	c, err := net.Dial("udp", netip.AddrPortFrom(a, 9).String())
	if err != nil {
		return netip.Addr{}
	}
	defer c.Close()
	local, ok := c.LocalAddr().(*net.UDPAddr)
	if !ok {
		return netip.Addr{}
	}
	return local.AddrPort().Addr().Unmap()
}

// restrict returns this host's addresses that lie in all of the networks: "iface NAME" or
// "subnet PREFIX". Without networks it returns found. Addresses of a named network are
// taken whether or not they seem to lead anywhere: the user knows better.
func restrict(found []netip.Addr, networks []string) ([]netip.Addr, error) {
	if len(networks) == 0 {
		if len(found) == 0 {
			return nil, errors.New("no address of this host leads to the others; name a network with --iface or --subnet")
		}
		return found, nil
	}
	var kept []netip.Addr
	for n, text := range networks {
		kind, value, _ := strings.Cut(text, " ")
		var there []netip.Addr
		switch kind {
		case "iface":
			i, err := net.InterfaceByName(value)
			if err != nil {
				return nil, fmt.Errorf("--iface %s: this host has no such interface, but %s", value, interfaceNames())
			}
			addrs, _ := i.Addrs()
			for _, a := range addrs {
				if p, err := netip.ParsePrefix(a.String()); err == nil && !p.Addr().IsLinkLocalUnicast() {
					there = append(there, p.Addr().Unmap())
				}
			}
		case "subnet":
			subnet, err := netip.ParsePrefix(value)
			if err != nil {
				return nil, fmt.Errorf("--subnet %s: want a network such as 10.0.0.0/8: %w", value, err)
			}
			all, _ := net.InterfaceAddrs()
			for _, a := range all {
				if p, err := netip.ParsePrefix(a.String()); err == nil && subnet.Contains(p.Addr().Unmap()) {
					there = append(there, p.Addr().Unmap())
				}
			}
		}
		and := ""
		if n > 0 {
			and = " that is also in the other network"
			there = slices.DeleteFunc(there, func(a netip.Addr) bool { return !slices.Contains(kept, a) })
		}
		if len(there) == 0 {
			return nil, fmt.Errorf("--%s %s: this host has no address there%s", kind, value, and)
		}
		kept = there
	}
	slices.SortFunc(kept, netip.Addr.Compare)
	return slices.Compact(kept), nil
}

func interfaceNames() string {
	all, err := net.Interfaces()
	if err != nil {
		return "none that can be read"
	}
	var names []string
	for _, i := range all {
		names = append(names, i.Name)
	}
	return strings.Join(names, ", ")
}

// onRoster says where the other hosts listen.
func (h *host) onRoster(m *pb.Roster) {
	h.net.roster = make(map[int][]string)
	for _, peer := range m.GetHosts() {
		h.net.roster[int(peer.GetHost())] = peer.GetAddresses()
	}
	h.dialQueued()
}

// closeNetwork ends what waits on the network. No goroutine of it stays.
func (h *host) closeNetwork() {
	h.net.close()
	for _, l := range h.net.listeners {
		l.Close()
	}
	for _, d := range h.net.dials {
		d.cancel()
	}
	for p, a := range h.net.parked {
		a.conn.Close()
		delete(h.net.parked, p)
	}
}

// hostOf returns the host of a rank; -1 if the job has no such rank.
func (h *host) hostOf(rank int) int {
	for _, run := range h.start.GetHosts() {
		if first := int(run.GetFirst()); rank >= first && rank < first+int(run.GetCount()) {
			return int(run.GetHost())
		}
	}
	return -1
}

// runOf returns the ranks of a host; nil if the job has none there.
func (h *host) runOf(host int) *pb.HostRun {
	all := h.start.GetHosts()
	if i := slices.IndexFunc(all, func(r *pb.HostRun) bool { return int(r.GetHost()) == host }); i >= 0 {
		return all[i]
	}
	return nil
}

// nameOf returns the name of a host of the job.
func (h *host) nameOf(host int) string {
	if run := h.runOf(host); run != nil {
		return run.GetName()
	}
	return fmt.Sprint("number ", host)
}
