//go:build !linux

package hostmem

import (
	"errors"
	"os"
)

type file struct{}

// Create is for Linux; here the error is errors.ErrUnsupported.
func Create(string) (*os.File, error) { return nil, errors.ErrUnsupported }

// Map is for Linux; here the error is errors.ErrUnsupported.
func Map(*os.File) (*Memory, error) { return nil, errors.ErrUnsupported }

func (m *Memory) claimFile(int) (*Slot, error) { return nil, errors.ErrUnsupported }
func (m *Memory) openFile(int) (*Slot, error)  { return nil, errors.ErrUnsupported }
func (m *Memory) releaseFile(*Slot)            {}
func (m *Memory) growFile(*Slot) error         { return errors.ErrUnsupported }
