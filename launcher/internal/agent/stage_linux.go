package agent

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	pb "github.com/muster-mpi/muster/proto"
)

// keptPrograms is how many programs stay in a host's store for the next job. One that
// was used within storedFor stays beyond that: a job may be about to start it.
const (
	keptPrograms = 8
	storedFor    = time.Hour
)

// store is where a host keeps the programs it was given, by the hash of what they
// hold.
type store struct {
	dir     string
	private bool // for this job alone: to be removed at its end
}

// openStore opens the user's store, or makes one for this job where there can be none.
func openStore() (*store, error) {
	base, err := os.UserCacheDir()
	if err == nil {
		dir := filepath.Join(base, "muster", "program")
		if err = ownDir(dir); err == nil {
			return &store{dir: dir}, nil
		}
	}
	dir, e := os.MkdirTemp("", "muster-program-")
	if e != nil {
		return nil, fmt.Errorf("no place for the program: %w; %w", err, e)
	}
	return &store{dir: dir, private: true}, nil
}

// ownDir makes sure that dir is a directory which nobody but this user can change.
func ownDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, d := range []string{filepath.Dir(dir), dir} {
		info, err := os.Lstat(d)
		if err != nil {
			return err
		}
		owner, ok := info.Sys().(*syscall.Stat_t)
		switch {
		case !info.IsDir():
			return fmt.Errorf("%s is no directory", d)
		case ok && int(owner.Uid) != os.Geteuid():
			return fmt.Errorf("%s belongs to user %d", d, owner.Uid)
		case info.Mode().Perm()&0o022 != 0:
			return fmt.Errorf("%s may be changed by others (mode %v)", d, info.Mode().Perm())
		}
	}
	return nil
}

func (s *store) path(digest []byte) string { return filepath.Join(s.dir, hex.EncodeToString(digest)) }

// find returns the program's path if the store has it.
func (s *store) find(p *pb.Program) (string, bool) {
	path := s.path(p.GetDigest())
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() != p.GetBytes() {
		return "", false
	}
	now := time.Now()
	os.Chtimes(path, now, now) // fails on a store of others, which is of no consequence
	return path, true
}

// incoming is a program on its way into the store.
type incoming struct {
	program *pb.Program
	file    *os.File
	sum     hash.Hash
	bytes   int64
}

func (s *store) begin(p *pb.Program) (*incoming, error) {
	f, err := os.CreateTemp(s.dir, ".incoming-*")
	if err != nil {
		return nil, err
	}
	return &incoming{program: p, file: f, sum: sha256.New()}, nil
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
	os.Remove(in.file.Name())
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
	path := s.path(in.program.GetDigest())
	if err == nil {
		err = os.Rename(in.file.Name(), path)
	}
	if err != nil {
		os.Remove(in.file.Name())
		return "", err
	}
	s.evict(path)
	return path, nil
}

// evict removes what is old, beyond keptPrograms.
func (s *store) evict(keep string) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return
	}
	var old []fs.FileInfo
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && time.Since(info.ModTime()) > storedFor && filepath.Join(s.dir, e.Name()) != keep {
			old = append(old, info)
		}
	}
	slices.SortFunc(old, func(a, b fs.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	for _, info := range old[:max(0, min(len(old), len(entries)-keptPrograms))] {
		os.Remove(filepath.Join(s.dir, info.Name()))
	}
}

// stage sees to it that the host has the programs of its ranks, and then starts them.
// It is a goroutine of its own until then.
func (h *host) stage() {
	programs, err := h.collect()
	h.post(func() {
		if errors.Is(err, errEnding) {
			h.onSpawned(nil)
			return
		}
		if err != nil {
			h.onSpawned(&spawnError{rank: -1, code: ExitSpawn, err: fmt.Errorf("cannot place the program on %s: %w", h.hostName(), err)})
			return
		}
		h.programs = programs
		go (&spawner{h: h}).run()
	})
}

// collect returns the paths of the programs that the launcher provides, by digest. It
// asks for those which are not here.
func (h *host) collect() (map[string]string, error) {
	paths := make(map[string]string)
	var wanted []*pb.Program
	var names []string
	want := func(p *pb.Program, name string) {
		if p == nil {
			return
		}
		if _, ok := paths[string(p.GetDigest())]; !ok {
			paths[string(p.GetDigest())] = ""
			wanted, names = append(wanted, p), append(names, name)
		}
	}
	for _, app := range h.start.GetApps() {
		want(app.GetProgram(), app.GetArgv()[0])
		for _, f := range app.GetFiles() {
			want(f.GetContent(), "")
		}
	}
	if len(wanted) == 0 {
		return paths, nil
	}
	s, err := openStore()
	if err != nil {
		return nil, err
	}
	if s.private {
		h.post(func() { h.scratch = append(h.scratch, s.dir) })
	}
	missing := make(map[string]*pb.Program)
	need := new(pb.Need)
	for i, p := range wanted {
		path, ok := s.find(p)
		if !ok && holds(names[i], p) {
			path, ok = names[i], true // as on a file system that the hosts share
		}
		if ok {
			paths[string(p.GetDigest())] = path
			continue
		}
		missing[string(p.GetDigest())] = p
		need.Digests = append(need.Digests, p.GetDigest())
	}
	if len(missing) == 0 {
		return paths, nil
	}
	h.send(&pb.FromAgent{Kind: &pb.FromAgent_Need{Need: need}})
	return paths, h.receive(s, missing, paths)
}

// receive takes what is missing into the store.
func (h *host) receive(s *store, missing map[string]*pb.Program, paths map[string]string) error {
	coming := make(map[string]*incoming)
	defer func() {
		for _, in := range coming {
			in.abandon()
		}
	}()
	for len(missing) > 0 {
		blobs := h.blobs.take()
		if blobs == nil {
			return errEnding
		}
		for _, b := range blobs {
			digest := string(b.GetDigest())
			p := missing[digest]
			if p == nil {
				continue // twice
			}
			in := coming[digest]
			if in == nil {
				var err error
				if in, err = s.begin(p); err != nil {
					return err
				}
				coming[digest] = in
			}
			if err := in.write(b.GetData()); err != nil {
				return err
			}
			if !b.GetLast() {
				continue
			}
			delete(coming, digest)
			path, err := s.end(in)
			if err != nil {
				return err
			}
			paths[digest] = path
			delete(missing, digest)
		}
	}
	return nil
}

// holds reports whether the file at path is the program.
func holds(path string, p *pb.Program) bool {
	if !strings.Contains(path, "/") {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() != p.GetBytes() || executable(path) != nil {
		return false
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return false
	}
	return bytes.Equal(sum.Sum(nil), p.GetDigest())
}

// removeScratch removes what was made for this job alone.
func (h *host) removeScratch() error {
	var errs []error
	for _, dir := range h.scratch {
		errs = append(errs, os.RemoveAll(dir))
	}
	return errors.Join(errs...)
}
