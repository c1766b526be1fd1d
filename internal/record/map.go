package record

import (
	"fmt"
	"os"
	"unsafe"

	"github.com/muster-mpi/muster/internal/segment"
)

// Create returns memory for one process as a descriptor that is closed on exec. The
// parent keeps it for Open and passes a duplicate to the process. On other systems than
// Linux the error is errors.ErrUnsupported, and New is what remains.
func Create() (*os.File, error) {
	f, err := segment.Create("muster-record", Bytes)
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	return f, nil
}

// Map clears the memory that f, made by Create, stands for and returns the Ring over it,
// which lasts as long as the process. f may be closed afterwards.
func Map(f *os.File) (*Ring, error) {
	b, err := segment.Map(f, Bytes, true)
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	return newRing((*memory)(unsafe.Pointer(unsafe.SliceData(b)))), nil
}

// Open returns a Reader of the memory that f, made by Create, stands for. It cannot
// change it. f may be closed afterwards.
func Open(f *os.File) (*Reader, error) {
	b, err := segment.Map(f, Bytes, false)
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	return &Reader{
		m:     (*memory)(unsafe.Pointer(unsafe.SliceData(b))),
		unmap: func() error { return segment.Unmap(b) },
	}, nil
}
