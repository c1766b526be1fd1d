package engine

import (
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A thread that leaves its core is on another one then, and may go back.
func TestWhoLeavesItsCoreMayRunOnAll(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, after unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil || before.Count() < 2 {
		t.Skipf("%d cores, %v", before.Count(), err)
	}
	core := func() (cpu uint32) {
		unix.RawSyscall(unix.SYS_GETCPU, uintptr(unsafe.Pointer(&cpu)), 0, 0)
		return cpu
	}
	s := newStand(t)
	for range 1000 { // the coin decides, and the kernel may bring it back at once
		old := core()
		s.left.Store(0)
		s.leaveCore()
		if err := unix.SchedGetaffinity(0, &after); err != nil || after != before {
			t.Fatalf("the thread may run on %v (%v), want %v", after, err, before)
		}
		if core() != old {
			return
		}
	}
	t.Error("the thread stayed on its core 1000 times")
}
