package agent

import (
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// cores returns the cores that the agent may use, each as the logical CPUs it
// has.
func cores() [][]int {
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) != nil {
		return nil
	}
	var found [][]int
	index := make(map[string]int)
	for cpu := range len(set) * 64 {
		if !set.IsSet(cpu) {
			continue
		}
		name := "cpu" + strconv.Itoa(cpu)
		if data, err := os.ReadFile("/sys/devices/system/cpu/" + name + "/topology/thread_siblings_list"); err == nil {
			name = strings.TrimSpace(string(data))
		}
		i, ok := index[name]
		if !ok {
			i = len(found)
			index[name] = i
			found = append(found, nil)
		}
		found[i] = append(found[i], cpu)
	}
	return found
}

// usableCPUs is how many CPUs the host's ranks can keep busy: those of the
// affinity mask, or fewer if a cgroup limits their time, which the Go runtime
// knows unless the user told it a number.
func usableCPUs() int {
	if os.Getenv("GOMAXPROCS") == "" {
		return runtime.GOMAXPROCS(0)
	}
	return runtime.NumCPU()
}

// place returns the CPUs of the i-th of n ranks: neighbouring cores in equal
// shares, or one core in turn where ranks exceed cores.
func place(cores [][]int, i, n int) []int {
	c := len(cores)
	if c == 0 {
		return nil
	}
	if n > c {
		return cores[i%c]
	}
	var cpus []int
	for _, core := range cores[i*c/n : (i+1)*c/n] {
		cpus = append(cpus, core...)
	}
	return cpus
}

func cpuSet(cpus []int) *unix.CPUSet {
	set := new(unix.CPUSet)
	for _, cpu := range cpus {
		set.Set(cpu)
	}
	return set
}
