//go:build !unix

package rendezvous

import "errors"

func inheritedSocket(int) (pmiConn, error) { return nil, errors.ErrUnsupported }
