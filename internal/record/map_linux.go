package record

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// seals fix the size, so that no holder of the descriptor can make a reader fault by
// cutting the file.
const seals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_SEAL

// Create returns memory for one process as a descriptor that is closed on exec: a memfd
// of Bytes bytes whose size is sealed. The parent keeps it for Open and passes a
// duplicate to the process. On other systems than Linux the error is errors.ErrUnsupported.
func Create() (*os.File, error) {
	fd, err := unix.MemfdCreate("muster-record", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("record: memfd_create: %w", err)
	}
	f := os.NewFile(uintptr(fd), "muster-record")
	if err := f.Truncate(int64(Bytes)); err != nil {
		f.Close()
		return nil, fmt.Errorf("record: sizing a memfd to %d bytes: %w", Bytes, err)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		f.Close()
		return nil, fmt.Errorf("record: sealing a memfd: %w", err)
	}
	return f, nil
}

// Map clears the memory that f, made by Create, stands for and returns the Ring over it,
// which lasts as long as the process. f may be closed afterwards.
func Map(f *os.File) (*Ring, error) {
	b, err := mmap(f, unix.PROT_READ|unix.PROT_WRITE)
	if err != nil {
		return nil, err
	}
	return newRing((*memory)(unsafe.Pointer(unsafe.SliceData(b)))), nil
}

// Open returns a Reader of the memory that f, made by Create, stands for. It cannot
// change it. f may be closed afterwards.
func Open(f *os.File) (*Reader, error) {
	b, err := mmap(f, unix.PROT_READ)
	if err != nil {
		return nil, err
	}
	return &Reader{
		m:     (*memory)(unsafe.Pointer(unsafe.SliceData(b))),
		unmap: func() error { return unix.Munmap(b) },
	}, nil
}

// mmap maps the whole of f, after making sure that the mapping can never outlast the
// file's length: access past it would be a fault.
func mmap(f *os.File, prot int) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	if info.Size() != int64(Bytes) {
		return nil, fmt.Errorf("record: the descriptor has %d bytes, want %d: is it the record memory of the same version?", info.Size(), Bytes)
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	var b []byte
	var inner error
	err = raw.Control(func(fd uintptr) {
		have, err := unix.FcntlInt(fd, unix.F_GET_SEALS, 0)
		if err != nil || have&unix.F_SEAL_SHRINK == 0 {
			inner = fmt.Errorf("record: the descriptor is not a memory file of sealed size (seals %#x, error %v)", have, err)
			return
		}
		if b, inner = unix.Mmap(int(fd), 0, Bytes, prot, unix.MAP_SHARED); inner != nil {
			inner = fmt.Errorf("record: mmap of %d bytes: %w", Bytes, inner)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	return b, inner
}
