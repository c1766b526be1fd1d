package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-mpi/muster/internal/testbed"
	"golang.org/x/sys/unix"
)

// finals are the names of a cache's whole binaries.
func finals(t *testing.T, cache string) []string {
	return slices.DeleteFunc(cached(t, cache), func(name string) bool { return !strings.HasPrefix(name, "muster-") })
}

func TestCachesThatOthersCouldWriteAreRefused(t *testing.T) {
	for _, test := range []struct {
		name  string
		plant func(t *testing.T, cache, elsewhere string)
		why   string
	}{
		{"link for muster", func(t *testing.T, cache, elsewhere string) {
			link(t, elsewhere, filepath.Join(cache, "muster"))
		}, "is a symbolic link"},
		{"link for agent", func(t *testing.T, cache, elsewhere string) {
			mkdir(t, filepath.Join(cache, "muster"), 0o700)
			link(t, elsewhere, filepath.Join(cache, "muster", "agent"))
		}, "is a symbolic link"},
		{"link to nothing", func(t *testing.T, cache, elsewhere string) {
			mkdir(t, filepath.Join(cache, "muster"), 0o700)
			link(t, filepath.Join(elsewhere, "new"), filepath.Join(cache, "muster", "agent"))
		}, "is a symbolic link"},
		{"others may write", func(t *testing.T, cache, elsewhere string) {
			mkdir(t, filepath.Join(cache, "muster", "agent"), 0o777)
		}, "others may write"},
		{"the group may write", func(t *testing.T, cache, elsewhere string) {
			mkdir(t, filepath.Join(cache, "muster", "agent"), 0o770)
		}, "others may write"},
		{"foreign directory", func(t *testing.T, cache, elsewhere string) {
			dir := filepath.Join(cache, "muster", "agent")
			mkdir(t, dir, 0o755)
			if err := os.Chown(dir, 4242, 4242); err != nil {
				t.Skipf("needs root to make a directory of another user's: %v", err)
			}
		}, "belongs to another user"},
		{"file", func(t *testing.T, cache, elsewhere string) {
			mkdir(t, filepath.Join(cache, "muster"), 0o700)
			if err := os.WriteFile(filepath.Join(cache, "muster", "agent"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "cannot be made"},
		{"pipe", func(t *testing.T, cache, elsewhere string) {
			mkdir(t, filepath.Join(cache, "muster"), 0o700)
			if err := unix.Mkfifo(filepath.Join(cache, "muster", "agent"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "cannot be made"},
		{"file for the cache", func(t *testing.T, cache, elsewhere string) {
			if err := os.Remove(cache); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(cache, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "cannot be made"},
	} {
		t.Run(test.name, func(t *testing.T) {
			cache, elsewhere, temp := t.TempDir(), t.TempDir(), t.TempDir()
			test.plant(t, cache, elsewhere)
			s, err := start(t, Options{Host: "a", Shell: local([]string{"XDG_CACHE_HOME=" + cache, "TMPDIR=" + temp}, plainLogin)})
			if err != nil {
				t.Fatal(err)
			}
			serves(t, s)
			if !strings.Contains(s.Info.Uncached, test.why) || s.Info.Cached {
				t.Errorf("the host says %+v, want %q", s.Info, test.why)
			}
			empty(t, elsewhere)
			empty(t, temp) // the agent has removed itself
		})
	}
}

func link(t *testing.T, target, name string) {
	t.Helper()
	if err := os.Symlink(target, name); err != nil {
		t.Fatal(err)
	}
}

func mkdir(t *testing.T, dir string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, mode); err != nil {
		t.Fatal(err)
	}
}

func empty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) > 0 {
		t.Errorf("%s has %v, %v; want nothing", dir, entries, err)
	}
}

func TestNoHomeIsNoFailure(t *testing.T) {
	temp := t.TempDir()
	s, err := start(t, Options{Host: "a", Shell: local([]string{"-u", "HOME", "-u", "XDG_CACHE_HOME", "TMPDIR=" + temp}, plainLogin)})
	if err != nil {
		t.Fatal(err)
	}
	serves(t, s)
	if !strings.Contains(s.Info.Uncached, "HOME is not set") {
		t.Errorf("the host says %+v", s.Info)
	}
	empty(t, temp)
}

func TestLaunchersStageAtOnce(t *testing.T) {
	cache := t.TempDir()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			s, err := Start(t.Context(), Options{Host: "a", Shell: local([]string{"XDG_CACHE_HOME=" + cache}, plainLogin)})
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			serves(t, s)
		})
	}
	wg.Wait()
	if files := cached(t, cache); len(files) != 1 || !strings.HasPrefix(files[0], "muster-") {
		t.Errorf("the cache has %v, want one binary", files)
	}
}

func TestInterruptedStagingLeavesNoBinary(t *testing.T) {
	cache := t.TempDir()
	env := []string{"XDG_CACHE_HOME=" + cache}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// The connection breaks: nothing is left.
	o := Options{Host: "a", Shell: local(env, self+` cut 3000000 | sh -c "$1"`)}
	if s, err := Start(t.Context(), o); err == nil {
		s.Kill()
		t.Fatal("there is an agent")
	}
	eventually(t, "nothing left", func() bool { return len(cached(t, cache)) == 0 })

	// The host is gone: what is left has no final name, and is in nobody's way.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		defer cancel()
		eventually(t, "some of the binary", func() bool {
			parts, _ := filepath.Glob(filepath.Join(cache, "muster", "agent", ".new-*"))
			if len(parts) == 0 {
				return false
			}
			info, err := os.Stat(parts[0])
			return err == nil && info.Size() > 2900000
		})
	}()
	o.Shell = local(env, `{ `+self+` cut 3000000; exec sleep 1000; } | sh -c "$1"`)
	if s, err := Start(ctx, o); err == nil {
		s.Kill()
		t.Fatal("there is an agent")
	} else if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if files := finals(t, cache); len(files) > 0 {
		t.Errorf("half a binary is there as %v", files)
	}
	reaches(t, env)
}

// reaches starts an agent in an environment and ends it.
func reaches(t *testing.T, env []string) Info {
	t.Helper()
	s, err := start(t, Options{Host: "a", Shell: local(env, plainLogin)})
	if err != nil {
		t.Fatal(err)
	}
	serves(t, s)
	s.Close()
	return s.Info
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Errorf("after 20 s still not: %s", what)
			return
		}
	}
}

