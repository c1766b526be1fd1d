package boot

import "golang.org/x/sys/unix"

// AllowCopies lets the descendants of process agent copy from and to the memory
// of this process, as far as its user may at all. Where the Yama security module
// restricts that (ptrace_scope 1), a process may otherwise do so only to its own
// descendants, and ranks are each other's siblings.
//
// It widens nothing beyond the job: the descendants of the agent are the job, and
// the kernel's other rules (same user, not set-user-ID, ptrace_scope 2 and 3)
// stand. On a kernel without Yama there is nothing to allow and the call fails,
// which is of no consequence.
func AllowCopies(agent int) {
	_ = unix.Prctl(unix.PR_SET_PTRACER, uintptr(agent), 0, 0, 0)
}
