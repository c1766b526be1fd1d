package launcher

import (
	"sync"

	"golang.org/x/sys/unix"
)

// hidden is how many jobs of this process hold keys, and whether its memory may be
// looked at when none does.
var hidden struct {
	sync.Mutex
	jobs   int
	before int
}

// hideMemory keeps the memory of this process out of core files, and from other
// processes, until the last caller shows it again. Meanwhile what /proc tells other
// processes of it is little; so it is hidden for no longer than there are keys.
func hideMemory() (show func()) {
	hidden.Lock()
	defer hidden.Unlock()
	if hidden.jobs++; hidden.jobs == 1 {
		hidden.before, _ = unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
		setDumpable(0)
	}
	return sync.OnceFunc(func() {
		hidden.Lock()
		defer hidden.Unlock()
		if hidden.jobs--; hidden.jobs == 0 {
			setDumpable(hidden.before)
		}
	})
}

// setDumpable cannot fail for 0 and 1; 2 is the system's to set, and is left then.
func setDumpable(n int) { _ = unix.Prctl(unix.PR_SET_DUMPABLE, uintptr(n), 0, 0, 0) }