func TestInterruptedStagingOverSSHCleansUp(t *testing.T) {
	f := testbed.SSH(t, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		defer cancel()
		eventually(t, "some of the binary", func() bool {
			parts, _ := filepath.Glob(filepath.Join(f.Cache(1), "muster", "agent", "*"))
			if len(parts) == 0 {
				return false
			}
			info, err := os.Stat(parts[0])
			return err == nil && info.Size() > 0
		})
	}()
	if s, err := Start(ctx, Options{Host: "node1", Shell: SSH("-F", f.Config())}); err == nil {
		s.Kill() // it was quicker
	}
	noProcesses(t, f)
	_, size, err := Digest("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range cached(t, f.Cache(1)) {
		info, err := os.Stat(filepath.Join(f.Cache(1), "muster", "agent", name))
		if err != nil || !strings.HasPrefix(name, "muster-") || info.Size() != size {
			t.Errorf("left over: %s, %v, %v", name, info, err)
		}
	}
}

func TestCacheIsBounded(t *testing.T) {
	cache := t.TempDir()
	dir := filepath.Join(cache, "muster", "agent")
	mkdir(t, dir, 0o700)
	plant := func(name string, age time.Duration) {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o700); err != nil {
			t.Fatal(err)
		}
		then := time.Now().Add(-age)
		os.Chtimes(path, then, then)
	}
	for i := range 6 {
		plant(fmt.Sprintf("muster-%d", i), time.Duration(i+1)*time.Hour)
	}
	plant(".new-old", 72*time.Hour)
	plant(".new-young", time.Hour)
	plant("notes", 1000*time.Hour)
	reaches(t, []string{"XDG_CACHE_HOME=" + cache})
	sum, _, err := Digest("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	got := cached(t, cache)
	want := []string{".new-young", "muster-0", "muster-1", "muster-2", "muster-" + sum, "notes"}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the cache has %v, want %v", got, want)
	}
}

