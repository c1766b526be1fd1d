package launcher

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	pb "github.com/muster-mpi/muster/proto"
)

// A way that is this many times slower than the middle one of all is remarked on, and one
// that is slower than this in any case.
const (
	outlier      = 4                    // times, which may be a moment's: such a way is measured again
	slowestBytes = 12.5e6               // a second: what 100 Mbit/s carries
	slowestTrip  = 5 * time.Millisecond // where the middle one is shorter by far
)

func (p *patient) judgePort(all []*patient) []Check {
	if p.doorErr != nil {
		c := Check{Name: CheckPort, Verdict: Fail, Found: "no port can be opened for the other hosts: " + p.doorErr.Error()}
		switch text := p.doorErr.Error(); {
		case strings.Contains(text, "--iface ") || strings.Contains(text, "--subnet "):
			c.Mend = "name a network that each host has, or none"
		default:
			c.Mend = "see that addresses, ports and descriptors are left there, or run with --via ssh"
		}
		if errors.Is(p.doorErr, errAlone) {
			c.Mend = "mend those first"
			c.Verdict, c.Found = Warning, "the ways to other hosts were not measured: "+p.doorErr.Error()
		}
		return []Check{c}
	}
	var list []string
	for _, d := range p.doors {
		list = append(list, d.GetAddress())
	}
	c := Check{Name: CheckPort, Verdict: Fine, Found: "opened one at " + strings.Join(list, " and ")}
	f := p.findings
	elsewhere := 0
	for _, other := range all {
		if other != p && other.findings != nil {
			elsewhere += int(other.findings.GetRanks())
		}
	}
	ports := int(f.GetPortLast()-f.GetPortFirst()) + 1
	if links := int(f.GetRanks()) * elsewhere; f.GetPortFirst() > 0 && links > ports {
		c.Verdict = Warning
		c.Found = fmt.Sprintf("%s and %s elsewhere may have %d links, and the kernel has %d ports for them (%d to %d)",
			count(int(f.GetRanks()), "rank"), count(elsewhere, "rank"), links, ports, f.GetPortFirst(), f.GetPortLast())
		c.Mend = "widen net.ipv4.ip_local_port_range, or run with --via ssh"
	}
	return []Check{c}
}

// mostIP is the longest packet there is, whatever the MTU.
const mostIP = 65535

// mtuOf is the MTU of an interface of p; 0 if it is not known.
func (p *patient) mtuOf(name string) int32 {
	for _, d := range p.doors {
		if d.GetInterface() == name {
			return d.GetMtu()
		}
	}
	return 0
}

// judgeMTU compares the MTUs at both ends of each way from p, and that of the path.
func (p *patient) judgeMTU(ways []*way) []Check {
	known := make(map[string]int32)
	var names []string
	for _, d := range p.doors {
		if _, ok := known[d.GetInterface()]; !ok && d.GetInterface() != "" {
			known[d.GetInterface()] = d.GetMtu()
			names = append(names, fmt.Sprintf("%s %d", d.GetInterface(), d.GetMtu()))
		}
	}
	var checks []Check
	for _, w := range ways {
		if w.from != p || w.measured.GetAddress() == "" {
			continue
		}
		road, door := w.road()
		own, theirs := p.mtuOf(road.GetInterface()), door.GetMtu()
		switch path := w.measured.GetPathMtu(); {
		case own == 0 || theirs == 0:
		case own != theirs && p.number < w.to.number:
			checks = append(checks, Check{Name: CheckMTU, Verdict: Warning, Found: fmt.Sprintf(
				"its %s has an MTU of %d, and %s of %s one of %d: what is sent may not arrive, or in small pieces",
				road.GetInterface(), own, door.GetInterface(), w.to.host.Name, theirs),
				Mend: fmt.Sprintf("give both the same, as by: ip link set dev %s mtu %d", road.GetInterface(), min(own, theirs))})
		case path > 0 && path < min(own, theirs, mostIP):
			checks = append(checks, Check{Name: CheckMTU, Verdict: Warning, Found: fmt.Sprintf(
				"the path to %s has an MTU of %d, less than the %d of both ends", w.to.host.Name, path, min(own, theirs)),
				Mend: "look for a tunnel or an old switch on the way, or give both ends the MTU of the path"})
		}
	}
	if len(checks) > 0 {
		return checks
	}
	return []Check{{Name: CheckMTU, Verdict: Fine, Found: strings.Join(names, ", ")}}
}

// road returns the road that was measured, and the door to which it leads.
func (w *way) road() (*pb.Road, *pb.Door) {
	var road *pb.Road
	var door *pb.Door
	for _, r := range w.measured.GetRoads() {
		if r.GetAddress() == w.measured.GetAddress() {
			road = r
		}
	}
	for _, d := range w.to.doors {
		if d.GetAddress() == w.measured.GetAddress() {
			door = d
		}
	}
	return road, door
}

// judgeWays judges each way, also beside the others.
func judgeWays(ways []*way) []PairDiagnosis {
	var all []PairDiagnosis
	for _, w := range ways {
		all = append(all, w.judge())
	}
	trip, rate := middle(all)
	for i := range all {
		d := &all[i]
		if d.Verdict != Fine || d.BytesPerSecond == 0 {
			continue
		}
		switch {
		case d.BytesPerSecond < slowestBytes:
			d.Verdict, d.Problem = Warning, fmt.Sprintf("carries %s, less than Fast Ethernet", rateText(d.BytesPerSecond))
		case d.BytesPerSecond < rate/outlier:
			d.Verdict, d.Problem = Warning, fmt.Sprintf("carries %s, where the middle one of all ways carries %s", rateText(d.BytesPerSecond), rateText(rate))
		case d.RoundTrip > slowestTrip && d.RoundTrip > outlier*trip:
			d.Verdict, d.Problem = Warning, fmt.Sprintf("takes %v there and back, where the middle one of all ways takes %v", rough(d.RoundTrip), rough(trip))
		}
	}
	return all
}

