package rendezvous

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// watchBytes makes the kernel give up what it has sent and nobody acknowledges.
func watchBytes(raw syscall.RawConn) error {
	var err error
	if e := raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(unreachable.Milliseconds()))
	}); e != nil {
		return e
	}
	return err
}

// usableCores returns the cores that this process may use; nil if that is not known.
func usableCores() []int32 {
	const most = 1024 // what a CPUSet holds
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) != nil {
		return nil
	}
	var list []int32
	for i := range most {
		if set.IsSet(i) {
			list = append(list, int32(i))
		}
	}
	return list
}

// protect keeps the memory of this process from core dumps and from other processes of
// its user, until the function that it returns is called.
func protect() (release func()) {
	const usual = 1 // what is not cannot be set back, and dumps nothing that others read
	before, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	if err != nil || before != usual || unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) != nil {
		return func() {}
	}
	return func() { unix.Prctl(unix.PR_SET_DUMPABLE, usual, 0, 0, 0) }
}
