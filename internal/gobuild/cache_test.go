//go:build linux || darwin

package gobuild

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func TestCacheIsBounded(t *testing.T) {
	tree(t, map[string]string{"go.mod": goMod, "main.go": program("x")})
	cache := filepath.Join(t.TempDir(), "cache")
	const planted = keptPrograms + 5
	inUse := filepath.Join(cache, "key-0", "run.1", "use.lock")
	for i := range planted {
		dir := filepath.Join(cache, fmt.Sprintf("key-%d", i))
		if err := os.MkdirAll(filepath.Join(dir, "run.1"), 0o700); err != nil {
			t.Fatal(err)
		}
		lock := filepath.Join(dir, "build.lock")
		if err := os.WriteFile(lock, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		used := time.Now().Add(-time.Duration(planted-i) * time.Hour)
		os.Chtimes(lock, used, used)
	}
	use, err := tryLock(inUse, syscall.LOCK_SH)
	if err != nil {
		t.Fatal(err)
	}
	defer use.Close()
	p, _ := build(t, Options{Cache: cache}, ".")
	defer p.Release()
	entries, err := os.ReadDir(cache)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != keptPrograms+1 { // one more is in use
		t.Errorf("%d programs kept, want %d and one in use", len(entries), keptPrograms)
	}
	for _, name := range []string{"key-0", fmt.Sprintf("key-%d", planted-1)} {
		if _, err := os.Stat(filepath.Join(cache, name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// S6: whoever else may write where programs are kept could choose what the user runs.
func TestS6CacheThatOthersCouldWriteIsNotUsed(t *testing.T) {
	make := func(mode os.FileMode, owner int, names ...string) func(*testing.T, string, string) {
		return func(t *testing.T, base, _ string) {
			dir := filepath.Join(append([]string{base}, names...)...)
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(dir, mode); err != nil {
				t.Fatal(err)
			}
			if owner != 0 {
				if err := os.Chown(dir, owner, owner); err != nil {
					t.Skipf("needs root to make a directory of another user's: %v", err)
				}
			}
		}
	}
	link := func(names ...string) func(*testing.T, string, string) {
		return func(t *testing.T, base, elsewhere string) {
			path := filepath.Join(append([]string{base}, names...)...)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(elsewhere, path); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, plant := range map[string]func(t *testing.T, base, elsewhere string){
		"link for muster":           link("muster"),
		"link for build":            link("muster", "build"),
		"foreign muster":            make(0o755, 4242, "muster"),
		"foreign build":             make(0o755, 4242, "muster", "build"),
		"all write muster":          make(0o777, 0, "muster"),
		"the group writes build":    make(0o770, 0, "muster", "build"),
		"all write and none sticks": make(0o777, 0),
	} {
		t.Run(name, func(t *testing.T) {
			base, elsewhere := t.TempDir(), t.TempDir()
			plant(t, base, elsewhere)
			t.Setenv("XDG_CACHE_HOME", base)
			if dir, err := new(builder).openCache(); err == nil {
				t.Errorf("%s is used", dir)
			}
			if got, _ := os.ReadDir(elsewhere); len(got) > 0 {
				t.Errorf("elsewhere there is %v now", got)
			}
		})
	}
	base := t.TempDir()
	make(os.ModeSticky|0o777, 0)(t, base, "") // as /tmp
	t.Setenv("XDG_CACHE_HOME", base)
	if _, err := new(builder).openCache(); err != nil {
		t.Errorf("a cache in what is as /tmp: %v", err)
	}
}
