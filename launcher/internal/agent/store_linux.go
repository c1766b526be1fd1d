package agent

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	pb "github.com/muster-mpi/muster/proto"
	"golang.org/x/sys/unix"
)

// keptPrograms is how many programs stay in a host's store for the next job. One that
// was used within storedFor stays beyond that: a job may be about to start it.
const (
	keptPrograms = 8
	storedFor    = time.Hour
)

// store is where a host keeps the programs it was given, by the hash of what they
// hold. Its directory is held by a descriptor from when it was found to be nobody
// else's: whoever may exchange a directory on the way to it gains nothing.
type store struct {
	dir     string
	private bool // for this job alone: to be removed at its end

	root *os.Root
	held *os.File // the directory
}

// openStore opens the user's store, or makes one for this job where there can be none.
func openStore() (*store, error) {
	base, err := os.UserCacheDir()
	if err == nil {
		s := &store{dir: filepath.Join(base, "muster", "program")}
		if err = s.hold(base, "muster", "program"); err == nil {
			return s, nil
		}
	}
	dir, e := os.MkdirTemp("", "muster-program-")
	if e != nil {
		return nil, fmt.Errorf("no place for the program: %w; %w", err, e)
	}
	s := &store{dir: dir, private: true}
	if e := s.hold(filepath.Dir(dir), filepath.Base(dir)); e != nil {
		os.Remove(dir)
		return nil, fmt.Errorf("no place for the program: %w; %w", err, e)
	}
	return s, nil
}

// ownDir makes sure that dir and the directory that it is in are directories which
// nobody but this user can change.
func ownDir(dir string) error {
	parent := filepath.Dir(dir)
	s := new(store)
	if err := s.hold(filepath.Dir(parent), filepath.Base(parent), filepath.Base(dir)); err != nil {
		return err
	}
	s.close()
	return nil
}

// hold opens the last of the directories below base, each of which is in the one before
// and has to be nobody else's. What is missing it makes.
func (s *store) hold(base string, names ...string) error {
	if err := os.MkdirAll(base, 0o700); err != nil {
		return err
	}
	at, err := unix.Open(base, unix.O_DIRECTORY|unix.O_CLOEXEC|unix.O_RDONLY, 0)
	if err != nil {
		return &fs.PathError{Op: "open", Path: base, Err: err}
	}
	path := base
	for _, name := range names {
		path = filepath.Join(path, name)
		fd, err := enterOwn(at, name, path)
		unix.Close(at)
		if err != nil {
			return err
		}
		at = fd
	}
	root, err := os.OpenRoot(fmt.Sprintf("/proc/self/fd/%d", at))
	if err != nil {
		unix.Close(at)
		return err
	}
	s.root, s.held = root, os.NewFile(uintptr(at), path)
	return nil
}

