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
