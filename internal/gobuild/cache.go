//go:build linux || darwin

package gobuild

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The cache holds a directory for each key:
//
//	build.lock   locked by who builds; its time is that of the latest use
//	out/         what the go command writes, and finds again
//	run.*/       a link to one state of the program, and use.lock, which
//	             is locked, shared, by the launchers that start it
//
// The go command replaces the file in out/ rather than write into it, so a link
// keeps its state.
const (
	keptPrograms = 16
	keptFor      = 30 * 24 * time.Hour
	pollLock     = 10 * time.Millisecond
	removed      = ".removed" // ends the name of a directory being removed
)

// openCache returns the directory of the cache, made if missing. It fails where
// others could write, or exchange it, since they could then choose what the user runs.
func (b *builder) openCache() (string, error) {
	dirs := []string{b.Cache}
	if b.Cache == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		if err := os.MkdirAll(base, 0o700); err != nil {
			return "", err
		}
		info, err := os.Stat(base)
		if err != nil {
			return "", err
		}
		if info.Mode().Perm()&0o002 != 0 && info.Mode()&os.ModeSticky == 0 {
			return "", fmt.Errorf("%s may be changed by everybody", base)
		}
		dirs = []string{filepath.Join(base, "muster"), filepath.Join(base, "muster", "build")}
	} else if err := os.MkdirAll(filepath.Dir(b.Cache), 0o700); err != nil {
		return "", err
	}
	for _, dir := range dirs {
		// Step by step: nothing is made behind a link.
		if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return "", err
		}
		info, err := os.Lstat(dir)
		if err != nil {
			return "", err
		}
		owner, ok := info.Sys().(*syscall.Stat_t)
		if !ok || !info.IsDir() || int(owner.Uid) != os.Geteuid() || info.Mode().Perm()&0o022 != 0 {
			return "", fmt.Errorf("%s is not a directory of this user's alone", dir)
		}
	}
	dir := dirs[len(dirs)-1]
	return dir, unix.Access(dir, unix.W_OK|unix.X_OK)
}

func (b *builder) inCache(ctx context.Context, cache string) (*Program, error) {
	dir := filepath.Join(cache, b.key())
	lock, err := lockKey(ctx, dir)
	if err != nil {
		return nil, fmt.Errorf("building %s: %w", b.target.Name, err)
	}
	defer lock.Close()
	out := filepath.Join(dir, "out")
	built, err := b.run(ctx, out)
	var count *countError
	if errors.As(err, &count) && count.n > 1 {
		// The program has changed its name since it was built last.
		if err = os.RemoveAll(out); err == nil {
			built, err = b.run(ctx, out)
		}
	}
	if err != nil {
		return nil, err
	}
	p, err := pin(dir, built)
	if err != nil {
		return nil, fmt.Errorf("building %s: %w", b.target.Name, err)
	}
	now := time.Now()
	os.Chtimes(lock.Name(), now, now)
	evict(cache, dir)
	return p, nil
}

// lockKey returns the locked build.lock of a key's directory, made if missing.
// Closing the file unlocks it.
func lockKey(ctx context.Context, dir string) (*os.File, error) {
	for {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
		name := filepath.Join(dir, "build.lock")
		lock, err := tryLock(name, syscall.LOCK_EX)
		if err == nil {
			return lock, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(pollLock):
		}
	}
}

// tryLock opens name and locks it, or fails with EWOULDBLOCK where another
// process holds it and with fs.ErrNotExist where it was removed meanwhile.
func tryLock(name string, how int) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
		if err != syscall.EINTR {
			break
		}
	}
	if err == nil {
		var mine, named os.FileInfo
		if mine, err = f.Stat(); err == nil {
			if named, err = os.Lstat(name); err == nil && !os.SameFile(mine, named) {
				err = fs.ErrNotExist
			}
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// pin returns the program at built under a name that will not be replaced, and
// removes earlier states that nobody uses. The caller holds the key's lock.
func pin(dir, built string) (*Program, error) {
	info, err := os.Stat(built)
	if err != nil {
		return nil, err
	}
	runs, err := filepath.Glob(filepath.Join(dir, "run.*"))
	if err != nil {
		return nil, err
	}
	var path string
	for _, run := range runs {
		name := filepath.Join(run, filepath.Base(built))
		if state, err := os.Stat(name); path == "" && err == nil && os.SameFile(info, state) {
			path = name
			continue
		}
		removeUnused(run)
	}
	if path == "" {
		run, err := os.MkdirTemp(dir, "run.*")
		if err != nil {
			return nil, err
		}
		path = filepath.Join(run, filepath.Base(built))
		if err := linkOrMove(built, path); err != nil {
			return nil, err
		}
	}
	use, err := tryLock(filepath.Join(filepath.Dir(path), "use.lock"), syscall.LOCK_SH)
	if err != nil {
		return nil, err
	}
	return &Program{Path: path, release: func() { use.Close() }}, nil
}

// linkOrMove gives the file at from the name to. Where there are no hard links the
// go command has to link the program again next time.
func linkOrMove(from, to string) error {
	if os.Link(from, to) == nil {
		return nil
	}
	return os.Rename(from, to)
}

// removeUnused removes a state of a program unless a launcher uses it.
func removeUnused(run string) bool {
	use, err := tryLock(filepath.Join(run, "use.lock"), syscall.LOCK_EX)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	defer use.Close()
	return os.RemoveAll(run) == nil
}

// evict removes the programs that were not used for long or are more than is
// kept, except the one in keep and those in use. Failing at that is no failure
// of a build.
func evict(cache, keep string) {
	type program struct {
		dir  string
		used time.Time
	}
	var programs []program
	entries, _ := os.ReadDir(cache)
	for _, e := range entries {
		dir := filepath.Join(cache, e.Name())
		info, err := os.Stat(filepath.Join(dir, "build.lock"))
		if err == nil && dir != keep && !strings.HasSuffix(dir, removed) {
			programs = append(programs, program{dir, info.ModTime()})
		}
		if strings.HasSuffix(dir, removed) {
			os.RemoveAll(dir) // of a launcher that was killed meanwhile
		}
	}
	slices.SortFunc(programs, func(a, b program) int { return b.used.Compare(a.used) })
	for i, p := range programs {
		if i >= keptPrograms-1 || time.Since(p.used) > keptFor {
			removeKey(p.dir)
		}
	}
}

func removeKey(dir string) {
	lock, err := tryLock(filepath.Join(dir, "build.lock"), syscall.LOCK_EX)
	if err != nil {
		return
	}
	defer lock.Close()
	runs, err := filepath.Glob(filepath.Join(dir, "run.*"))
	if err != nil {
		return
	}
	for _, run := range runs {
		if !removeUnused(run) {
			return
		}
	}
	// Renamed first: a launcher that wants the key at this moment makes a new
	// directory instead of working in one that is being removed.
	old := dir + removed
	os.RemoveAll(old)
	if os.Rename(dir, old) == nil {
		os.RemoveAll(old)
	}
}

func interrupt(p *os.Process) error { return p.Signal(os.Interrupt) }