func TestDamagedBinariesAreStagedAgain(t *testing.T) {
	for name, damage := range map[string]func(b []byte) []byte{
		"cut":      func(b []byte) []byte { return b[:len(b)/2] },
		"empty":    func(b []byte) []byte { return nil },
		"nonsense": func(b []byte) []byte { clear(b); return b },
		"silent":   func(b []byte) []byte { return append([]byte("#!/bin/true\n"), b[12:]...) },
	} {
		t.Run(name, func(t *testing.T) {
			cache := t.TempDir()
			env := []string{"XDG_CACHE_HOME=" + cache}
			reaches(t, env)
			path := filepath.Join(cache, "muster", "agent", finals(t, cache)[0])
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, damage(text), 0o700); err != nil {
				t.Fatal(err)
			}
			if info := reaches(t, env); info.Cached || info.Uncached != "" {
				t.Errorf("the host says %+v", info)
			}
			if info := reaches(t, env); !info.Cached {
				t.Errorf("mended, the host says %+v", info)
			}
		})
	}
}

// mounted is a login shell with file systems of its own at dirs.
func mounted(t *testing.T, options string, dirs ...string) string {
	t.Helper()
	mount := "true"
	for _, dir := range dirs {
		mount += fmt.Sprintf(" && mount -t tmpfs -o %s none %s", options, dir)
	}
	if out, err := exec.Command("unshare", "-rm", "sh", "-c", mount).CombinedOutput(); err != nil {
		t.Skipf("needs mount namespaces (root, or unprivileged user namespaces, and unshare of util-linux): %v %s", err, out)
	}
	return `exec unshare -rm sh -c "` + mount + ` && exec sh -c \"\$1\"" sh "$1"`
}

