package remote

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// identity is what a file changes when its contents change.
type identity struct {
	path    string
	device  uint64
	inode   uint64
	size    int64
	changed time.Time
}

var digests struct {
	sync.Mutex
	of map[identity]*digest
}

type digest struct {
	once sync.Once
	hex  string
	err  error
}

// Digest returns the SHA-256 of a file, in hexadecimal, and its size. A file that
// has not changed is read once in the life of the process.
func Digest(path string) (sum string, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", 0, err
	}
	if !info.Mode().IsRegular() {
		return "", 0, fmt.Errorf("%s is no regular file", path)
	}
	id := identity{path: path, size: info.Size(), changed: info.ModTime()}
	id.device, id.inode = fileNumber(info)
	digests.Lock()
	if digests.of == nil {
		digests.of = make(map[identity]*digest)
	}
	d := digests.of[id]
	if d == nil {
		d = new(digest)
		digests.of[id] = d
	}
	digests.Unlock()
	d.once.Do(func() {
		h := sha256.New()
		n, err := io.Copy(h, f)
		if err == nil && n != id.size {
			err = fmt.Errorf("%s has %d bytes and is being written: %d were read", path, id.size, n)
		}
		d.hex, d.err = hex.EncodeToString(h.Sum(nil)), err
	})
	if d.err != nil {
		return "", 0, d.err
	}
	return d.hex, id.size, nil
}
