package shm

import "golang.org/x/sys/unix"

// Commands of membarrier(2), which x/sys does not name.
const (
	membarrierGlobalExpedited         = 1 << 1
	membarrierRegisterGlobalExpedited = 1 << 2
)

// registerBarrier makes this process take part in the barriers of others.
func registerBarrier() error { return membarrier(membarrierRegisterGlobalExpedited) }

// barrier returns after every thread of every process that has registered has passed a
// full memory barrier: what it stored before is visible to the caller, what it loads after
// it loads anew.
func barrier() error { return membarrier(membarrierGlobalExpedited) }

func membarrier(cmd uintptr) error {
	if _, _, errno := unix.Syscall(unix.SYS_MEMBARRIER, cmd, 0, 0); errno != 0 {
		return errno
	}
	return nil
}
