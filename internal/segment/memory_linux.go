package segment

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

const seals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_SEAL

// Create returns zeroed memory of the given size as a descriptor that is closed on exec.
// Every page of it is reserved: where the host has too few the error is ENOSPC or ENOMEM
// now, and never a fault later. name is for reports and /proc, and need not be unique.
func Create(name string, bytes int) (*os.File, error) {
	return CreateSparse(name, bytes, bytes)
}

// CreateSparse is Create that reserves only the first pages; before any other page
// is touched it must be set aside by Reserve.
func CreateSparse(name string, bytes, reserved int) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("segment %s: memfd_create: %w", name, err)
	}
	f := os.NewFile(uintptr(fd), name)
	if err := size(f, bytes); err != nil {
		f.Close()
		return nil, err
	}
	if err := Reserve(f, 0, reserved); err != nil {
		f.Close()
		return nil, err
	}
	if err := control(f, func(fd int) error {
		_, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals)
		return err
	}); err != nil {
		f.Close()
		return nil, fmt.Errorf("segment %s: sealing its size: %w", name, err)
	}
	return f, nil
}

// size makes f bytes long, which sets no page aside.
func size(f *os.File, bytes int) error {
	if bytes <= 0 {
		return fmt.Errorf("segment %s: a size of %d bytes, want more than 0", f.Name(), bytes)
	}
	if err := f.Truncate(int64(bytes)); err != nil {
		return fmt.Errorf("segment %s: sizing it to %d bytes: %w", f.Name(), bytes, err)
	}
	return nil
}

// Reserve has the host set aside the pages of bytes of f from off on. Without it the
// first access to a page that is not there would be SIGBUS on a host that is full.
func Reserve(f *os.File, off, bytes int) error {
	if err := fallocate(f, 0, off, bytes); err != nil {
		return fmt.Errorf("segment %s: reserving %d bytes of shared memory: %w", f.Name(), bytes, err)
	}
	return nil
}

// Discard gives the pages of bytes of f from off on back to the host: they read as
// zero, and must be reserved again before they are touched.
func Discard(f *os.File, off, bytes int) error {
	if err := fallocate(f, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, bytes); err != nil {
		return fmt.Errorf("segment %s: discarding %d bytes of shared memory: %w", f.Name(), bytes, err)
	}
	return nil
}

func fallocate(f *os.File, mode uint32, off, bytes int) error {
	return control(f, func(fd int) error {
		for {
			// The runtime's own signals interrupt a long reservation.
			if err := unix.Fallocate(fd, mode, int64(off), int64(bytes)); err != unix.EINTR {
				return err
			}
		}
	})
}

// Map maps the first bytes of f, made by Create with that size, shared with every other
// holder. f may be closed afterwards. A file of another size, or one whose size is not
// sealed, is refused: a mapping of it could fault.
func Map(f *os.File, bytes int, writable bool) ([]byte, error) {
	if bytes <= 0 {
		return nil, fmt.Errorf("segment %s: mapping %d bytes, want more than 0", f.Name(), bytes)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("segment: %w", err)
	}
	if info.Size() != int64(bytes) {
		return nil, fmt.Errorf("segment %s: the descriptor has %d bytes, want %d: was it made by the same version?", f.Name(), info.Size(), bytes)
	}
	prot := unix.PROT_READ
	if writable {
		prot |= unix.PROT_WRITE
	}
	var b []byte
	err = control(f, func(fd int) error {
		have, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0)
		if err != nil {
			return fmt.Errorf("want a memory file of sealed size, this one has no seals: %w", err)
		}
		if have&unix.F_SEAL_SHRINK == 0 {
			return fmt.Errorf("want a memory file of sealed size, this one has seals %#x", have)
		}
		if b, err = unix.Mmap(fd, 0, bytes, prot, unix.MAP_SHARED); err != nil {
			return fmt.Errorf("mmap of %d bytes: %w", bytes, err)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("segment %s: %w", f.Name(), err)
	}
	return b, nil
}

// Unmap ends what Map returned. Any later access to b ends the process.
func Unmap(b []byte) error {
	if err := unix.Munmap(b); err != nil {
		return fmt.Errorf("segment: munmap: %w", err)
	}
	return nil
}

// control calls do with f's descriptor, which stays open meanwhile.
func control(f *os.File, do func(fd int) error) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := raw.Control(func(fd uintptr) { inner = do(int(fd)) }); err != nil {
		return err
	}
	return inner
}

// Probe tries whether this process may make, seal and map shared memory and ring a bell:
// a container's rules may forbid any of it. The error says what is missing.
func Probe() error {
	err := errors.Join(probeMemory(), probeBell())
	if err != nil {
		return fmt.Errorf("shared memory cannot be used here: %w", err)
	}
	return nil
}

func probeMemory() error {
	size := os.Getpagesize()
	f, err := Create("muster-probe", size)
	if err != nil {
		return err
	}
	defer f.Close()
	b, err := Map(f, size, true)
	if err != nil {
		return err
	}
	b[size-1] = 1
	return Unmap(b)
}

func probeBell() error {
	f, err := NewBell()
	if err != nil {
		return err
	}
	defer f.Close()
	b, err := OpenBell(f)
	if err != nil {
		return err
	}
	defer b.Close()
	b.Ring()
	return control(f, func(fd int) error { // by hand: Wait would wait for ever where Ring is forbidden
		var count [8]byte
		if _, err := unix.Read(fd, count[:]); err != nil {
			return fmt.Errorf("bell: a ring did not arrive: %w", err)
		}
		return nil
	})
}
