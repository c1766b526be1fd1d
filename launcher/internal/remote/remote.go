// Package remote reaches other hosts by a remote shell (ssh, srun, or what the
// user names), brings the muster binary there if it is missing, and starts an
// agent whose standard input and output are the other end of a connection here.
//
// So far the launcher has to run on Linux too. Nothing is expected of the host but a
// POSIX shell, uname, ls, mkdir, chmod, mv, rm, wc, find and head. Nothing listens
// for this, here or there; what the connection carries is as safe as the remote
// shell.
package remote

import (
	"fmt"
	"strings"
	"time"
)

// A Stage of starting an agent. Errors name the one that failed.
type Stage string

const (
	StageShell Stage = "ssh"   // until the remote shell has let us in
	StageProbe Stage = "probe" // until the host has said what it is
	StageStage Stage = "stage" // until the agent's binary is there
	StageAgent Stage = "agent" // until the agent runs
)

// Stages lists them in their order.
var Stages = []Stage{StageShell, StageProbe, StageStage, StageAgent}

// Options of Start.
type Options struct {
	Host    string // as the remote shell knows it
	User    string // ssh only; empty: as ssh's configuration says
	Port    int    // ssh only; 0: as ssh's configuration says
	Shell   Shell  // zero: SSH()
	Agent   AgentBinary
	Timeout time.Duration // to be let in and answered; later for each answer, and for staging without progress; 0: 10 s
	OnStage func(Stage)   // called when a stage begins, from any goroutine; may be nil

	// Stderr takes what the remote shell and the agent say on standard error, line
	// by line, from when the agent runs; what is said before belongs to errors.
	// May be nil. Called from one goroutine.
	Stderr func(line string)
}

const defaultTimeout = 10 * time.Second

// Info is what a host has said of itself.
type Info struct {
	OS       string // as uname says: Linux
	Arch     string // in Go's words: amd64
	Machine  string // as uname says: x86_64
	Kernel   string
	Hostname string
	Home     string
	Bytes    int64  // size of the agent's binary
	Cached   bool   // it was there already
	Uncached string // why the cache could not be used; the binary lay in a temporary directory
}

// An Error says why there is no agent on a host.
type Error struct {
	Host    string
	Stage   Stage
	What    string   // a sentence without a full stop
	Command string   // shows the user the same; may be empty
	Stderr  []string // the last lines of standard error
	Err     error    // the cause, if there is one in Go
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "host %s: %s", e.Host, e.What)
	if n := len(e.Stderr); n > 0 {
		fmt.Fprintf(&b, ": %q", e.Stderr[n-1])
	}
	fmt.Fprintf(&b, " (stage %s)", e.Stage)
	if e.Command != "" {
		fmt.Fprintf(&b, "; to see it, run: %s", e.Command)
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }
