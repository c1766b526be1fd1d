// Package launcher starts the ranks of a job, watches them, and ends them.
package launcher

import (
	"io"
	"os"
	"time"
)

// Job says what to run and how. The zero value of every field is the default.
type Job struct {
	Apps []App // programs in rank order; more than one is MPMD

	Hosts     []Host  // nil: this machine alone
	Placement []int   // by rank: index of its host in Hosts; nil: all on the first
	CPUs      [][]int // by rank: CPUs that it is bound to; nil, or nil for a rank: as BindTo says

	// Shell is the command by which another host is reached: it is given the host's
	// name and one command line, and connects that command's standard input and output
	// with its own. Nil: ssh.
	Shell      []string
	Iface      string        // restricts connections between hosts to this interface of each; empty: those that lead to the others
	Subnet     string        // and to addresses in this network
	Via        string        // how ranks of different hosts are linked: "tcp" (default), or "ssh": by way of the launcher, without a port
	NetTimeout time.Duration // how long a host that does not answer is waited for; 0: 3.5 s
	Timing     bool          // show how long each step of the start took, from where programs came, and how much ranks waited

	Stdin     io.Reader // read by the ranks StdinTo names; nil: every rank reads an empty input
	StdinTo   string    // "0" (default), a rank, "all", or "none"
	Stdout    io.Writer // nil: os.Stdout
	Stderr    io.Writer // nil: os.Stderr; the launcher's own messages go there too
	Output    Output
	Transport string // "shm", "unix" or "tcp"; empty: shm, or unix on a host without shared memory
	Insecure  bool   // tcp without TLS

	EagerBytes      int64 // largest eager message; 0: default
	UnexpectedBytes int64 // payload held for unexpected messages, per rank; 0: default

	OnFailure    FailurePolicy
	Strict       bool          // leftovers at the end fail the job
	Timeout      time.Duration // of the whole job; 0: none
	StartTimeout time.Duration // from the first rank's Join to the last's; 0: 10 s
	StopTimeout  time.Duration // how long a rank may be stopped (SIGSTOP); 0: for ever
	Grace        time.Duration // between SIGTERM and SIGKILL when a user ends the job; 0: 5 s
	BindTo       string        // "none" (default), "core"
	ReportBind   bool
	Detach       bool   // survive the terminal's hang-up
	Report       string // file for a JSON report of the job's end; empty: none

	// Agent is the command whose whole program is AgentMain. Nil: this
	// program's executable with the argument "agent".
	Agent []string
}

// Host is a machine that ranks are placed on. One that has this machine's own name, or
// "localhost", is this machine; others are reached by Job.Shell.
type Host struct {
	Name  string // as Job.Shell takes it
	User  string // empty: whoever the shell's configuration says
	Port  int    // 0: the shell's default
	Slots int    // ranks that it has room for, as whoever placed them was told
}

// App is Ranks processes of one program.
type App struct {
	Ranks int
	Argv  []string // Argv[0] is an executable's path or a name in PATH
	Env   []string // KEY=VALUE, on top of the launcher's own environment
	Dir   string   // working directory; empty: the launcher's

	// Files names those variables of Env that hold a path of a file which ranks on other
	// hosts are to have as well; there, the variable leads to a copy.
	Files []string
}

// FailurePolicy says what the death of a rank does to the others.
type FailurePolicy uint8

const (
	AbortOnFailure  FailurePolicy = iota // the job ends
	ReturnOnFailure                      // operations that need the dead rank fail; the job goes on
)

// Output says how the ranks' output is shown.
type Output struct {
	Tag        bool   // prefix each line with the rank
	Timestamp  bool   // prefix each line with the time
	Color      bool   // colour the prefixes
	Raw        bool   // pass escape sequences and whatever else is not text
	Dir        string // also write each rank's output to files below Dir
	DropOnSlow bool   // drop and count lines when the reader is slow, instead of slowing the printing rank
}

// Signals is what Run forwards to the ranks; os/signal.Notify feeds it.
type Signals <-chan os.Signal
