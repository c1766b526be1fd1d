package segment

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func create(t *testing.T, bytes int) *os.File {
	t.Helper()
	f, err := Create("test", bytes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestWhatOneHolderWritesAnotherReads(t *testing.T) {
	f := create(t, 10000)
	w, err := Map(f, 10000, true)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Map(f, 10000, false)
	if err != nil {
		t.Fatal(err)
	}
	w[9999] = 7
	if r[9999] != 7 || r[0] != 0 {
		t.Errorf("read %d and %d, want 7 and 0", r[9999], r[0])
	}
	for _, b := range [][]byte{w, r} {
		if err := Unmap(b); err != nil {
			t.Error(err)
		}
	}
}

func TestSizeIsSealedAndTheDescriptorsCloseOnExec(t *testing.T) {
	f := create(t, 4096)
	for _, size := range []int64{0, 4097} {
		if err := f.Truncate(size); err == nil {
			t.Errorf("the memory could be resized to %d bytes", size)
		}
	}
	bell, err := NewBell()
	if err != nil {
		t.Fatal(err)
	}
	defer bell.Close()
	for _, f := range []*os.File{f, bell} {
		err := control(f, func(fd int) error {
			flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
			if flags&unix.FD_CLOEXEC == 0 {
				t.Errorf("%s: descriptor flags %#x, want close-on-exec", f.Name(), flags)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func TestOtherFilesAreRefused(t *testing.T) {
	const size = 8192
	plain, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	if err := plain.Truncate(size); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.MemfdCreate("unsealed", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		t.Fatal(err)
	}
	unsealed := os.NewFile(uintptr(fd), "unsealed")
	defer unsealed.Close()
	if err := errors.Join(unsealed.Truncate(size), Reserve(unsealed, 0, size)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		f     *os.File
		bytes int
		want  string
	}{
		{"a plain file", plain, size, "sealed size"},
		{"a size that may change", unsealed, size, "sealed size"},
		{"a shorter segment", create(t, size/2), size, "has 4096 bytes, want 8192"},
		{"a longer segment", create(t, size*2), size, "has 16384 bytes, want 8192"},
		{"no bytes", create(t, size), 0, "want more than 0"},
	} {
		if b, err := Map(c.f, c.bytes, true); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: mapped %d bytes, error %v, want one with %q", c.name, len(b), err, c.want)
		}
	}
	if _, err := Create("none", 0); err == nil {
		t.Error("a segment of no bytes was made")
	}
}

// The host's shared memory is a tmpfs; here is a small one that can be filled.
func TestWhereMemoryIsShortTheReservationFails(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("a tmpfs of 1 MiB cannot be mounted here: %v", err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	f, err := os.Create(filepath.Join(dir, "segment"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(4 << 20); err != nil {
		t.Fatalf("truncating promises nothing, yet: %v", err)
	}
	err = Reserve(f, 0, 4<<20)
	if !errors.Is(err, unix.ENOSPC) || !strings.Contains(err.Error(), f.Name()) || !strings.Contains(err.Error(), "4194304") {
		t.Errorf("got %v, want ENOSPC with the name and the size", err)
	}
	if err := Reserve(f, 0, 512<<10); err != nil {
		t.Errorf("half a MiB of 1 MiB: %v", err)
	}
}

func TestRingEndsAWait(t *testing.T) {
	f, err := NewBell()
	if err != nil {
		t.Fatal(err)
	}
	ringer, err := OpenBell(f)
	if err != nil {
		t.Fatal(err)
	}
	waiter, err := OpenBell(f)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()

	ringer.Ring() // before the Wait: it is not lost
	ringer.Ring()
	if err := waiter.Wait(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	wait := func() { done <- waiter.Wait() }
	go wait()
	ringer.Ring()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := control(f, func(fd int) error { _, err := unix.Read(fd, make([]byte, 8)); return err }); err != unix.EAGAIN {
		t.Errorf("after as many Waits the bell still rings: read gives %v, want EAGAIN", err)
	}
	go wait()
	waiter.Close()
	if err := <-done; !errors.Is(err, os.ErrClosed) {
		t.Errorf("Wait at Close: %v, want os.ErrClosed", err)
	}
	if err := waiter.Wait(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Wait after Close: %v, want os.ErrClosed", err)
	}
	waiter.Ring()
	if err := errors.Join(waiter.Close(), ringer.Close()); err != nil {
		t.Error(err)
	}
}

func TestRingNeverBlocks(t *testing.T) {
	f, err := NewBell()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := OpenBell(f)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	full := [8]byte{0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff} // the most that the counter holds
	if err := control(f, func(fd int) error { _, err := unix.Write(fd, full[:]); return err }); err != nil {
		t.Fatal(err)
	}
	b.Ring()
	if err := b.Wait(); err != nil {
		t.Error(err)
	}
}

func TestProbe(t *testing.T) {
	if err := Probe(); err != nil {
		t.Skipf("this host forbids it: %v", err)
	}
	// Nothing is left behind.
	before, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip(err)
	}
	if err := Probe(); err != nil {
		t.Fatal(err)
	}
	after, _ := os.ReadDir("/proc/self/fd")
	if len(after) != len(before) {
		t.Errorf("%d descriptors, before %d", len(after), len(before))
	}
}

func BenchmarkRing(b *testing.B) {
	f, err := NewBell()
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	bell, err := OpenBell(f)
	if err != nil {
		b.Fatal(err)
	}
	defer bell.Close()
	for b.Loop() {
		bell.Ring()
	}
}
