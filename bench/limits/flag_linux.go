package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"unsafe"
)

const page = 4096

// A flagPage is memory that two processes share: a word for each to write, on
// cache lines apart.
type flagPage struct {
	ping atomic.Int64
	_    [120]byte
	pong atomic.Int64
	_    [120]byte
}

// last is what ping holds when there is no more to come.
const last = -1

// flagPingPong is two processes that answer each other through a word of shared
// memory: the least that a message can take. Both spin, on a thread each, and
// yield now and then in case they share a core.
func flagPingPong(ctx context.Context, o *options) error {
	f, err := os.CreateTemp("", "muster-flag-*")
	if err != nil {
		return err
	}
	defer f.Close()
	os.Remove(f.Name())
	if err := f.Truncate(page); err != nil {
		return err
	}
	p, err := sharedPage(f)
	if err != nil {
		return err
	}
	wait, err := second(ctx, "flag", f)
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	next := int64(0)
	err = o.repeat(8, 2, func(n int) error {
		for range n {
			next++
			p.ping.Store(next)
			await(&p.pong, next)
		}
		return nil
	})
	p.ping.Store(last)
	if err != nil {
		return err
	}
	return wait()
}

func serveFlag(f *os.File) error {
	p, err := sharedPage(f)
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	parent := os.Getppid()
	for next := int64(1); ; next++ {
		for spins := 1; p.ping.Load() != next; spins++ {
			if p.ping.Load() == last {
				return nil
			}
			if spins%spinning == 0 {
				if syscall.RawSyscall(syscall.SYS_SCHED_YIELD, 0, 0, 0); os.Getppid() != parent {
					return nil // nobody is left to answer
				}
			}
		}
		p.pong.Store(next)
	}
}

// spinning is how often to look before the core is offered to others.
const spinning = 10000

func await(word *atomic.Int64, value int64) {
	for spins := 1; word.Load() != value; spins++ {
		if spins%spinning == 0 {
			syscall.RawSyscall(syscall.SYS_SCHED_YIELD, 0, 0, 0)
		}
	}
}

func sharedPage(f *os.File) (*flagPage, error) {
	b, err := syscall.Mmap(int(f.Fd()), 0, page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("mmap: %w", err)
	}
	return (*flagPage)(unsafe.Pointer(unsafe.SliceData(b))), nil
}