func TestFileSystemsThatCannotHoldTheBinary(t *testing.T) {
	// Every place where it could lie.
	cache, temp := t.TempDir(), t.TempDir()
	all := []string{cache, temp, "/tmp", "/var/tmp", "/dev/shm"}
	env := []string{"-u", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME=" + cache, "TMPDIR=" + temp}
	options := func(login string) Options { return Options{Host: "a", Shell: local(env, login)} }
	t.Run("full cache", func(t *testing.T) {
		s, err := start(t, options(mounted(t, "size=1m", cache)))
		if err != nil {
			t.Fatal(err)
		}
		serves(t, s)
		if !strings.Contains(s.Info.Uncached, "the disk there is full: "+cache) {
			t.Errorf("the host says %+v", s.Info)
		}
	})
	t.Run("all full", func(t *testing.T) {
		e := fails(t, options(mounted(t, "size=1m", cache, temp)), StageStage, "the disk there is full: "+temp)
		if !strings.Contains(e.Command, "df -h "+temp) {
			t.Errorf("the command is %q", e.Command)
		}
	})
	t.Run("noexec cache", func(t *testing.T) {
		s, err := start(t, options(mounted(t, "noexec", cache)))
		if err != nil {
			t.Fatal(err)
		}
		serves(t, s)
		if !strings.Contains(s.Info.Uncached, "noexec") {
			t.Errorf("the host says %+v", s.Info)
		}
	})
	t.Run("all noexec", func(t *testing.T) {
		fails(t, options(mounted(t, "noexec", slices.DeleteFunc(all, func(dir string) bool { return dir == temp || dir == cache })...)), StageStage, "noexec")
	})
	t.Run("read-only cache", func(t *testing.T) {
		s, err := start(t, options(mounted(t, "ro", cache)))
		if err != nil {
			t.Fatal(err)
		}
		serves(t, s)
		if !strings.Contains(s.Info.Uncached, "cannot be made") {
			t.Errorf("the host says %+v", s.Info)
		}
	})
	empty(t, temp)
}

// ownBinary copies this test's program, changed.
func ownBinary(t *testing.T, change func(b []byte)) string {
	t.Helper()
	text, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	change(text)
	path := filepath.Join(t.TempDir(), "muster")
	if err := os.WriteFile(path, text, 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestBinaryOfAnotherMachineIsNamed(t *testing.T) {
	const machine = 18 // in ELF's header
	path := ownBinary(t, func(b []byte) { b[machine]++ })
	for _, program := range []string{"dash", "bash"} {
		t.Run(program, func(t *testing.T) {
			need(t, program)
			shell := local([]string{"XDG_CACHE_HOME=" + t.TempDir()}, `eval "set -- ${1#exec /bin/sh -c }"; exec `+program+` -c "$1"`)
			fails(t, Options{Host: "a", Shell: shell, Agent: AgentBinary{Path: path}}, StageStage, "not for the host's machine")
		})
	}
}

func TestOtherMachinesGetTheirOwnBinary(t *testing.T) {
	machine, arch := "aarch64", "arm64"
	if runtime.GOARCH == arch {
		machine, arch = "x86_64", "amd64"
	}
	cache := t.TempDir()
	shell := local([]string{"XDG_CACHE_HOME=" + cache}, `uname() { echo Linux a 6.1 `+machine+`; }; `+functionsToo)
	path := ownBinary(t, func([]byte) {})
	released := 0
	binary := AgentBinary{Other: func(_ context.Context, goos, goarch string) (string, func(), error) {
		if goos != "linux" || goarch != arch {
			return "", nil, fmt.Errorf("asked for %s/%s", goos, goarch)
		}
		return path, func() { released++ }, nil
	}}
	for _, cached := range []bool{false, true} {
		s, err := start(t, Options{Host: "a", Shell: shell, Agent: binary})
		if err != nil {
			t.Fatal(err)
		}
		serves(t, s)
		s.Close()
		if s.Info.Arch != arch || s.Info.Cached != cached {
			t.Errorf("the host says %+v, want %s, cached %v", s.Info, arch, cached)
		}
	}
	if released != 2 {
		t.Errorf("the binary was released %d times, want 2", released)
	}
	binary.Other = func(context.Context, string, string) (string, func(), error) { return "", nil, io.ErrUnexpectedEOF }
	e := fails(t, Options{Host: "a", Shell: shell, Agent: binary}, StageStage, "linux/"+arch)
	if !errors.Is(e, io.ErrUnexpectedEOF) {
		t.Errorf("%v hides its cause", e)
	}
}

func TestBinaryForAnotherMachineIsBuiltFromSource(t *testing.T) {
	machine, arch := "aarch64", "arm64"
	if runtime.GOARCH == arch {
		machine, arch = "x86_64", "amd64"
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// This go command makes of any source the test's program, and says how it was called.
	bin, log := t.TempDir(), filepath.Join(t.TempDir(), "log")
	goCommand := fmt.Sprintf("#!/bin/sh\necho $GOOS $GOARCH $CGO_ENABLED $PWD \"$@\" >>%s\nmkdir -p $3 && cp %s $3/muster\n", log, self)
	if err := os.WriteFile(filepath.Join(bin, "go"), []byte(goCommand), 0o700); err != nil {
		t.Fatal(err)
	}
	path := os.Getenv("PATH")
	t.Setenv("PATH", bin+":"+path)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	shell := local([]string{"PATH=" + path, "XDG_CACHE_HOME=" + t.TempDir()}, `uname() { echo Linux a 6.1 `+machine+`; }; `+functionsToo)
	s, err := start(t, Options{Host: "a", Shell: shell})
	if err != nil {
		t.Fatal(err)
	}
	serves(t, s)
	said, err := os.ReadFile(log)
	if want := "linux " + arch + " 0 "; err != nil || !strings.HasPrefix(string(said), want) || !strings.Contains(string(said), "cmd/muster") {
		t.Errorf("the go command was called as %s, %v; want %s… cmd/muster", said, err, want)
	}

	t.Setenv("PATH", "/nonexistent")
	shell.Argv[0] = "/usr/bin/env"
	fails(t, Options{Host: "a", Shell: shell}, StageStage, "the go command is not in PATH")
	t.Chdir(t.TempDir())
	t.Setenv("GOMODCACHE", t.TempDir())
	fails(t, Options{Host: "a", Shell: shell}, StageStage, "neither here nor in Go's module cache")
}
