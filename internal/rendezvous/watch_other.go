//go:build !linux

package rendezvous

import "syscall"

func watchBytes(syscall.RawConn) error { return nil }

func usableCores() []int32 { return nil }

func protect() (release func()) { return func() {} }
