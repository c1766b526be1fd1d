package agent

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// A mount is where a cgroup hierarchy is to be seen: the part of it below root, at
// dir. A container may see a part only.
type mount struct{ root, dir string }

// cgroupMounts are the hierarchies of this host: of version 1 by controller, of
// version 2 the one that there is, under the empty name.
var cgroupMounts = sync.OnceValue(func() map[string]mount {
	data, _ := os.ReadFile("/proc/self/mountinfo")
	return parseMounts(string(data))
})

func parseMounts(mountinfo string) map[string]mount {
	found := make(map[string]mount)
	for line := range strings.Lines(mountinfo) {
		before, after, ok := strings.Cut(line, " - ")
		fields, kind := strings.Fields(before), strings.Fields(after)
		if !ok || len(fields) < 5 || len(kind) < 3 {
			continue
		}
		m := mount{fields[3], fields[4]}
		switch kind[0] {
		case "cgroup2":
			found[""] = m
		case "cgroup":
			for controller := range strings.SplitSeq(kind[2], ",") {
				found[controller] = m
			}
		}
	}
	return found
}

// cgroupOf returns where the hierarchy with this controller is mounted and the
// directory in it of process pid, which may be a zombie; empty if there is none
// to be seen.
func cgroupOf(pid int, controller string) (top, dir string) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if err != nil {
		return "", ""
	}
	return findCgroup(string(data), cgroupMounts(), controller)
}

// findCgroup looks a controller up in the contents of a /proc/PID/cgroup. A host
// with both versions has it in one of them, and version 1 is asked first.
func findCgroup(text string, mounts map[string]mount, controller string) (top, dir string) {
	for line := range strings.Lines(text) {
		part := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(part) != 3 {
			continue
		}
		name := controller
		switch {
		case strings.Contains(","+part[1]+",", ","+controller+","):
		case part[0] == "0" && part[1] == "" && dir == "":
			name = ""
		default:
			continue
		}
		m, ok := mounts[name]
		if !ok {
			continue
		}
		path := part[2]
		if below, ok := strings.CutPrefix(path, m.root); ok {
			path = below
		}
		top, dir = m.dir, filepath.Join(m.dir, path)
		if name == controller {
			break
		}
	}
	return top, dir
}

// memoryGroup returns the directory of the memory cgroup of process pid, which
// may be a zombie; empty if there is none to be seen.
func memoryGroup(pid int) string {
	_, dir := cgroupOf(pid, "memory")
	return dir
}
