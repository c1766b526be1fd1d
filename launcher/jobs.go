package launcher

import (
	"errors"
	"slices"
	"strings"
	"time"
)

// JobStatus is a job that runs, as its launcher shows it to other processes of the same
// user. A job is seen on the host where its launcher runs.
type JobStatus struct {
	Job     string        `json:"job"`     // identifier, 32 hexadecimal digits
	PID     int           `json:"pid"`     // of the launcher
	Command []string      `json:"command"` // the launcher's command line; cut if it is long
	Ranks   int           `json:"ranks"`
	Joined  int           `json:"joined"` // ranks that have joined so far
	Hosts   []HostRanks   `json:"hosts"`
	State   string        `json:"state"` // "reaching" hosts, "starting" ranks, "running", "ending", or "stopped" like a process
	Start   time.Time     `json:"start"`
	Grace   time.Duration `json:"grace_ns"` // between SIGTERM and SIGKILL when it is ended

	handle jobHandle
}

// HostRanks is the ranks of a host.
type HostRanks struct {
	Host  string `json:"host"`
	Ranks string `json:"ranks"` // as "0-3,8"
}

// States of a job.
const (
	JobReaching = "reaching"
	JobStarting = "starting"
	JobRunning  = "running"
	JobEnding   = "ending"
	JobStopped  = "stopped"
)

// Stacks is what the ranks of a job answer when they are asked for the stacks of their
// goroutines.
type Stacks struct {
	Job    string       `json:"job"`
	Ranks  []RankStacks `json:"ranks"`            // that were asked
	Groups []StackGroup `json:"groups,omitempty"` // those of the user's own program first
	More   int          `json:"more,omitempty"`   // goroutines that are in no group, for want of room
	Text   string       `json:"text,omitempty"`   // if one rank was asked: all of what it has answered
}

// RankStacks is how one rank has answered.
type RankStacks struct {
	Rank       int    `json:"rank"`
	Host       string `json:"host"`
	PID        int    `json:"pid"`
	Goroutines int    `json:"goroutines,omitempty"`
	Error      string `json:"error,omitempty"` // why it has not
}

// StackGroup is goroutines that stand at the same place: their stacks are the same but for
// numbers, addresses, arguments, and how long they have waited.
type StackGroup struct {
	Ranks      []int  `json:"ranks"`
	Goroutines int    `json:"goroutines"`
	State      string `json:"state"`
	Stack      string `json:"stack"`   // two lines a frame
	Library    bool   `json:"library"` // all of it is in Muster and other libraries
}

// HostOf returns the host of a rank.
func (s *Stacks) HostOf(rank int) string {
	i := slices.IndexFunc(s.Ranks, func(x RankStacks) bool { return x.Rank == rank })
	if i < 0 {
		return ""
	}
	return s.Ranks[i].Host
}

// RankList writes the ranks of the group as "0-3,8".
func (g *StackGroup) RankList() string { return ranges(g.Ranks) }

// ErrJobGone is that a job has ended.
var ErrJobGone = errors.New("it has ended")

const maxCommand = 8 << 10 // bytes of a command line that are shown

// shortCommand cuts a command line to what is shown of it.
func shortCommand(argv []string) []string {
	var short []string
	room := maxCommand
	for _, arg := range argv {
		if len(arg) >= room {
			return append(short, strings.ToValidUTF8(arg[:room], "")+"…")
		}
		room -= len(arg) + 1
		short = append(short, strings.ToValidUTF8(arg, "?"))
	}
	return short
}
