//go:build !linux

package shm

import "errors"

func registerBarrier() error { return errors.ErrUnsupported }
func barrier() error         { return errors.ErrUnsupported }
