//go:build !unix

package socketpair

import (
	"errors"
	"fmt"
	"net"
)

// Unix reports that this system has no socket pairs.
func Unix() (a, b net.Conn, err error) {
	return nil, nil, fmt.Errorf("socket pairs: %w on this system", errors.ErrUnsupported)
}
