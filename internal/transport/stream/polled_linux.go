//go:build linux && (amd64 || arm64) && !race

package stream

import (
	"syscall"
	"unsafe"
)

const canPoll = true

// The flags say that no call blocks, whatever the descriptor's own say: those are
// shared with whoever handed the connection in. A raw call that blocked would
// take the processor along.

func sysRead(fd uintptr, b []byte) (int, error) {
	return transferRaw(syscall.SYS_RECVFROM, fd, b, syscall.MSG_DONTWAIT)
}

func sysWrite(fd uintptr, b []byte) (int, error) {
	return transferRaw(syscall.SYS_SENDTO, fd, b, syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL)
}

func transferRaw(call, fd uintptr, b []byte, flags uintptr) (int, error) {
	n, _, errno := syscall.RawSyscall6(call, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), flags, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// yield lets another process have this core. The peer may be on it.
func yield() { syscall.RawSyscall(syscall.SYS_SCHED_YIELD, 0, 0, 0) }
