// Package proctree finds the processes below a process and kills exactly those.
// A process that changes its group and its session, or whose parent ends, is
// still found as long as the process above it is a child subreaper.
package proctree

import (
	"bytes"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Process is an entry of the system's process table.
type Process struct {
	PID, Parent, Group, Session int
	State                       byte // as in /proc/PID/stat
	start                       uint64
}

// Read returns the entry of process pid, false if there is none.
func Read(pid int) (Process, bool) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return Process{}, false
	}
	return parseStat(data)
}

// parseStat reads the line of /proc/PID/stat. The program's name in it may hold
// any character, so the fields are counted from its last parenthesis.
func parseStat(data []byte) (Process, bool) {
	open := bytes.IndexByte(data, '(')
	end := bytes.LastIndexByte(data, ')')
	if open < 1 || end < open {
		return Process{}, false
	}
	fields := bytes.Fields(data[end+1:])
	if len(fields) < 20 {
		return Process{}, false
	}
	number := func(b []byte) int {
		n, err := strconv.Atoi(string(b))
		if err != nil {
			return -1
		}
		return n
	}
	start, err := strconv.ParseUint(string(fields[19]), 10, 64)
	p := Process{
		PID:     number(bytes.TrimSpace(data[:open])),
		State:   fields[0][0],
		Parent:  number(fields[1]),
		Group:   number(fields[2]),
		Session: number(fields[3]),
		start:   start,
	}
	return p, err == nil && p.PID > 0 && p.Parent >= 0
}

// All returns every process that this one can see. It costs three system calls
// a process.
func All() []Process {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1) // what was read before an error is still true
	var all []Process
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if p, ok := Read(pid); ok {
			all = append(all, p)
		}
	}
	return all
}

// Below returns those of all that descend from a process for which root is true,
// the roots not included. Zombies are left out: they are their parent's to reap.
func Below(all []Process, root func(Process) bool) []Process {
	children := make(map[int][]Process)
	for _, p := range all {
		children[p.Parent] = append(children[p.Parent], p)
	}
	var found []Process
	seen := make(map[int]bool)
	var walk func(pid int)
	walk = func(pid int) {
		for _, c := range children[pid] {
			if seen[c.PID] {
				continue // the table changed while it was read
			}
			seen[c.PID] = true
			if c.State != 'Z' && c.State != 'X' {
				found = append(found, c)
			}
			walk(c.PID)
		}
	}
	for _, p := range all {
		if root(p) {
			walk(p.PID)
		}
	}
	return found
}

// Kill sends SIGKILL to p and to no other process, even if p has ended and its
// number was given to another. It reports whether p was there.
func (p Process) Kill() bool {
	if p.PID <= 1 {
		return false
	}
	fd, err := unix.PidfdOpen(p.PID, 0)
	if err != nil && err != unix.ENOSYS && err != unix.EPERM {
		return false
	}
	// The descriptor holds on to whoever has the number now; that it is p shows
	// the time at which it was started.
	now, ok := Read(p.PID)
	same := ok && now.start == p.start
	if err != nil {
		// A kernel or a filter without pidfd: the number could change hands
		// between the look and the signal, which takes a wrap of all numbers.
		return same && unix.Kill(p.PID, unix.SIGKILL) == nil
	}
	defer unix.Close(fd)
	return same && unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0) == nil
}

// Environ returns the environment that process pid was started with; nil if it
// may not be read.
func Environ(pid int) [][]byte {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return nil
	}
	return bytes.Split(data, []byte{0})
}
