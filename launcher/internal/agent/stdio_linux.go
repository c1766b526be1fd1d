package agent

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// stdioArgs is what a remote shell's script says on the command line.
type stdioArgs struct {
	digest    bool   // --digest: print the SHA-256 of this program and end
	stdio     string // --stdio=NONCE: serve on standard input and output
	ephemeral bool   // --ephemeral: remove this program's file and its directory
}

func parseArgs(args []string) (how stdioArgs, err error) {
	for _, arg := range args {
		switch nonce, isStdio := strings.CutPrefix(arg, "--stdio="); {
		case isStdio && nonce != "":
			how.stdio = nonce
		case arg == "--digest":
			how.digest = true
		case arg == "--ephemeral":
			how.ephemeral = true
		default:
			return how, fmt.Errorf("argument %q is unknown; muster run starts agents by itself", arg)
		}
	}
	return how, nil
}

const ownProgram = "/proc/self/exe"

func printDigest() error {
	f, err := os.Open(ownProgram)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return err
	}
	_, err = fmt.Printf("%x\n", h.Sum(nil))
	return err
}

// stdioConn makes the connection to the launcher of standard input and output, and says
// on it that the agent is here. Nothing else may write there: what standard
// output is from now on is standard error.
func (how stdioArgs) stdioConn() (net.Conn, error) {
	how.settle()
	conn, err := takeStdio()
	if err != nil {
		return nil, err
	}
	home, _ := os.UserHomeDir()
	if _, err := fmt.Fprintf(conn, "muster:%s agent %s\n", how.stdio, home); err != nil {
		return nil, fmt.Errorf("the launcher has gone: %w", err)
	}
	return conn, nil
}

// settle makes a process of its own of what a script has started.
func (how stdioArgs) settle() {
	if path, err := os.Readlink(ownProgram); err == nil {
		if how.ephemeral {
			os.Remove(path)
			os.Remove(filepath.Dir(path))
		} else {
			now := time.Now()
			os.Chtimes(path, now, now) // the oldest are removed first
		}
	}
	home, err := os.UserHomeDir()
	if err != nil || os.Chdir(home) != nil {
		os.Chdir("/")
	}
	// A session of its own, if the remote shell's server has not given it one.
	unix.Setsid()
	// The end of that server wakes an agent that is stopped, so that it can clean up; it changes
	// nothing for one that runs.
	unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGCONT), 0, 0, 0)
}

// takeStdio returns standard input and output as a connection, and puts nothing and
// standard error in their places.
func takeStdio() (net.Conn, error) {
	in, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, fmt.Errorf("standard input is closed: %w", err)
	}
	out, err := unix.FcntlInt(1, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, fmt.Errorf("standard output is closed: %w", err)
	}
	null, err := unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", os.DevNull, err)
	}
	defer unix.Close(null)
	if _, err := unix.FcntlInt(2, unix.F_GETFD, 0); err != nil {
		unix.Dup3(null, 2, 0)
	}
	if err := unix.Dup3(null, 0, 0); err != nil {
		return nil, os.NewSyscallError("dup3", err)
	}
	if err := unix.Dup3(2, 1, 0); err != nil {
		return nil, os.NewSyscallError("dup3", err)
	}
	c := &stdioConn{}
	for _, end := range []struct {
		fd   int
		name string
		file **os.File
	}{{in, "standard input", &c.in}, {out, "standard output", &c.out}} {
		// Then reads can be interrupted, where the kind of file permits it.
		if err := unix.SetNonblock(end.fd, true); err != nil {
			return nil, os.NewSyscallError("fcntl", err)
		}
		*end.file = os.NewFile(uintptr(end.fd), end.name)
	}
	return c, nil
}

// stdioConn is a connection over two files. They may be pipes, sockets, or the same
// socket twice.
type stdioConn struct{ in, out *os.File }

func (c *stdioConn) Read(p []byte) (int, error)  { return c.in.Read(p) }
func (c *stdioConn) Write(p []byte) (int, error) { return c.out.Write(p) }

func (c *stdioConn) Close() error {
	err := c.in.Close()
	if e := c.out.Close(); err == nil {
		err = e
	}
	return err
}

func (c *stdioConn) SetDeadline(t time.Time) error {
	err := c.in.SetDeadline(t)
	if e := c.out.SetDeadline(t); err == nil {
		err = e
	}
	return err
}

func (c *stdioConn) SetReadDeadline(t time.Time) error  { return c.in.SetReadDeadline(t) }
func (c *stdioConn) SetWriteDeadline(t time.Time) error { return c.out.SetWriteDeadline(t) }
func (c *stdioConn) LocalAddr() net.Addr                { return stdioAddr{} }
func (c *stdioConn) RemoteAddr() net.Addr               { return stdioAddr{} }

type stdioAddr struct{}

func (stdioAddr) Network() string { return "stdio" }
func (stdioAddr) String() string  { return "stdio" }
