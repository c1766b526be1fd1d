package agent

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
)

// memoryState is what a memory cgroup says about its limit.
type memoryState struct {
	group string // directory; empty: unknown
	kills int64  // processes that the OOM killer ended in it; -1 unknown
	limit int64  // bytes; 0 none
}

// memoryMounts are the directories where memory cgroups of either version are.
type memoryMounts struct{ v1, v2 string }

var findMounts = sync.OnceValue(func() memoryMounts {
	var m memoryMounts
	data, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(data)) {
		before, after, ok := strings.Cut(line, " - ")
		fields, kind := strings.Fields(before), strings.Fields(after)
		if !ok || len(fields) < 5 || len(kind) < 3 {
			continue
		}
		switch {
		case kind[0] == "cgroup2":
			m.v2 = fields[4]
		case kind[0] == "cgroup" && strings.Contains(","+kind[2]+",", ",memory,"):
			m.v1 = fields[4]
		}
	}
	return m
})

// cgroupOf returns the directory of the memory cgroup of process pid, which may
// be a zombie; empty if there is none to be seen.
func cgroupOf(pid int) string {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if err != nil {
		return ""
	}
	mounts, group := findMounts(), ""
	for line := range strings.Lines(string(data)) {
		part := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(part) != 3 {
			continue
		}
		switch {
		case mounts.v1 != "" && strings.Contains(","+part[1]+",", ",memory,"):
			return mounts.v1 + part[2]
		case mounts.v2 != "" && part[0] == "0" && part[1] == "":
			group = mounts.v2 + part[2]
		}
	}
	return group
}

func readMemoryState(group string) memoryState {
	s := memoryState{group: group, kills: -1}
	if group == "" {
		return s
	}
	for _, name := range []string{"/memory.events", "/memory.oom_control"} {
		data, err := os.ReadFile(group + name)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(data)) {
			if n, ok := strings.CutPrefix(line, "oom_kill "); ok {
				s.kills = parseBytes(n)
			}
		}
	}
	for _, name := range []string{"/memory.max", "/memory.limit_in_bytes"} {
		if data, err := os.ReadFile(group + name); err == nil {
			s.limit = parseBytes(string(data))
			break
		}
	}
	if s.limit > 1<<60 {
		s.limit = 0 // version 1 writes "none" as a number
	}
	return s
}

func parseBytes(s string) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil {
		return 0 // "max"
	}
	return n
}

// memoryLog remembers how often the OOM killer had struck in each cgroup where
// a rank was seen.
type memoryLog map[string]int64

// seen notes the state of a cgroup before anything happened there.
func (l memoryLog) seen(s memoryState) {
	if _, ok := l[s.group]; !ok && s.kills >= 0 {
		l[s.group] = s.kills
	}
}

// verdict says whether a process that SIGKILL ended in state s was killed for
// memory; empty if not. A cgroup not seen before was made for the process.
func (l memoryLog) verdict(s memoryState, peakBytes int64) string {
	before := l[s.group]
	if s.kills <= before {
		return ""
	}
	text := fmt.Sprintf("oom_kill %d→%d", before, s.kills)
	if s.limit > 0 {
		text += ", limit " + mebibytes(s.limit)
	}
	return text + ", largest resident set " + mebibytes(peakBytes)
}

func mebibytes(n int64) string { return fmt.Sprintf("%.4g MiB", float64(n)/(1<<20)) }
