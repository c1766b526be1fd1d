package remote

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// Target is where ssh's configuration says that a host is.
type Target struct {
	Name    string // or address, as the system is to resolve it
	Through string // the jump host or command by which it is reached: then Name need mean nothing here
}

// Resolve asks ssh where a host is, without a connection to it. Other shells are not
// asked: what they know of hosts is theirs.
func (o Options) Resolve(ctx context.Context) (Target, error) {
	if o.Shell.Argv == nil {
		o.Shell = SSH()
	}
	if o.Shell.Kind != KindSSH {
		return Target{Name: o.Host, Through: o.Shell.Argv[0]}, o.check()
	}
	if err := o.check(); err != nil {
		return Target{}, err
	}
	argv := append(o.login(append(append([]string(nil), o.Shell.Argv...), "-G")), "--", o.Host)
	out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) && len(exit.Stderr) > 0 {
		err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
	}
	if err != nil {
		return Target{}, err
	}
	return parseTarget(string(out), o.Host), nil
}

// parseTarget reads what ssh -G prints.
func parseTarget(text, host string) Target {
	t := Target{Name: host}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case key == "hostname" && value != "":
			t.Name = value
		case (key == "proxyjump" || key == "proxycommand") && value != "" && value != "none":
			t.Through = value
		}
	}
	return t
}
