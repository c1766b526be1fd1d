package agent

import (
	"os"
	"path/filepath"
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

// usableCPUs is how many CPUs the host's ranks can keep busy, in hundredths:
// those of the affinity mask, or fewer if a cgroup limits their time.
func usableCPUs() int {
	usable := 100 * runtime.NumCPU()
	if top, dir := cgroupOf(os.Getpid(), "cpu"); dir != "" {
		if quota := cpuQuota(top, dir); quota > 0 {
			usable = min(usable, quota)
		}
	}
	return usable
}

// cpuQuota returns the CPU time that the cgroup at dir and those above it, up to
// top, leave a process, in hundredths of a CPU; 0 if there is no limit.
func cpuQuota(top, dir string) int {
	tightest := 0
	for {
		if q := readQuota(dir); q > 0 && (tightest == 0 || q < tightest) {
			tightest = q
		}
		if dir == top || len(dir) <= len(top) {
			return tightest
		}
		dir = filepath.Dir(dir)
	}
}

// readQuota returns the limit of one cgroup of either version; 0 if it has none.
func readQuota(dir string) int {
	var text string
	if data, err := os.ReadFile(dir + "/cpu.max"); err == nil {
		text = string(data)
	} else {
		quota, _ := os.ReadFile(dir + "/cpu.cfs_quota_us")
		period, _ := os.ReadFile(dir + "/cpu.cfs_period_us")
		text = string(quota) + " " + string(period)
	}
	f := strings.Fields(text)
	if len(f) != 2 {
		return 0
	}
	quota, err1 := strconv.ParseInt(f[0], 10, 64) // "max" and -1 are no limit
	period, err2 := strconv.ParseInt(f[1], 10, 64)
	if err1 != nil || err2 != nil || quota <= 0 || period <= 0 {
		return 0
	}
	return int(max(1, min(100*float64(quota)/float64(period), 1e9)))
}

// ceil returns a/b rounded up.
func ceil(a, b int) int { return (a + b - 1) / b }

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
