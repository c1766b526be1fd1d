package output

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
)

// files are the copies of what each rank prints, two a rank: rank.0003.out and
// rank.0003.err, readable by the user alone, every byte as it was written.
type files struct {
	dir    string
	copies []fileCopy // by stream
	failed atomic.Bool
}

type fileCopy struct {
	mu   sync.Mutex
	file *os.File // nil once it is complete or has failed
}

// openFiles makes the files of size ranks, in place of any of these names. Names
// are never followed: a link planted there is removed, not written through.
func openFiles(dir string, size int) (*files, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("output directory: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("output directory: %w", err)
	}
	defer root.Close()
	f := &files{dir: dir, copies: make([]fileCopy, 2*size)}
	digits := max(4, len(fmt.Sprint(size-1)))
	for rank := range size {
		for i, ext := range []string{"out", "err"} {
			name := fmt.Sprintf("rank.%0*d.%s", digits, rank, ext)
			file, err := replace(root, name)
			if err != nil {
				f.close()
				return nil, fmt.Errorf("output file %s: %w", filepath.Join(dir, name), cause(err))
			}
			f.copies[2*rank+i].file = file
		}
	}
	return f, nil
}

func replace(root *os.Root, name string) (*os.File, error) {
	if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}

// write adds to a stream's file. The first failure of any file is returned;
// later ones are the same disk's and are not. A file that failed is written
// no more, so that what it holds has no hole.
func (f *files) write(i int, chunk []byte, eof bool) error {
	c := &f.copies[i]
	c.mu.Lock()
	defer c.mu.Unlock()
	file := c.file
	if file == nil {
		return nil
	}
	var err error
	if len(chunk) > 0 {
		_, err = file.Write(chunk)
	}
	if eof || err != nil {
		c.file = nil
		if e := file.Close(); err == nil {
			err = e
		}
	}
	if err != nil && f.failed.CompareAndSwap(false, true) {
		return fmt.Errorf("output file %s: %w", filepath.Join(f.dir, file.Name()), cause(err))
	}
	return nil
}

// cause is a file operation's error without the file's name.
func cause(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

func (f *files) close() {
	for i := range f.copies {
		if file := f.copies[i].file; file != nil {
			file.Close()
		}
	}
}