// middle returns the medians of the round trips and of the rates.
func middle(all []PairDiagnosis) (trip time.Duration, rate float64) {
	var trips []time.Duration
	var rates []float64
	for _, d := range all {
		if d.BytesPerSecond > 0 {
			trips, rates = append(trips, d.RoundTrip), append(rates, d.BytesPerSecond)
		}
	}
	if len(rates) == 0 {
		return 0, 0
	}
	slices.Sort(trips)
	slices.Sort(rates)
	return trips[len(trips)/2], rates[len(rates)/2]
}

func rateText(bytesPerSecond float64) string {
	if bytesPerSecond >= 999.5e6 {
		return fmt.Sprintf("%.3g GB/s", bytesPerSecond/1e9)
	}
	return fmt.Sprintf("%.3g MB/s", bytesPerSecond/1e6)
}

// judge judges one way by itself.
func (w *way) judge() PairDiagnosis {
	m := w.measured
	d := PairDiagnosis{
		From: w.from.host.Name, To: w.to.host.Name, Verdict: Fine,
		Address: m.GetAddress(), RoundTrip: time.Duration(m.GetRoundTripNanos()), PathMTU: int(m.GetPathMtu()), Retransmits: m.GetRetransmits(),
	}
	var closed []string
	for _, r := range m.GetRoads() {
		d.Roads = append(d.Roads, Road{Interface: r.GetInterface(), Address: r.GetAddress(), Error: r.GetError()})
		if r.GetError() != "" {
			closed = append(closed, fmt.Sprintf("%s: %s", r.GetAddress(), r.GetError()))
		}
		if r.GetAddress() == m.GetAddress() {
			d.Interface = r.GetInterface()
		}
	}
	d.BytesPerSecond = rateOf(m)
	switch {
	case m == nil:
		d.Verdict, d.Problem = Fail, fmt.Sprintf("could not be measured: %v", w.err)
	case m.GetAddress() == "":
		d.Verdict, d.Problem = Fail, "is closed: "+strings.Join(closed, "; ")
	case m.GetError() != "":
		d.Verdict, d.Problem = Fail, m.GetError()
	case w.err != nil:
		d.Verdict, d.Problem = Fail, fmt.Sprintf("was open, and could not be measured: %v", w.err)
	case m.GetTransferredBytes() == 0:
		d.Verdict, d.Problem = Fail, fmt.Sprintf("carries short messages (%v there and back) and no long ones: what lies on the way drops full packets", rough(d.RoundTrip))
	case len(closed) > 0:
		d.Verdict, d.Problem = Warning, "is open by "+m.GetAddress()+" and closed by "+strings.Join(closed, "; ")
	}
	return d
}

// rateOf is how many bytes a second were carried; 0 if that was not measured.
func rateOf(m *pb.Measured) float64 {
	if m.GetTransferredNanos() <= 0 {
		return 0
	}
	return float64(m.GetTransferredBytes()) / time.Duration(m.GetTransferredNanos()).Seconds()
}

// judgeNetwork sums up the ways from a host.
func judgeNetwork(host string, pairs []PairDiagnosis) []Check {
	var from []PairDiagnosis
	for _, d := range pairs {
		if d.From == host {
			from = append(from, d)
		}
	}
	if len(from) == 0 {
		return nil
	}
	var checks []Check
	for _, verdict := range []Verdict{Fail, Warning} {
		var bad []PairDiagnosis
		for _, d := range from {
			if d.Verdict == verdict {
				bad = append(bad, d)
			}
		}
		if len(bad) == 0 {
			continue
		}
		const most = 4
		var texts []string
		for _, d := range bad[:min(most, len(bad))] {
			texts = append(texts, fmt.Sprintf("the way to %s %s", d.To, d.Problem))
		}
		if n := len(bad) - most; n > 0 {
			texts = append(texts, fmt.Sprintf("so it is with %s", count(n, "other host")))
		}
		checks = append(checks, Check{Name: CheckNetwork, Verdict: verdict, Found: strings.Join(texts, "; "), Mend: mendWay(bad[0])})
	}
	if checks != nil {
		return checks
	}
	var trips []time.Duration
	var rates []float64
	for _, d := range from {
		trips, rates = append(trips, d.RoundTrip), append(rates, d.BytesPerSecond)
	}
	return []Check{{Name: CheckNetwork, Verdict: Fine, Found: fmt.Sprintf("%s, %v there and back, %s at least",
		count(len(from), "open way"), rough(slices.Max(trips)), rateText(slices.Min(rates)))}}
}

// mendWay says what helps a way.
func mendWay(d PairDiagnosis) string {
	switch {
	case d.Verdict == Fail && d.Address == "" && len(d.Roads) > 0:
		address := d.Roads[0].Address
		if a, err := netip.ParseAddrPort(address); err == nil {
			address = a.Addr().String()
		}
		return fmt.Sprintf("allow TCP from %s to any port of %s in the firewalls on the way, name another network by --subnet or --iface, or run with --via ssh", d.From, address)
	case strings.Contains(d.Problem, "no long ones"):
		return "give all interfaces and switches on the way the same MTU, as by: ip link set dev " + d.Interface + " mtu 1500"
	case strings.Contains(d.Problem, "closed by"):
		return "name the network that is to be used by --subnet or --iface"
	case strings.Contains(d.Problem, "carries"):
		return "look at the speed of cable and switch, as by: ethtool " + d.Interface
	case strings.Contains(d.Problem, "there and back"):
		return "use hosts that are close to each other"
	}
	return ""
}
