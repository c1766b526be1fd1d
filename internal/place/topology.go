package place

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/muster-mpi/muster/internal/hostfile"
)

// A Topology is what processors a host has, as far as this process may use them.
type Topology struct {
	Cores []Core // in the order of their first CPUs
}

// A Core is one core. Sockets, NUMA domains and third-level caches are numbered
// from 0 in the order of their first CPUs; -1 is one that the system does not
// tell.
type Core struct {
	CPUs             []int // the system's numbers, of the core's hardware threads
	Socket, NUMA, L3 int
}

// ReadTopology reads Linux's description of the host it runs on.
func ReadTopology(readFile func(name string) ([]byte, error)) (*Topology, error) {
	read := func(name string) (string, bool) {
		data, err := readFile(name)
		return strings.TrimSpace(string(data)), err == nil
	}
	const cpus = "/sys/devices/system/cpu"
	text, _ := read(cpus + "/online")
	online, ok := hostfile.Numbers(text)
	if !ok {
		return nil, fmt.Errorf("the topology of this host is not known: %s/online holds %.40q: expected numbers such as 0-7", cpus, text)
	}
	status, _ := read("/proc/self/status")
	allowed := allowedCPUs(status)

	numa := numaNodes(read)
	var t Topology
	core, socket, node, l3 := make(numbering), make(numbering), make(numbering), make(numbering)
	for _, cpu := range online {
		dir := fmt.Sprintf("%s/cpu%d", cpus, cpu)
		siblings, ok := read(dir + "/topology/thread_siblings_list")
		if !ok {
			siblings = strconv.Itoa(cpu)
		}
		// Numbered whether or not they may be used, so that a number means the same
		// in every process.
		c := Core{Socket: -1, NUMA: -1, L3: -1}
		if id, ok := read(dir + "/topology/physical_package_id"); ok && id != "-1" {
			c.Socket = socket.of(id)
		}
		if id, ok := numa[cpu]; ok {
			c.NUMA = node.of(id)
		}
		if shared, ok := thirdLevel(read, dir); ok {
			c.L3 = l3.of(shared)
		}
		if allowed != nil && !slices.Contains(allowed, cpu) {
			continue
		}
		i := core.of(siblings)
		if i == len(t.Cores) {
			t.Cores = append(t.Cores, c)
		}
		t.Cores[i].CPUs = append(t.Cores[i].CPUs, cpu)
	}
	if len(t.Cores) == 0 {
		return nil, fmt.Errorf("the topology of this host is not known: none of its CPUs %s may be used", text)
	}
	return &t, nil
}

// A numbering gives names numbers, in the order in which they come.
type numbering map[string]int

func (n numbering) of(name string) int {
	i, ok := n[name]
	if !ok {
		i = len(n)
		n[name] = i
	}
	return i
}

// allowedCPUs reads the affinity of a process; nil if it is not told.
func allowedCPUs(status string) []int {
	for line := range strings.Lines(status) {
		if list, ok := strings.CutPrefix(line, "Cpus_allowed_list:"); ok {
			cpus, _ := hostfile.Numbers(strings.TrimSpace(list))
			return cpus
		}
	}
	return nil
}

// numaNodes returns the NUMA node of each CPU.
func numaNodes(read func(string) (string, bool)) map[int]string {
	of := make(map[int]string)
	const dir = "/sys/devices/system/node"
	text, _ := read(dir + "/online")
	nodes, _ := hostfile.Numbers(text)
	for _, node := range nodes {
		list, _ := read(fmt.Sprintf("%s/node%d/cpulist", dir, node))
		cpus, _ := hostfile.Numbers(list) // none, of a node that has memory only
		for _, cpu := range cpus {
			of[cpu] = strconv.Itoa(node)
		}
	}
	return of
}

// thirdLevel returns the CPUs that share a third-level cache with the one in dir.
func thirdLevel(read func(string) (string, bool), dir string) (string, bool) {
	const most = 16
	for i := range most {
		cache := fmt.Sprintf("%s/cache/index%d", dir, i)
		level, ok := read(cache + "/level")
		if !ok {
			return "", false
		}
		if level == "3" {
			return read(cache + "/shared_cpu_list")
		}
	}
	return "", false
}

// A unit is a part of a host that ranks are dealt to or bound to.
type unit string

const (
	node     unit = "node"
	socket   unit = "socket"
	numa     unit = "numa"
	l3cache  unit = "l3cache"
	core     unit = "core"
	hwthread unit = "hwthread"
)

// of returns which of the host's units of this kind the core belongs to; -1 if
// that is not known.
func (u unit) of(c Core) int {
	switch u {
	case socket:
		return c.Socket
	case numa:
		return c.NUMA
	case l3cache:
		return c.L3
	}
	return 0 // the host is one
}

// units returns the cores of each unit that has some, in the order of the units.
// ok is false if the topology does not tell them.
func (t *Topology) units(u unit) (cores [][]Core, ok bool) {
	for _, c := range t.Cores {
		i := u.of(c)
		if i < 0 {
			return nil, false
		}
		for len(cores) <= i {
			cores = append(cores, nil)
		}
		cores[i] = append(cores[i], c)
	}
	return slices.DeleteFunc(cores, func(c []Core) bool { return c == nil }), true
}
