package remote

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Shell is how a command is run on another host with its standard input and
// output here. In Argv the word {host} stands for the host; without one the host
// becomes the last word. The command follows as one word more, for a shell.
type Shell struct {
	Argv []string
	Kind Kind
}

// Kind says whose error messages a Shell's are, and which options it takes.
type Kind string

const (
	KindSSH   Kind = "ssh"
	KindSrun  Kind = "srun"
	KindOther Kind = "other"
)

// SSH is the system's ssh with more arguments, such as -F and a file. Who may
// log in where, by which key, over which hosts and with which host keys is all
// left to ssh and its configuration; but it never asks.
func SSH(args ...string) Shell {
	return Shell{Argv: append([]string{"ssh"}, args...), Kind: KindSSH}
}

// Srun is Slurm's, within an allocation that has the host.
func Srun() Shell {
	// Unbuffered: Slurm holds back what has no newline, else. The step may use all
	// that the job has on the host, which other steps of the job may use as well.
	return Shell{Kind: KindSrun, Argv: []string{"srun", "--quiet", "--nodes=1", "--ntasks=1", "--overlap", "--unbuffered",
		"--input=all", "--cpu-bind=none", "--mpi=none", "--nodelist={host}"}}
}

// Custom is any command that runs another on a host, such as rsh, or
// docker exec -i {host} sh -c.
func Custom(argv []string) Shell { return Shell{Argv: argv, Kind: KindOther} }

const hostWord = "{host}"

// CommandLine returns the whole command line that runs script on the host, for those
// who want to see it.
func (o *Options) CommandLine(script string) []string { return o.command(script) }

// command returns the whole command line that runs script on o's host.
func (o *Options) command(script string) []string {
	argv := append([]string(nil), o.Shell.Argv...)
	switch o.Shell.Kind {
	case KindSSH:
		// Neither terminal nor escape character: both would change what is
		// sent. No forwardings: those of the user's own session would collide.
		// VERBOSE says when we are let in. The launcher watches its agents
		// itself, and ssh is not to give up before it does.
		connect := max(1, int((o.Timeout-time.Second/2)/time.Second))
		argv = append(argv, "-T", "-x", "-e", "none", "-o", "BatchMode=yes", "-o", "LogLevel=VERBOSE",
			"-o", "ClearAllForwardings=yes", "-o", "ConnectTimeout="+strconv.Itoa(connect),
			"-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=40")
		return append(o.login(argv), "--", o.Host, script)
	case KindSrun:
		return append(o.named(argv), "/bin/sh", "-c", script)
	}
	return append(o.named(argv), script)
}

// proof returns a command line for the user that shows by a simple command there what
// became of ours.
func (o *Options) proof(command ...string) string {
	argv := append([]string(nil), o.Shell.Argv...)
	switch o.Shell.Kind {
	case KindSSH:
		argv = append(o.login(append(argv, "-o", "BatchMode=yes")), o.Host)
	case KindSrun:
		argv = o.named([]string{"srun", "--nodes=1", "--ntasks=1", "--overlap", "--nodelist=" + hostWord})
	default:
		argv = o.named(argv)
	}
	return quote(append(argv, command...))
}

func (o *Options) login(argv []string) []string {
	if o.Port != 0 {
		argv = append(argv, "-p", strconv.Itoa(o.Port))
	}
	if o.User != "" {
		argv = append(argv, "-l", o.User)
	}
	return argv
}

// named puts the host where argv has a place for it.
func (o *Options) named(argv []string) []string {
	found := false
	for i, word := range argv {
		if strings.Contains(word, hostWord) {
			argv[i] = strings.ReplaceAll(word, hostWord, o.Host)
			found = true
		}
	}
	if !found && o.Shell.Kind != KindSrun {
		argv = append(argv, o.Host)
	}
	return argv
}

// check refuses names that a remote shell, or the scripts that its
// configuration names, could take for something else than a name.
func (o *Options) check() error {
	if len(o.Shell.Argv) == 0 {
		return errors.New("no remote shell named")
	}
	if err := plainName("host", o.Host, "._:%-"); err != nil {
		return err
	}
	if o.User != "" {
		if err := plainName("user", o.User, "._@+-"); err != nil {
			return err
		}
	}
	if o.Port < 0 || o.Port > 65535 {
		return fmt.Errorf("port %d is not in 1…65535", o.Port)
	}
	if o.Shell.Kind != KindSSH && (o.User != "" || o.Port != 0) {
		return fmt.Errorf("%s takes neither user nor port", o.Shell.Argv[0])
	}
	return nil
}

func plainName(kind, name, special string) error {
	const longest = 255
	switch {
	case name == "":
		return fmt.Errorf("the %s's name is empty", kind)
	case len(name) > longest:
		return fmt.Errorf("the %s's name %.20q… has %d characters, more than %d", kind, name, len(name), longest)
	case name[0] == '-':
		return fmt.Errorf("the %s's name %q begins with a hyphen, as options do", kind, name)
	}
	for _, r := range name {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(special, r)) {
			return fmt.Errorf("the %s's name %q has the character %q; allowed are letters, digits and %s", kind, name, r, special)
		}
	}
	return nil
}

// quote writes argv as a POSIX shell reads it.
func quote(argv []string) string {
	words := make([]string, len(argv))
	for i, w := range argv {
		plain := w != "" && !strings.ContainsFunc(w, func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("@%+=:,./_-", r))
		})
		if words[i] = w; !plain {
			words[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}
