// Package place decides on which host each rank of a job runs, and on which CPUs
// where that is asked for. It looks at nothing but its arguments.
//
// There are two steps, as in Open MPI: mapping decides how many ranks a host has,
// ranking which ranks these are.
package place

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/muster-mpi/muster/internal/hostfile"
)

// maxRanks bounds a job.
const maxRanks = 1 << 16

// Host is a host that ranks may run on.
type Host struct {
	hostfile.Host
	Topology *Topology // nil: not known
}

// Options say what Ranks does. The zero value fills the slots of one host after the
// other.
type Options struct {
	Ranks int // 0: one for each slot, or each line of Rankfile, or as PerHost and MapBy have it

	// PerHost is how many ranks a host has until all are placed; 0: as many as
	// slots. A host of which nobody has said how many slots it has is good for as
	// many as this.
	PerHost int

	// MapBy deals ranks to hosts: "slot" fills one host after the other, "node"
	// gives each one rank in turn. "core", "hwthread", "socket", "numa" and
	// "l3cache" fill hosts as "slot" does, and deal the ranks of a host to its
	// cores, sockets and so on in turn. "ppr:N:UNIT" puts N ranks on each unit,
	// which may be "node", on all hosts. Empty: "slot".
	MapBy string

	// RankBy numbers the ranks: "slot" host by host, "node" with one of each host
	// in turn. Empty: "node" if MapBy is that, or else "slot".
	RankBy string

	// BindTo is what a rank is bound to: its share of the cores, one hardware thread,
	// or the whole socket, NUMA domain or third-level cache that its share begins
	// in. Empty or "none": nothing.
	BindTo string

	Oversubscribe bool               // allow more ranks than slots, up to hosts' Max
	Rankfile      *hostfile.Rankfile // places some ranks, whatever the rest says; nil: none
}

// Place is where a rank runs.
type Place struct {
	Host int   // index of the host
	Slot int   // how many lower ranks there are on that host
	CPUs []int // that it is bound to, by the system's numbers; nil: all
}

// Ranks returns the place of each rank, by rank. Errors about single lines of the
// rank file are of type *hostfile.Error; all others are about the options.
func Ranks(hosts []Host, o Options) ([]Place, error) {
	if len(hosts) == 0 {
		return nil, errors.New("there is no host")
	}
	m, err := newMapping(hosts, o)
	if err != nil {
		return nil, err
	}
	places := make([]Place, m.ranks)
	for i := range places {
		places[i].Host = -1
	}
	if err := m.pin(places); err != nil {
		return nil, err
	}
	free := 0
	for _, p := range places {
		if p.Host < 0 {
			free++
		}
	}
	counts, err := m.counts(free)
	if err != nil {
		return nil, err
	}
	order := m.order(counts, free)
	local := make([]int, len(hosts))
	for rank := range places {
		p := &places[rank]
		if p.Host < 0 {
			p.Host, order = order[0], order[1:]
		}
		p.Slot = local[p.Host]
		local[p.Host]++
	}
	return places, m.bind(places)
}

// A mapping is Ranks under way.
type mapping struct {
	Options
	hosts   []Host
	ranks   int
	slots   []int // of each host; with PerHost, as many as that where nobody counted them
	most    []int // ranks of each host, as PerHost or ppr have it; 0: no such bound
	pinned  []int // ranks on each host by Rankfile
	unit    unit  // what the ranks of a host are dealt to
	perUnit int   // of ppr:N:UNIT; 0: in turn
}

func newMapping(hosts []Host, o Options) (*mapping, error) {
	m := &mapping{
		Options: o, hosts: hosts, unit: node,
		slots: make([]int, len(hosts)), most: make([]int, len(hosts)), pinned: make([]int, len(hosts)),
	}
	if err := m.readMapBy(); err != nil {
		return nil, err
	}
	switch o.RankBy {
	case "", "slot", "node":
	default:
		return nil, fmt.Errorf("ranking by %q: expected slot or node", o.RankBy)
	}
	for _, h := range hosts {
		if m.unit == node {
			break
		}
		if err := h.tells(m.unit); err != nil {
			return nil, fmt.Errorf("mapping by %s: %w", m.unit, err)
		}
	}
	all, most := 0, 0
	for i, h := range hosts {
		m.slots[i] = h.Slots
		switch {
		case m.perUnit > 0:
			m.most[i] = m.perUnit * m.unitsOf(h)
		case m.PerHost > 0:
			m.most[i] = m.PerHost
		}
		if m.most[i] > 0 && !h.Counted {
			m.slots[i] = m.most[i]
		}
		all += m.slots[i]
		most += m.most[i]
	}
	switch {
	case o.Ranks > 0:
		m.ranks = o.Ranks
	case o.Rankfile != nil:
		for _, p := range o.Rankfile.Pins {
			m.ranks = max(m.ranks, p.Rank+1)
		}
	case most > 0:
		m.ranks = most
	default:
		m.ranks = all
	}
	if m.ranks > maxRanks {
		return nil, fmt.Errorf("%d ranks: expected %d at most", m.ranks, maxRanks)
	}
	return m, nil
}

