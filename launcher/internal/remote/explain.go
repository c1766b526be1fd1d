package remote

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// death is how a remote shell ended before its agent ran.
type death struct {
	shell    string // its name
	kind     Kind
	host     string
	stage    Stage
	state    string // as a sentence has it: exit status 1
	exited   bool
	code     int // if exited
	timedOut bool
	timeout  time.Duration
	stderr   []string
	noise    []string // other output than answers
}

// sayings are what OpenSSH says and what that means, the first found in the last lines of its
// standard error counts. A per cent sign is the host.
var sayings = []struct{ said, means string }{
	{"REMOTE HOST IDENTIFICATION HAS CHANGED", "the host's key is not the one that known_hosts has: somebody else may answer in its name, or it was installed anew"},
	{"host key is known for", "the host's key is not in known_hosts, and ssh is not allowed to take it unasked: connect once by hand"},
	{"Host key verification failed", "the host's key is not in known_hosts: connect once by hand to check and take it"},
	{"Could not resolve hostname", "the host's name cannot be resolved"},
	{"Name or service not known", "the host's name cannot be resolved"},
	{"Permission denied (", "ssh may not log in: no key or ticket that it has without asking is accepted there (ssh-copy-id %, or start ssh-agent)"},
	{"Too many authentication failures", "ssh may not log in: it has offered too many keys (set IdentitiesOnly in ssh's configuration)"},
	{"Connection refused", "the connection was refused: no ssh server listens at that port"},
	{"No route to host", "there is no route to the host, or a firewall forbids it"},
	{"Network is unreachable", "the host's network cannot be reached from here"},
	{"Connection timed out", "the host does not answer: it is down, or a firewall drops the connection"},
	{"timed out", "the host does not answer in time"},
	{"Bad configuration option", "ssh does not understand its configuration"},
	{"Bad owner or permissions", "ssh refuses its configuration, since others may write to it"},
	{"terminating, ", "ssh does not understand its configuration"},
	{"Unable to negotiate", "ssh and the host's ssh server have no algorithm in common"},
	{"Cannot execute command-line and remote command", "ssh's configuration has a RemoteCommand for the host; add RemoteCommand none to what Muster is to use"},
	{"kex_exchange_identification", "the host's ssh server hung up before it said who it is: it has too many connections at once (MaxStartups), bans us, or is no ssh server"},
	{"Connection reset by", "the connection was reset while logging in"},
	{"Connection closed by UNKNOWN", "the jump host, or the ProxyCommand, does not reach the host"},
	{"stdio forwarding failed", "the jump host does not reach the host"},
	{"Connection closed by", "the host's ssh server hung up while logging in"},
	{"unable to contact slurm", "Slurm's controller does not answer"},
	{"Invalid job id", "there is no Slurm allocation"},
	{"No allocation", "there is no Slurm allocation"},
	{"Requested node configuration is not available", "the host is not in the Slurm allocation"},
	{"Invalid node name", "Slurm knows no such host"},
	{"Job has expired", "the Slurm allocation has ended"},
}

// What is the sentence about it.
func (d *death) What() string {
	name := filepath.Base(d.shell)
	if d.timedOut {
		return d.tooSlow(name)
	}
	switch d.stage {
	case StageStage:
		return fmt.Sprintf("%s ended (%s) while the agent's binary was brought there", name, d.state)
	case StageAgent:
		return d.noAgent(name)
	}
	// ssh has 255 for what fails on its side; whether it was let in is known as well.
	if d.kind != KindSSH || d.exited && d.code == 255 {
		for _, line := range d.stderr {
			if said := saying(line, d.host); said != "" {
				return said
			}
		}
	}
	switch {
	case d.kind == KindSSH && d.exited && d.code == 255 && d.stage == StageShell:
		return name + " does not reach the host"
	case d.exited && d.code == 127:
		return fmt.Sprintf("a command was not found there (%s)", d.state)
	case d.exited && d.code == 0 && len(d.noise) > 0:
		return fmt.Sprintf("the login shell there says %q and does not run our command: a forced command, or an account without a shell", d.lastNoise())
	case len(d.noise) > 0:
		return fmt.Sprintf("the login shell there says %q and ends (%s) without having run our command", d.lastNoise(), d.state)
	}
	return fmt.Sprintf("%s ended (%s) before our command ran there", name, d.state)
}

func (d *death) tooSlow(name string) string {
	switch d.stage {
	case StageShell:
		if len(d.noise) > 0 {
			return d.slowLogin()
		}
		return fmt.Sprintf("%s has not let us in within %v", name, d.timeout)
	case StageProbe:
		return d.slowLogin()
	case StageStage:
		return fmt.Sprintf("bringing the agent's binary there made no progress for %v", d.timeout)
	}
	return fmt.Sprintf("the agent was started and has said nothing for %v", d.timeout)
}

func (d *death) slowLogin() string {
	text := fmt.Sprintf("we were let in, but the login shell there has not run our command within %v: its start-up files are slow or wait for input", d.timeout)
	if len(d.noise) > 0 {
		text += fmt.Sprintf(" (they say %q)", d.lastNoise())
	}
	return text
}

func (d *death) noAgent(name string) string {
	for _, line := range d.stderr {
		if said := cannotRun(line); said != "" {
			return said
		}
	}
	return fmt.Sprintf("the agent ended at once (%s of %s)", d.state, name)
}

func (d *death) lastNoise() string { return d.noise[len(d.noise)-1] }

func saying(line, host string) string {
	for _, s := range sayings {
		if strings.Contains(line, s.said) {
			return strings.ReplaceAll(s.means, "%", host)
		}
	}
	return ""
}

// cannotRun says why a shell could not run the agent's binary.
func cannotRun(line string) string {
	switch {
	case strings.Contains(line, "xec format error"), strings.Contains(line, "Syntax error"), strings.Contains(line, "\x7fELF"):
		// The latter two of shells that take for a script what the kernel does not run.
		return "the agent's binary is not for the host's machine"
	case strings.Contains(line, "GLIBC_"):
		return "the agent's binary needs a newer C library than the host has; build muster with CGO_ENABLED=0"
	case strings.Contains(line, "ermission denied"):
		return "the host may not run the agent's binary: its file system is mounted noexec, or a policy forbids it"
	case strings.Contains(line, "not found"), strings.Contains(line, "No such file"):
		return "the agent's binary does not find its loader on the host; build muster with CGO_ENABLED=0"
	}
	return ""
}

// refused is the sentence for what the script has failed at.
func refused(at, what string, size int64, stderr []string) string {
	last := strings.Join(stderr, "\n")
	switch at {
	case "place":
		return fmt.Sprintf("no directory there can hold the agent's binary: not the cache, nor TMPDIR, /tmp, /var/tmp or /dev/shm (%s)", what)
	case "write":
		switch {
		case strings.Contains(last, "No space left"):
			return fmt.Sprintf("the disk there is full: %s has no room for the agent's binary of %s", what, megabytes(size))
		case strings.Contains(last, "uota exceeded"):
			return fmt.Sprintf("the quota there is used up: %s has no room for the agent's binary of %s", what, megabytes(size))
		}
		return fmt.Sprintf("the agent's binary cannot be written to %s there", what)
	case "run":
		for _, line := range stderr {
			if said := cannotRun(line); said != "" {
				return said
			}
		}
		return fmt.Sprintf("the agent's binary does not run in %s there", what)
	case "sum":
		return "the agent's binary arrived damaged: its sum there is " + what
	}
	return fmt.Sprintf("staging failed at %s %s", at, what)
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
