package place

import (
	"errors"
	"fmt"
	"slices"
)

// bind binds the ranks that no rank file has bound.
func (m *mapping) bind(places []Place) error {
	to := unit(m.BindTo)
	switch to {
	case "", "none":
		return nil
	case core, hwthread, socket, numa, l3cache:
	default:
		return fmt.Errorf("binding to %.40q: expected none, core, hwthread, socket, numa or l3cache", m.BindTo)
	}
	ranks := make([][]*Place, len(m.hosts))
	for i := range places {
		if p := &places[i]; p.CPUs == nil {
			ranks[p.Host] = append(ranks[p.Host], p)
		}
	}
	for i, h := range m.hosts {
		if len(ranks[i]) == 0 {
			continue
		}
		if err := h.tells(to); err != nil {
			return fmt.Errorf("binding to %s: %w", to, err)
		}
		units, _ := h.Topology.units(m.unit)
		for u, mine := range m.dealt(ranks[i], len(units)) {
			for k, p := range mine {
				p.CPUs = h.Topology.bound(to, units[u], k, len(mine))
			}
		}
	}
	return nil
}

// tells returns nil if it is known which unit each core of the host belongs to.
func (h *Host) tells(u unit) error {
	if h.Topology == nil {
		return fmt.Errorf("the topology of host %s is not known before the job starts there", h.Name)
	}
	if _, ok := h.Topology.units(u); !ok {
		return fmt.Errorf("host %s does not tell which %s its cores belong to", h.Name, u)
	}
	return nil
}

// dealt returns the ranks of each of a host's units.
func (m *mapping) dealt(ranks []*Place, units int) [][]*Place {
	dealt := make([][]*Place, units)
	for j, p := range ranks {
		u := j % units
		if m.perUnit > 0 {
			u = min(j/m.perUnit, units-1)
		}
		dealt[u] = append(dealt[u], p)
	}
	return dealt
}

// bound returns the CPUs of the k-th of n ranks which share these cores.
func (t *Topology) bound(to unit, cores []Core, k, n int) []int {
	share := part(cores, k, n)
	switch to {
	case core:
		return sorted(cpus(share))
	case hwthread:
		return part(cpus(cores), k, n)[:1]
	}
	whole, _ := t.units(to)
	i := slices.IndexFunc(whole, func(u []Core) bool { return to.of(u[0]) == to.of(share[0]) })
	return sorted(cpus(whole[i]))
}

// part returns the share of the k-th of n: neighbours, in equal numbers, or one in
// turn where n is more than there are.
func part[T any](all []T, k, n int) []T {
	if c := len(all); n <= c {
		return all[k*c/n : (k+1)*c/n]
	}
	k %= len(all)
	return all[k : k+1]
}

// cpus returns the CPUs of cores, one core after the other.
func cpus(cores []Core) []int {
	var all []int
	for _, c := range cores {
		all = append(all, c.CPUs...)
	}
	return all
}

// pinnedCPUs returns the CPUs that a line of the rank file names.
func (h *Host) pinnedCPUs(socket int, numbers []int) ([]int, error) {
	t := h.Topology
	switch {
	case socket < 0 && numbers == nil:
		return nil, nil
	case socket >= 0 && t == nil:
		return nil, errors.New("the host's sockets are not known before the job starts there: expected the system's numbers of CPUs, as in slot=4,6-7")
	case socket >= 0:
		return t.ofSocket(socket, numbers)
	}
	numbers = sorted(slices.Clone(numbers))
	if t == nil {
		return numbers, nil // the host will see
	}
	all := sorted(cpus(t.Cores))
	for _, n := range numbers {
		if _, ok := slices.BinarySearch(all, n); !ok {
			return nil, fmt.Errorf("there is no CPU %d on the host, or it may not be used", n)
		}
	}
	return numbers, nil
}

// ofSocket returns the CPUs of a socket's cores, which are numbered from 0; of all
// of them if numbers is nil.
func (t *Topology) ofSocket(number int, numbers []int) ([]int, error) {
	var cores []Core
	for _, c := range t.Cores {
		if c.Socket == number {
			cores = append(cores, c)
		}
	}
	switch {
	case len(cores) == 0:
		return nil, fmt.Errorf("there is no socket %d on the host, or it may not be used", number)
	case numbers == nil:
		return sorted(cpus(cores)), nil
	}
	var named []Core
	for _, n := range numbers {
		if n >= len(cores) {
			return nil, fmt.Errorf("core %d of socket %d, which has %s, counted from 0", n, number, count(len(cores), "core"))
		}
		named = append(named, cores[n])
	}
	return sorted(cpus(named)), nil
}

func sorted(numbers []int) []int {
	slices.Sort(numbers)
	return slices.Compact(numbers)
}
