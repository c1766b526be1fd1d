//go:build !linux

package hostmem

import (
	"sync/atomic"
	"time"
)

// FutexWait is for Linux; between processes elsewhere there is no memory to wait on.
func FutexWait(_ *atomic.Uint32, _ uint32, d time.Duration) { time.Sleep(d) }

// FutexWake is for Linux.
func FutexWake(*atomic.Uint32) {}
