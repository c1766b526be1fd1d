package agent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unsafe"

	"github.com/muster-mpi/muster/internal/segment"
	pb "github.com/muster-mpi/muster/proto"
	"golang.org/x/sys/unix"
)

// probeSystem tries what a kernel, or a container's rules, may lack or forbid.
func probeSystem() []*pb.Probe {
	var list []*pb.Probe
	for _, p := range []struct {
		name string
		try  func() error
	}{
		{ProbeMemory, segment.Probe},
		{ProbeHandles, probeHandles},
		{ProbeCopies, func() error { return probeCopies(readText("/proc/sys/kernel/yama/ptrace_scope")) }},
		{ProbeBarrier, probeBarrier},
		{ProbeReaper, probeReaper},
		{ProbeMemoryRule, probeMemoryRule},
	} {
		found := &pb.Probe{Name: p.name}
		if err := p.try(); err != nil {
			found.Error = strings.ReplaceAll(err.Error(), "\n", "; ")
		}
		list = append(list, found)
	}
	return list
}

// probeHandles tries whether processes can be held by descriptors.
func probeHandles() error {
	fd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		return os.NewSyscallError("pidfd_open", err)
	}
	return unix.Close(fd)
}

// probeCopies tries to copy memory as ranks do from each other, and reads the rule that
// holds between processes.
func probeCopies(scope string) error {
	from, to := [8]byte{1, 2, 3, 4, 5, 6, 7, 8}, [8]byte{}
	local := []unix.Iovec{{Base: &to[0], Len: uint64(len(to))}}
	there := []unix.RemoteIovec{{Base: uintptr(unsafe.Pointer(&from[0])), Len: len(from)}}
	if _, err := unix.ProcessVMReadv(os.Getpid(), local, there, 0); err != nil {
		return os.NewSyscallError("process_vm_readv", err)
	}
	if to != from {
		return fmt.Errorf("process_vm_readv has read %v where %v stands", to, from)
	}
	return ptraceRule(scope)
}

// ptraceRule says what Yama's rule forbids. Under 0 and 1 ranks may name each other.
func ptraceRule(scope string) error {
	switch scope = strings.TrimSpace(scope); scope {
	case "", "0", "1":
		return nil
	}
	return fmt.Errorf("kernel.yama.ptrace_scope is %s", scope)
}

// probeBarrier asks for the commands that package shm uses.
func probeBarrier() error {
	const query, needed = 0, 1<<1 | 1<<2 // global expedited, and registering for it
	commands, _, errno := unix.Syscall(unix.SYS_MEMBARRIER, query, 0, 0)
	switch {
	case errno != 0:
		return os.NewSyscallError("membarrier", errno)
	case commands&needed != needed:
		return fmt.Errorf("membarrier has commands %#x, want %#x", commands, needed)
	}
	return nil
}

func probeReaper() error {
	var is int32
	if err := unix.Prctl(unix.PR_GET_CHILD_SUBREAPER, uintptr(unsafe.Pointer(&is)), 0, 0, 0); err != nil {
		return os.NewSyscallError("prctl", err)
	}
	if is == 0 {
		return errors.New("this process could not become a child subreaper")
	}
	return nil
}

// probeMemoryRule tries to read what tells of an OOM kill.
func probeMemoryRule() error {
	group := memoryGroup(os.Getpid())
	if group == "" {
		return errors.New("no hierarchy of memory cgroups is mounted")
	}
	if readMemoryState(group).kills < 0 {
		return fmt.Errorf("%s does not count OOM kills, or may not be read", group)
	}
	return nil
}

// examineStore tries to put a program where a job would.
func examineStore() *pb.Store {
	m := new(pb.Store)
	s, err := openStore()
	if err != nil {
		m.Error = strings.ReplaceAll(err.Error(), "\n", "; ")
		return m
	}
	defer s.close()
	m.Dir = s.dir
	if s.private {
		defer os.RemoveAll(s.dir)
		m.Dir = filepath.Dir(s.dir)
		if base, err := os.UserCacheDir(); err != nil {
			m.Why = err.Error()
		} else if err := ownDir(filepath.Join(base, "muster", "program")); err != nil {
			m.Why = err.Error()
		}
	}
	var fs unix.Statfs_t
	if unix.Fstatfs(int(s.held.Fd()), &fs) == nil {
		m.FreeBytes = int64(fs.Bavail) * max(fs.Frsize, 1)
	}
	if err := tryProgram(s.dir); err != nil {
		m.Error = err.Error()
	}
	return m
}

// tryProgram writes a program into dir, and looks whether it could be run.
func tryProgram(dir string) error {
	f, err := os.CreateTemp(dir, ".incoming-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(make([]byte, 64<<10))
	if e := f.Chmod(0o500); err == nil {
		err = e
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil && unix.Access(f.Name(), unix.X_OK) != nil {
		err = fmt.Errorf("%s is mounted noexec: no program there can be run", dir)
	}
	return err
}