const expectedMap = "expected slot, node, core, hwthread, socket, numa, l3cache, or ppr:N:UNIT with node or one of the last three"

func (m *mapping) readMapBy() error {
	switch by := m.MapBy; by {
	case "", "slot", "node", "core", "hwthread":
		return nil
	case "socket", "numa", "l3cache":
		m.unit = unit(by)
		return nil
	default:
		text, ok := strings.CutPrefix(by, "ppr:")
		number, name, also := strings.Cut(text, ":")
		n, err := strconv.Atoi(number)
		if !ok || !also || err != nil || n < 1 || n > maxRanks || !slices.Contains([]string{"node", "socket", "numa", "l3cache"}, name) {
			return fmt.Errorf("mapping by %.40q: %s", by, expectedMap)
		}
		if m.PerHost > 0 {
			return fmt.Errorf("mapping by %s and %d ranks a host at once: expected one of them", by, m.PerHost)
		}
		m.unit, m.perUnit = unit(name), n
		return nil
	}
}

func (m *mapping) unitsOf(h Host) int {
	if m.unit == node {
		return 1
	}
	units, _ := h.Topology.units(m.unit)
	return len(units)
}

// pin places the ranks that the rank file names.
func (m *mapping) pin(places []Place) error {
	if m.Rankfile == nil {
		return nil
	}
	for _, p := range m.Rankfile.Pins {
		if p.Rank >= len(places) {
			return m.Rankfile.Wrong(p, fmt.Sprintf("rank %d, and the job has %s", p.Rank, count(len(places), "rank")))
		}
		host, err := m.find(p)
		if err != nil {
			return err
		}
		at := &places[p.Rank]
		at.Host = host
		if at.CPUs, err = m.hosts[host].pinnedCPUs(p.Socket, p.CPUs); err != nil {
			return m.Rankfile.Wrong(p, err.Error())
		}
		m.pinned[host]++
		if limit := m.limit(host); m.pinned[host] > limit {
			return m.Rankfile.Wrong(p, fmt.Sprintf("rank %d is one more than the %s of the host", p.Rank, count(limit, "slot")))
		}
	}
	return nil
}

// limit is how many ranks a host takes.
func (m *mapping) limit(host int) int {
	switch h := m.hosts[host]; {
	case !m.Oversubscribe:
		return m.slots[host]
	case h.Max > 0:
		return h.Max
	}
	return maxRanks
}

// find returns the host that a line of the rank file means.
func (m *mapping) find(p hostfile.Pin) (int, error) {
	if p.Nth >= len(m.hosts) {
		return 0, m.Rankfile.Wrong(p, fmt.Sprintf("the job has %s, counted from 0", count(len(m.hosts), "host")))
	}
	if p.Nth >= 0 {
		return p.Nth, nil
	}
	found := -1
	for i, h := range m.hosts {
		switch {
		case h.Name != p.Host:
		case p.User != "" && h.User != p.User:
			return 0, m.Rankfile.Wrong(p, fmt.Sprintf("user %s here, and %q where the job's hosts are named", p.User, h.User))
		case found >= 0:
			return 0, m.Rankfile.Wrong(p, fmt.Sprintf("two hosts of the job have this name: expected +n%d or +n%d", found, i))
		default:
			found = i
		}
	}
	if found < 0 {
		return 0, m.Rankfile.Wrong(p, "expected a host of the job: "+m.names())
	}
	return found, nil
}

// names lists the hosts.
func (m *mapping) names() string {
	var names []string
	for _, h := range m.hosts {
		names = append(names, h.Name)
	}
	return clip(hostfile.Compress(names))
}

func clip(text string) string {
	const longest = 200
	if len(text) > longest {
		return text[:longest] + "…"
	}
	return text
}

