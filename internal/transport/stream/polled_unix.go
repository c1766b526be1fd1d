//go:build unix && (!linux || race || !(amd64 || arm64))

package stream

import "syscall"

const canPoll = true

// The race detector learns from package syscall what a socket orders.

func sysRead(fd uintptr, b []byte) (int, error) {
	n, err := syscall.Read(int(fd), b)
	return max(n, 0), err
}

func sysWrite(fd uintptr, b []byte) (int, error) {
	n, err := syscall.Write(int(fd), b)
	return max(n, 0), err
}

func yield() {}
