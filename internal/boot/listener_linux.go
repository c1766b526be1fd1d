package boot

import (
	"fmt"
	"os"

	pb "github.com/muster-mpi/muster/proto"
	"golang.org/x/sys/unix"
)

// Listener is the agent's side of one rank's door.
type Listener struct {
	door *Conn
}

// Listen makes a door: the agent's side, and the descriptor for the rank's
// process to inherit. The caller closes both.
func Listen() (*Listener, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("boot: control socket: %w", os.NewSyscallError("socketpair", err))
	}
	c, err := newConn(fds[0])
	if err != nil {
		unix.Close(fds[1])
		return nil, nil, err
	}
	return &Listener{c}, os.NewFile(uintptr(fds[1]), "door"), nil
}

// Accept waits for the next process that came through the door and returns the
// connection to it. It returns io.EOF when no process holds the door any more,
// os.ErrClosed after Close, and an error wrapping ErrMessage for a packet that
// is no arrival; after that the next can be accepted.
func (l *Listener) Accept() (*Conn, error) {
	var m pb.Arrival
	files, err := l.door.Recv(&m)
	if err != nil {
		return nil, err
	}
	fd := -1
	if len(files) == 1 {
		fd, err = unix.FcntlInt(files[0].Fd(), unix.F_DUPFD_CLOEXEC, 3)
	}
	for _, f := range files {
		f.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("boot: accept: %w", os.NewSyscallError("fcntl", err))
	}
	if fd < 0 || !isControlSocket(fd) {
		if fd >= 0 {
			unix.Close(fd)
		}
		return nil, fmt.Errorf("boot: accept: %d descriptors, want one control socket: %w", len(files), ErrMessage)
	}
	return newConn(fd)
}

// Close ends the listener; a blocked Accept returns.
func (l *Listener) Close() error { return l.door.Close() }

// PeerPID returns the process that made the connection, as the kernel knows it;
// 0 if it does not.
func (c *Conn) PeerPID() int {
	pid := 0
	c.raw.Control(func(fd uintptr) {
		if cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			pid = int(cred.Pid)
		}
	})
	return pid
}

// enter goes through the door fd, which it closes, and returns the connection.
func enter(fd int) (*Conn, error) {
	door, err := newConn(fd)
	if err != nil {
		return nil, err
	}
	defer door.Close()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("boot: control socket: %w", os.NewSyscallError("socketpair", err))
	}
	theirs := os.NewFile(uintptr(fds[1]), "control")
	defer theirs.Close()
	c, err := newConn(fds[0])
	if err != nil {
		return nil, err
	}
	if err := door.Send(&pb.Arrival{Protocol: Protocol}, theirs); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}