// counts returns how many of the n ranks that no rank file places each host has.
func (m *mapping) counts(n int) ([]int, error) {
	// What each host has before any has more, and what it may have.
	first, last := make([]int, len(m.hosts)), make([]int, len(m.hosts))
	for i := range m.hosts {
		first[i], last[i] = m.slots[i], m.limit(i)
		if m.most[i] > 0 {
			first[i], last[i] = m.most[i], m.most[i]
		}
		first[i] = max(first[i]-m.pinned[i], 0)
		last[i] = max(last[i]-m.pinned[i], 0)
	}
	counts := make([]int, len(m.hosts))
	left := n
	if m.MapBy == "node" {
		if n > sum(first) {
			first = last
		}
		left = deal(counts, first, left)
	} else {
		for i := range counts {
			counts[i] = min(left, first[i], last[i])
			left -= counts[i]
		}
		left = deal(counts, last, left)
	}
	if left > 0 {
		return nil, m.tooMany()
	}
	for i, c := range counts {
		if c += m.pinned[i]; c > m.limit(i) {
			return nil, fmt.Errorf("%s on host %s, which has %s: %s", count(c, "rank"), m.hosts[i].Name, count(m.limit(i), "slot"), m.mend(i, c))
		}
	}
	return counts, nil
}

// deal adds n to counts, one after the other in turn, where limit is not reached.
// It returns what is left when all have reached it.
func deal(counts, limit []int, n int) int {
	var open, still []int
	for i := range counts {
		if counts[i] < limit[i] {
			open = append(open, i)
		}
	}
	for ; n > 0 && len(open) > 0; open, still = still, open[:0] {
		for _, i := range open[:min(n, len(open))] {
			n--
			if counts[i]++; counts[i] < limit[i] {
				still = append(still, i)
			}
		}
	}
	return n
}

func sum(numbers []int) int {
	total := 0
	for _, n := range numbers {
		total += n
	}
	return total
}

// tooMany says how many ranks there may be, and where.
func (m *mapping) tooMany() error {
	ranks, hosts := count(m.ranks, "rank"), count(len(m.hosts), "host")
	switch {
	case m.perUnit > 0:
		return fmt.Errorf("%s, and %s on %s makes %d: expected no more", ranks, m.MapBy, hosts, sum(m.most))
	case m.PerHost > 0:
		return fmt.Errorf("%s, and %d each on %s makes %d: expected no more", ranks, m.PerHost, hosts, sum(m.most))
	}
	limits, least := make([]int, len(m.hosts)), 0
	for i := range limits {
		if limits[i] = m.limit(i); limits[i] < limits[least] {
			least = i
		}
	}
	each := max((m.ranks+len(m.hosts)-1)/len(m.hosts), limits[least]+1)
	return fmt.Errorf("%s on %s (%s): %s", ranks, count(sum(limits), "slot"), m.where(limits), m.mend(least, each))
}

// mend says how a host could have n ranks.
func (m *mapping) mend(host, n int) string {
	if m.Oversubscribe {
		return "expected no more than max_slots"
	}
	h := hostfile.Host{Name: m.hosts[host].Name, Slots: n, Counted: true}
	return fmt.Sprintf("expected fewer ranks, more slots as in %s, or --oversubscribe", h)
}

// where lists hosts with their numbers, those in a row that have the same together.
func (m *mapping) where(numbers []int) string {
	var parts []string
	for i := 0; i < len(numbers); {
		var names []string
		j := i
		for ; j < len(numbers) && numbers[j] == numbers[i]; j++ {
			names = append(names, m.hosts[j].Name)
		}
		part := fmt.Sprintf("%s: %d", hostfile.Compress(names), numbers[i])
		if len(names) > 1 {
			part += " each"
		}
		parts = append(parts, part)
		i = j
	}
	return clip(strings.Join(parts, ", "))
}

// order returns the hosts of the n ranks that no rank file places, in the order of
// these ranks.
func (m *mapping) order(counts []int, n int) []int {
	order := make([]int, 0, n)
	if m.RankBy == "slot" || m.RankBy == "" && m.MapBy != "node" {
		for i, c := range counts {
			order = append(order, slices.Repeat([]int{i}, c)...)
		}
		return order
	}
	var open, still []int
	left := slices.Clone(counts)
	for i, c := range counts {
		if c > 0 {
			open = append(open, i)
		}
	}
	for ; len(open) > 0; open, still = still, open[:0] {
		for _, i := range open {
			order = append(order, i)
			if left[i]--; left[i] > 0 {
				still = append(still, i)
			}
		}
	}
	return order
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
