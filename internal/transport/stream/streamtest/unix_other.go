//go:build !unix

package streamtest

import (
	"errors"
	"net"
)

// Unix reports that this system has no socket pairs.
func Unix() (net.Conn, net.Conn, error) { return nil, nil, errors.ErrUnsupported }