// enterOwn opens a directory of this user's alone within another.
func enterOwn(at int, name, path string) (fd int, err error) {
	if err := unix.Mkdirat(at, name, 0o700); err != nil && err != unix.EEXIST {
		return -1, &fs.PathError{Op: "mkdir", Path: path, Err: err}
	}
	fd, err = unix.Openat(at, name, unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_RDONLY, 0)
	if err != nil {
		return -1, notOwn(path, err)
	}
	if err := checkOwn(fd, path); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// notOwn says why a directory could not be opened as one.
func notOwn(path string, err error) error {
	info, e := os.Lstat(path)
	switch {
	case e == nil && info.Mode()&fs.ModeSymlink != 0:
		return fmt.Errorf("%s is a symbolic link", path)
	case e == nil && !info.IsDir():
		return fmt.Errorf("%s is no directory", path)
	}
	return &fs.PathError{Op: "open", Path: path, Err: err}
}

// checkOwn checks the directory that fd is.
func checkOwn(fd int, path string) error {
	var info unix.Stat_t
	if err := unix.Fstat(fd, &info); err != nil {
		return &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	switch {
	case int(info.Uid) != os.Geteuid():
		return fmt.Errorf("%s belongs to user %d", path, info.Uid)
	case info.Mode&0o022 != 0:
		return fmt.Errorf("%s may be changed by others (mode %v)", path, fs.FileMode(info.Mode&0o777))
	}
	return nil
}

// close gives the store up. What path has returned leads nowhere then.
func (s *store) close() {
	s.root.Close()
	s.held.Close()
}

// path is how a program of the store is started, whatever its directory is called by
// then.
func (s *store) path(digest []byte) string {
	return fmt.Sprintf("/proc/%d/fd/%d/%s", os.Getpid(), s.held.Fd(), programName(digest))
}

func programName(digest []byte) string { return hex.EncodeToString(digest) }

// find returns the program's path if the store has it.
func (s *store) find(p *pb.Program) (string, bool) {
	name := programName(p.GetDigest())
	info, err := s.root.Lstat(name)
	if err != nil || !info.Mode().IsRegular() {
		return "", false
	}
	f, err := s.root.Open(name)
	if err != nil {
		return "", false
	}
	defer f.Close()
	if !isProgram(f, p) {
		return "", false
	}
	now := time.Now()
	s.root.Chtimes(name, now, now) // the oldest are removed first
	return s.path(p.GetDigest()), true
}

// isProgram reports whether f holds the program.
func isProgram(f *os.File, p *pb.Program) bool {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() != p.GetBytes() {
		return false
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return false
	}
	return bytes.Equal(sum.Sum(nil), p.GetDigest())
}

// incoming is a program on its way into the store.
type incoming struct {
	program *pb.Program
	name    string
	file    *os.File
	sum     hash.Hash
	bytes   int64
	root    *os.Root
}

func (s *store) begin(p *pb.Program) (*incoming, error) {
	name := ".incoming-" + rand.Text()
	f, err := s.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return &incoming{program: p, name: name, file: f, sum: sha256.New(), root: s.root}, nil
}

func (in *incoming) write(data []byte) error {
	in.bytes += int64(len(data))
	if in.bytes > in.program.GetBytes() {
		return fmt.Errorf("more than the %d bytes that were announced came", in.program.GetBytes())
	}
	in.sum.Write(data)
	_, err := in.file.Write(data)
	return err
}

func (in *incoming) abandon() {
	in.file.Close()
	in.root.Remove(in.name)
}

// end gives the program its name, if it is what it should be.
func (s *store) end(in *incoming) (string, error) {
	err := in.file.Chmod(0o500)
	if e := in.file.Close(); err == nil {
		err = e
	}
	if err == nil && !bytes.Equal(in.sum.Sum(nil), in.program.GetDigest()) {
		err = fmt.Errorf("%d bytes came that are not the program: their SHA-256 is %x, want %x",
			in.bytes, in.sum.Sum(nil), in.program.GetDigest())
	}
	name := programName(in.program.GetDigest())
	if err == nil {
		err = s.root.Rename(in.name, name)
	}
	if err != nil {
		s.root.Remove(in.name)
		return "", err
	}
	s.evict(name)
	return s.path(in.program.GetDigest()), nil
}

// evict removes what is old, beyond keptPrograms.
func (s *store) evict(keep string) {
	entries, err := fs.ReadDir(s.root.FS(), ".")
	if err != nil {
		return
	}
	var old []fs.FileInfo
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && time.Since(info.ModTime()) > storedFor && e.Name() != keep {
			old = append(old, info)
		}
	}
	slices.SortFunc(old, func(a, b fs.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	for _, info := range old[:max(0, min(len(old), len(entries)-keptPrograms))] {
		s.root.Remove(info.Name())
	}
}

// take adds a piece to what is coming of p, and returns p's path if it was the last.
func (s *store) take(coming map[string]*incoming, p *pb.Program, b *pb.Blob) (path string, err error) {
	digest := string(p.GetDigest())
	in := coming[digest]
	if in == nil {
		if in, err = s.begin(p); err != nil {
			return "", err
		}
		coming[digest] = in
	}
	if err := in.write(b.GetData()); err != nil || !b.GetLast() {
		return "", err
	}
	delete(coming, digest)
	return s.end(in)
}
