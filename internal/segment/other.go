//go:build !linux

package segment

import (
	"errors"
	"fmt"
	"os"
)

var errNotLinux = fmt.Errorf("segment: memory and bells that processes share need Linux: %w", errors.ErrUnsupported)

// Create is for Linux; here the error is errors.ErrUnsupported.
func Create(string, int) (*os.File, error) { return nil, errNotLinux }

// Map is for Linux; here the error is errors.ErrUnsupported.
func Map(*os.File, int, bool) ([]byte, error) { return nil, errNotLinux }

// Unmap is for Linux; here the error is errors.ErrUnsupported.
func Unmap([]byte) error { return errNotLinux }

// Probe is for Linux; here the error is errors.ErrUnsupported.
func Probe() error { return errNotLinux }

// NewBell is for Linux; here the error is errors.ErrUnsupported.
func NewBell() (*os.File, error) { return nil, errNotLinux }

// Bell is for Linux; here there is none.
type Bell struct{}

// OpenBell is for Linux; here the error is errors.ErrUnsupported.
func OpenBell(*os.File) (*Bell, error) { return nil, errNotLinux }

// Ring does nothing.
func (*Bell) Ring() {}

// Wait returns errors.ErrUnsupported.
func (*Bell) Wait() error { return errNotLinux }

// Close does nothing.
func (*Bell) Close() error { return nil }
