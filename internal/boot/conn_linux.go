package boot

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"
)

// ErrMessage means that the peer sent what is no message of the protocol.
var ErrMessage = errors.New("malformed control message")

// Conn is one end of a control socket. Send is safe for concurrent use; Recv is
// for one goroutine at a time.
type Conn struct {
	file *os.File
	raw  syscall.RawConn
}

// newConn owns fd from the call on.
func newConn(fd int) (*Conn, error) {
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("boot: control socket: %w", os.NewSyscallError("fcntl", err))
	}
	f := os.NewFile(uintptr(fd), "control")
	raw, err := f.SyscallConn()
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("boot: control socket: %w", err)
	}
	return &Conn{file: f, raw: raw}, nil
}

// Send delivers m to the peer as one packet, with copies of files; the caller
// still closes its own. It blocks while the socket is full. An error that wraps
// unix.EPIPE or unix.ECONNRESET says that the peer is gone.
func (c *Conn) Send(m proto.Message, files ...*os.File) error {
	data, err := proto.Marshal(m)
	if err != nil {
		m = proto.Clone(m)
		Legible(m)
		data, err = proto.Marshal(m)
	}
	if err != nil {
		return fmt.Errorf("boot: send %T: %w", m, err)
	}
	switch {
	case len(data) == 0:
		// An empty packet would read as end of file.
		return fmt.Errorf("boot: send %T: message is empty", m)
	case len(data) > MaxMessage:
		return fmt.Errorf("boot: send %T: %d bytes, at most %d fit", m, len(data), MaxMessage)
	case len(files) > MaxFiles:
		return fmt.Errorf("boot: send %T: %d descriptors, at most %d fit", m, len(files), MaxFiles)
	}
	var rights []byte
	if len(files) > 0 {
		fds := make([]int, len(files))
		for i, f := range files {
			// Fd would make the descriptor blocking, and with it the description
			// that the receiver shares.
			rc, err := f.SyscallConn()
			if err == nil {
				err = rc.Control(func(fd uintptr) { fds[i] = int(fd) })
			}
			if err != nil {
				return fmt.Errorf("boot: send %T: descriptor %d: %w", m, i, err)
			}
		}
		rights = unix.UnixRights(fds...)
	}
	var sendErr error
	err = c.raw.Write(func(fd uintptr) bool {
		for {
			sendErr = unix.Sendmsg(int(fd), data, rights, nil, unix.MSG_NOSIGNAL)
			if sendErr != unix.EINTR {
				return sendErr != unix.EAGAIN
			}
		}
	})
	runtime.KeepAlive(files)
	if err != nil {
		err = os.ErrClosed // as in Recv
	} else if sendErr != nil {
		err = os.NewSyscallError("sendmsg", sendErr)
	}
	if err != nil {
		return fmt.Errorf("boot: send %T: %w", m, err)
	}
	return nil
}

var packets = sync.Pool{New: func() any {
	b := make([]byte, MaxMessage+1)
	return &b
}}

// Recv waits for the next packet and decodes it into m. The descriptors it
// carried are close-on-exec and the caller's to close. It returns io.EOF when
// the peer is gone, os.ErrClosed after Close, and an error wrapping ErrMessage
// for a packet that is no message; after that the next packet can be received.
func (c *Conn) Recv(m proto.Message) ([]*os.File, error) {
	buf := packets.Get().(*[]byte)
	defer packets.Put(buf)
	var (
		oob     [64]byte // room for MaxFiles descriptors and their header
		n, oobn int
		flags   int
		recvErr error
	)
	err := c.raw.Read(func(fd uintptr) bool {
		for {
			n, oobn, flags, _, recvErr = unix.Recvmsg(int(fd), *buf, oob[:unix.CmsgSpace(4*MaxFiles)], unix.MSG_CMSG_CLOEXEC)
			if recvErr != unix.EINTR {
				return recvErr != unix.EAGAIN
			}
		}
	})
	if err != nil {
		// The poller fails for no other reason: there are no deadlines here.
		return nil, fmt.Errorf("boot: receive: %w", os.ErrClosed)
	}
	if recvErr != nil {
		if recvErr == unix.ECONNRESET {
			return nil, io.EOF // the peer closed without having read all we sent
		}
		return nil, fmt.Errorf("boot: receive: %w", os.NewSyscallError("recvmsg", recvErr))
	}
	files, err := rightsFiles(oob[:oobn])
	if err == nil && n == 0 && len(files) == 0 {
		return nil, io.EOF
	}
	switch {
	case err != nil:
	case flags&unix.MSG_CTRUNC != 0:
		err = fmt.Errorf("descriptors lost: more than %d sent, or this process may open no more: %w", MaxFiles, ErrMessage)
	case n > MaxMessage || flags&unix.MSG_TRUNC != 0:
		err = fmt.Errorf("more than %d bytes: %w", MaxMessage, ErrMessage)
	default:
		if e := proto.Unmarshal((*buf)[:n], m); e != nil {
			err = fmt.Errorf("%d bytes that are no %T: %w", n, m, ErrMessage)
		}
	}
	if err != nil {
		for _, f := range files {
			f.Close()
		}
		return nil, fmt.Errorf("boot: receive: %w", err)
	}
	return files, nil
}

func rightsFiles(oob []byte) ([]*os.File, error) {
	if len(oob) == 0 {
		return nil, nil
	}
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, fmt.Errorf("ancillary data: %v: %w", err, ErrMessage)
	}
	var files []*os.File
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			continue // other ancillary data was not asked for
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "received"))
		}
	}
	return files, nil
}

// Close ends the connection; a blocked Recv returns.
func (c *Conn) Close() error { return c.file.Close() }
