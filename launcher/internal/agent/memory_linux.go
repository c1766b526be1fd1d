package agent

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// memoryState is what a memory cgroup says about its limit.
type memoryState struct {
	group string // directory; empty: unknown
	kills int64  // processes that the OOM killer ended in it; -1 unknown
	limit int64  // bytes; 0 none
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

// seen notes the state of a cgroup before anything happened there. It is read
// once: the ranks of a host are mostly in one.
func (l memoryLog) seen(group string, read func(group string) memoryState) {
	if _, ok := l[group]; ok {
		return
	}
	if s := read(group); s.kills >= 0 {
		l[group] = s.kills
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
