package launcher

import (
	"strings"
	"time"

	"github.com/muster-mpi/muster/launcher/internal/remote"
)

// reachTimeout is how long each step of reaching a host may take.
const reachTimeout = 10 * time.Second

// Local reports whether h is this machine, which needs no shell to be reached.
func (h Host) Local() bool { return isLocal(h) }

// ReachCommand returns the command that is run here to have a shell on h run script,
// which brings the agent there and starts it.
func (job *Job) ReachCommand(h Host, script string) []string {
	o := job.reachOptions(h)
	return o.CommandLine(script)
}

// reachOptions says how h is reached.
func (job *Job) reachOptions(h Host) remote.Options {
	o := remote.Options{Host: h.Name, User: h.User, Port: h.Port, Shell: remote.SSH(), Timeout: reachTimeout}
	switch shell := job.Shell; {
	case len(shell) == 0:
	case shell[0] == "srun" && len(shell) == 1:
		o.Shell = remote.Srun()
	case shell[0] == "ssh" || strings.HasSuffix(shell[0], "/ssh"):
		o.Shell = remote.SSH(shell[1:]...)
		o.Shell.Argv[0] = shell[0]
	default:
		o.Shell = remote.Custom(shell)
	}
	return o
}
