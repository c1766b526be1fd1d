package engine

import (
	"math/rand/v2"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// leaveEvery is how often at most a rank leaves its core of its own accord.
const leaveEvery = 500 * time.Microsecond

// leaveCore takes this thread, which shares a core with the one that it waits for, to
// another core. The kernel would part them too, but lets tens of milliseconds go by.
// It is better that one of the two leaves than both: an odd rank does, an even one now and
// then, as the other may be even too.
func (e *Engine) leaveCore() {
	now := e.cfg.Clock.Now().UnixNano()
	if left := e.left.Load(); now-left < int64(leaveEvery) || !e.left.CompareAndSwap(left, now) || e.Self()%2 == 0 && rand.N(4) > 0 {
		return
	}
	runtime.LockOSThread() // what is to be undone below is of this thread
	defer runtime.UnlockOSThread()
	var cpu uint32
	var all unix.CPUSet
	if _, _, errno := unix.RawSyscall(unix.SYS_GETCPU, uintptr(unsafe.Pointer(&cpu)), 0, 0); errno != 0 || unix.SchedGetaffinity(0, &all) != nil {
		return
	}
	others := all
	if others.Clear(int(cpu)); others.Count() > 0 && unix.SchedSetaffinity(0, &others) == nil {
		unix.SchedSetaffinity(0, &all)
	}
}
