package agent

import (
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/muster-mpi/muster/launcher/internal/proctree"
	pb "github.com/muster-mpi/muster/proto"
	"golang.org/x/sys/unix"
)

// threadsBeside is about how many threads a rank, and what the agent does for it, have
// beside those that compute.
const threadsBeside = 10

// Examine tries what ranks use, and reads what limits them.
func (s *server) Examine(_ context.Context, m *pb.ExamineHost) (*pb.Findings, error) {
	usable := usableCPUs()
	ranks := int(m.GetRanks())
	if ranks <= 0 {
		ranks = ceil(usable, 100)
	}
	f := &pb.Findings{
		Ranks: int32(ranks),
		Os:    runtime.GOOS, Arch: runtime.GOARCH, ByteOrder: byteOrder(),
		DescriptorsNeeded: int64(descriptors(ranks)),
		CpusAllowed:       int32(runtime.NumCPU()), CpusUsable: int32(usable), Gomaxprocs: os.Getenv("GOMAXPROCS"),
		ProcsPerRank: int32(max(1, ceil(usable, 100)/ranks)),
		Load:         parseLoad(readText("/proc/loadavg")),
		CpusOnline:   int32(countCPUs(readText("/sys/devices/system/cpu/online"))),
		Probes:       probeSystem(), Store: examineStore(),
		Init: strings.TrimSpace(readText("/proc/1/comm")),
	}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		f.Kernel = unix.ByteSliceToString(u.Release[:])
	}
	f.Limits = limits()
	f.ThreadsNeeded = int64(ranks) * int64(f.ProcsPerRank+threadsBeside)
	own := parseStatus(readText("/proc/self/status"))
	f.ThreadsUnlimited, f.Filtered = own.mayExceed && initialUsers(readText("/proc/self/uid_map")), own.filtered
	f.ThreadsRunning = threadsOf(os.Geteuid())
	f.PidsCurrent, f.PidsMax = pidsLeft(cgroupOf(os.Getpid(), "pids"))
	f.PortFirst, f.PortLast = parsePorts(readText("/proc/sys/net/ipv4/ip_local_port_range"))
	f.Zombies = int32(abandonedZombies())
	return f, nil
}

func byteOrder() string {
	if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
		return "little"
	}
	return "big"
}

// readText returns what a file of the system says; empty if it cannot be read.
func readText(path string) string {
	data, _ := os.ReadFile(path)
	return string(data)
}

// limits returns the resource limits that ranks inherit.
func limits() []*pb.Limit {
	var list []*pb.Limit
	for _, l := range []struct {
		name     string
		resource int
	}{
		{"NOFILE", unix.RLIMIT_NOFILE}, {"NPROC", unix.RLIMIT_NPROC}, {"MEMLOCK", unix.RLIMIT_MEMLOCK}, {"CORE", unix.RLIMIT_CORE},
	} {
		var r unix.Rlimit
		if unix.Getrlimit(l.resource, &r) == nil {
			list = append(list, &pb.Limit{Name: l.name, Soft: limited(r.Cur), Hard: limited(r.Max)})
		}
	}
	return list
}

// limited is -1 for no limit.
func limited(n uint64) int64 {
	if n > 1<<62 {
		return -1
	}
	return int64(n)
}

// processStatus is what /proc/PID/status says of a process.
type processStatus struct {
	uid       int // the effective one; -1 unknown
	threads   int64
	mayExceed bool // it has capabilities by which RLIMIT_NPROC does not hold for it
	filtered  bool // by seccomp
}

func parseStatus(text string) processStatus {
	s := processStatus{uid: -1}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(line, ":")
		fields := strings.Fields(value)
		if len(fields) == 0 {
			continue
		}
		switch name {
		case "Uid":
			if len(fields) > 1 {
				if uid, err := strconv.Atoi(fields[1]); err == nil {
					s.uid = uid
				}
			}
		case "Threads":
			s.threads = parseBytes(fields[0])
		case "CapEff":
			caps, err := strconv.ParseUint(fields[0], 16, 64)
			s.mayExceed = err == nil && caps&(1<<unix.CAP_SYS_RESOURCE|1<<unix.CAP_SYS_ADMIN) != 0
		case "Seccomp":
			s.filtered = fields[0] == "2"
		}
	}
	return s
}

// initialUsers reports whether users are what they seem: root of a container's own users has
// capabilities that count for little outside.
func initialUsers(uidMap string) bool {
	f := strings.Fields(uidMap)
	return len(f) == 3 && f[0] == "0" && f[1] == "0" && f[2] == "4294967295"
}

// threadsOf counts the threads of a user's processes.
func threadsOf(uid int) (n int64) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0
	}
	for _, e := range entries {
		if name := e.Name(); name[0] < '0' || name[0] > '9' {
			continue
		}
		if s := parseStatus(readText("/proc/" + e.Name() + "/status")); s.uid == uid {
			n += s.threads
		}
	}
	return n
}

// parseLoad returns the load average of a minute that /proc/loadavg gives.
func parseLoad(text string) float64 {
	first, _, _ := strings.Cut(text, " ")
	load, err := strconv.ParseFloat(first, 64)
	if err != nil || load < 0 {
		return 0
	}
	return load
}

// countCPUs counts a list as in /sys/devices/system/cpu/online, such as 0-3,6. What
// cannot be read is no CPU.
func countCPUs(text string) (n int) {
	for part := range strings.SplitSeq(strings.TrimSpace(text), ",") {
		first, last, span := strings.Cut(part, "-")
		if !span {
			last = first
		}
		a, err1 := strconv.Atoi(first)
		b, err2 := strconv.Atoi(last)
		if err1 == nil && err2 == nil && a <= b {
			n += b - a + 1
		}
	}
	return n
}

// parsePorts reads the range of ports that the kernel takes from.
func parsePorts(text string) (first, last int32) {
	f := strings.Fields(text)
	if len(f) != 2 {
		return 0, 0
	}
	a, err1 := strconv.ParseUint(f[0], 10, 16)
	b, err2 := strconv.ParseUint(f[1], 10, 16)
	if err1 != nil || err2 != nil {
		return 0, 0
	}
	return int32(a), int32(b)
}

// pidsLeft returns state and limit of that cgroup, of the one at dir and those above
// it up to top, which lets fewest processes more begin. The limit is -1 if none has any.
func pidsLeft(top, dir string) (current, limit int64) {
	limit = -1
	for dir != "" {
		text := strings.TrimSpace(readText(dir + "/pids.max"))
		if most, err := strconv.ParseInt(text, 10, 64); err == nil {
			if now := parseBytes(readText(dir + "/pids.current")); limit < 0 || most-now < limit-current {
				current, limit = now, most
			}
		}
		if dir == top || len(dir) <= len(top) {
			break
		}
		dir = filepath.Dir(dir)
	}
	return current, limit
}

// zombieWait is time enough for a process 1 that does its duty.
const zombieWait = 100 * time.Millisecond

// abandonedZombies counts the dead whose parent is process 1, which leaves them lying:
// those that are there at two looks.
func abandonedZombies() int {
	before := make(map[int]bool)
	look := func() (n int) {
		for _, p := range proctree.All() {
			if p.Parent == 1 && p.State == 'Z' {
				if before[p.PID] {
					n++
				}
				before[p.PID] = true
			}
		}
		return n
	}
	look()
	if len(before) == 0 {
		return 0
	}
	time.Sleep(zombieWait)
	return look()
}
