//go:build !linux

package record

import (
	"errors"
	"fmt"
	"os"
)

var errNoMemfd = fmt.Errorf("record: shared record memory needs Linux: %w", errors.ErrUnsupported)

// Create is for Linux; here the error is errors.ErrUnsupported and New is what remains.
func Create() (*os.File, error) { return nil, errNoMemfd }

// Map is for Linux; here the error is errors.ErrUnsupported and New is what remains.
func Map(*os.File) (*Ring, error) { return nil, errNoMemfd }

// Open is for Linux; here the error is errors.ErrUnsupported.
func Open(*os.File) (*Reader, error) { return nil, errNoMemfd }
