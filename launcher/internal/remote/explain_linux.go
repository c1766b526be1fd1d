package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// notStarted explains why there is no remote shell.
func (a *attempt) notStarted(err error) *Error {
	name := a.Shell.Argv[0]
	e := &Error{Host: a.Host, Stage: StageShell, Err: err}
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
		e.What = fmt.Sprintf("there is no program %s here to reach it", name)
		if a.Shell.Kind == KindSSH && name == "ssh" {
			e.What = "ssh is not in PATH here to reach it: install OpenSSH's client"
		}
	} else {
		e.What = fmt.Sprintf("%s cannot be started here: %v", name, err)
	}
	return e
}

// lastWords is how long a remote shell may take to end once it has nothing more to say.
const lastWords = 3 * time.Second

// explain makes an error of what talk returned, and ends the remote shell.
func (a *attempt) explain(ctx context.Context, err error) *Error {
	e := &Error{Host: a.Host, Err: err, Command: a.proof("true")}
	var r *refusal
	timedOut := errors.Is(err, os.ErrDeadlineExceeded)
	ended := errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
	if ended || errors.As(err, &r) {
		// It is about to end, and says why.
		select {
		case <-a.process.ended:
			a.died = ended
		case <-time.After(lastWords):
		}
	}
	a.process.kill()
	// All that it has said is known now, and with it how far it came.
	e.Stage, e.Stderr = a.current(), a.process.stderr.tail()
	switch {
	case ctx.Err() != nil:
		e.Err, e.Command, e.Stderr = context.Cause(ctx), "", nil
		e.What = fmt.Sprintf("given up: %v", e.Err)
	case r != nil:
		a.refused = r.at
		e.What = refused(r.at, r.what, a.size, e.Stderr)
		if r.at == "write" {
			e.Command = a.proof("df", "-h", r.what)
		}
	case timedOut || ended:
		d := &death{
			shell: a.Shell.Argv[0], kind: a.Shell.Kind, host: a.Host, stage: e.Stage, timedOut: timedOut,
			timeout: a.Timeout, state: stateText(a.process.state), stderr: e.Stderr, noise: a.noise.lines,
		}
		if s := a.process.state; s != nil {
			d.exited, d.code = s.Exited(), s.ExitCode()
		}
		e.What = d.What()
	case errors.Is(err, errNoise):
		e.What = fmt.Sprintf("the login shell there says more than 1 MiB before it runs our command, such as %q", a.noise.lines[len(a.noise.lines)-1])
	default:
		e.What, e.Stderr = err.Error(), nil
		e.Command = a.proof("uname", "-sm")
	}
	return e
}

// hungUpOn tells a server's refusal that may not last, after explain.
func (a *attempt) hungUpOn() bool {
	if !a.died || a.current() != StageShell || a.Shell.Kind != KindSSH {
		return false
	}
	said := strings.Join(a.process.stderr.tail(), "\n")
	if strings.Contains(said, "stdio forwarding failed") {
		return false // a jump host that has let us in and cannot go on
	}
	return strings.Contains(said, "kex_exchange_identification") || strings.Contains(said, "Connection closed by UNKNOWN")
}

func stateText(s *os.ProcessState) string {
	if s == nil {
		return "it cannot be waited for"
	}
	return s.String()
}
