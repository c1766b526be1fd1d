package engine

import "golang.org/x/sys/unix"

// yield lets another thread that is ready have the core. The call does not tell
// the scheduler of goroutines, which would hand the processor on and want it
// back: it is over before that would have paid.
func yield() { unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0) }
