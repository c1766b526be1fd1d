package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"gonum.org/v1/gonum/blas/blas64"
)

// A format reads and writes matrices in one file format.
type format struct {
	read  func(file []byte) (*content, error)
	write func(to io.Writer, a blas64.General) error
}

// formats are known by the ends of file names.
var formats = map[string]format{
	".mtx": {readMatrixMarket, writeMatrixMarket},
	".csv": {readCSV, writeCSV},
	".npy": {readNPY, writeNPY},
}

func formatOf(file string) format { return formats[strings.ToLower(filepath.Ext(file))] }

// load reads A and B from their files, which must fit each other and, together
// with C, into -memory.
func (o options) load() (a, b blas64.General, err error) {
	var parsed [2]*content
	for i, name := range []string{o.a, o.b} {
		info, err := os.Stat(name)
		if err != nil {
			return a, b, pathError(err)
		}
		if float64(info.Size()) > o.memory*(1<<30) {
			return a, b, fmt.Errorf("%s: %d bytes are more than -memory %g GiB", name, info.Size(), o.memory)
		}
		file, err := os.ReadFile(name)
		if err != nil {
			return a, b, pathError(err)
		}
		if parsed[i], err = formatOf(name).read(file); err != nil {
			return a, b, fmt.Errorf("%s: %w", name, err)
		}
	}
	ca, cb := parsed[0], parsed[1]
	if ca.cols != cb.rows {
		return a, b, fmt.Errorf("%s is %d×%d and %s is %d×%d: A needs as many columns as B has rows", o.a, ca.rows, ca.cols, o.b, cb.rows, cb.cols)
	}
	if err := o.fits(o.a+" and "+o.b, shape{m: ca.rows, n: cb.cols, k: ca.cols}); err != nil {
		return a, b, err
	}
	return ca.matrix(), cb.matrix(), nil
}

// writable reports, before any work is done, whether C's file could be made.
func (o options) writable() error {
	if o.out == "" {
		return nil
	}
	dir := filepath.Dir(o.out)
	if info, err := os.Stat(dir); err != nil {
		return pathError(err)
	} else if !info.IsDir() {
		return fmt.Errorf("%s: not a directory", dir)
	}
	if info, err := os.Stat(o.out); err == nil && info.IsDir() {
		return fmt.Errorf("%s: is a directory", o.out)
	}
	return nil
}

// save writes c beside name and then renames it, so that name is never seen half
// written.
func save(name string, c blas64.General) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return pathError(err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	err = formatOf(name).write(f, c)
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = os.Chmod(f.Name(), 0o644)
	}
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	return pathError(err)
}

// pathError drops the name of the system call from an error about a file.
func pathError(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return fmt.Errorf("%s: %w", path.Path, path.Err)
	}
	return err
}
