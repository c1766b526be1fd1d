//go:build !linux

package boot

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"google.golang.org/protobuf/proto"
)

// ErrMessage means that the peer sent what is no message of the protocol.
var ErrMessage = errors.New("malformed control message")

var errUnsupported = fmt.Errorf("boot: jobs of several processes need Linux, this is %s: %w", runtime.GOOS, errors.ErrUnsupported)

// Conn is one end of a control socket. There are none on this system.
type Conn struct{}

// Listener is the agent's side of one rank's door. There are none on this
// system.
type Listener struct{}

// Listen fails with errors.ErrUnsupported.
func Listen() (*Listener, *os.File, error) { return nil, nil, errUnsupported }

// Accept fails with errors.ErrUnsupported.
func (l *Listener) Accept() (*Conn, error) { return nil, errUnsupported }

// Close does nothing.
func (l *Listener) Close() error { return nil }

// PeerPID returns 0.
func (c *Conn) PeerPID() int { return 0 }

// Inherited reports false, or fails with errors.ErrUnsupported when the
// environment says that a launcher started the process.
func Inherited() (*Conn, bool, error) {
	if _, ok := os.LookupEnv(EnvControl); ok {
		return nil, false, errUnsupported
	}
	return nil, false, nil
}

// Send fails with errors.ErrUnsupported.
func (c *Conn) Send(m proto.Message, files ...*os.File) error { return errUnsupported }

// Recv fails with errors.ErrUnsupported.
func (c *Conn) Recv(m proto.Message) ([]*os.File, error) { return nil, errUnsupported }

// Close does nothing.
func (c *Conn) Close() error { return nil }

// AllowCopies does nothing.
func AllowCopies(agent int) {}

// Duplicate fails with errors.ErrUnsupported.
func Duplicate(f *os.File) (fd int, err error) { return -1, errUnsupported }
