package record

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The child of TestRecordSurvivesSIGKILL finds its memory on this descriptor.
const childEnv, childFD = "MUSTER_RECORD_TEST_CHILD", 3

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		child()
	}
	os.Exit(m.Run())
}

// child does some operations, blocks in one, says so and waits to be killed.
func child() {
	f := os.NewFile(childFD, "record")
	r, err := Map(f)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	f.Close()
	r.Phase(Joined)
	r.NameComm(0, "world")
	r.Begin(OpSend, 0, 1, 5, 8).End(r)
	r.BeginLocked(OpRecv, 0, 2, 7, 1024).Block(r, time.Now().UnixNano(), "solver.go:142")
	fmt.Println("blocked")
	for {
		time.Sleep(time.Hour) // an empty select would be a deadlock without cgo
	}
}

func TestRecordSurvivesSIGKILL(t *testing.T) {
	f, err := Create()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := Open(f)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got := r.Phase(); got != Absent {
		t.Errorf("before the process: phase %v, want %v", got, Absent)
	}

	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"=1")
	cmd.ExtraFiles = []*os.File{f} // becomes childFD
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	cmd.Process.Kill()
	cmd.Wait()
	if line != "blocked\n" {
		t.Fatalf("child says %q, want %q", line, "blocked\n")
	}
	if status := cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != syscall.SIGKILL {
		t.Fatalf("child ended with %v, want SIGKILL", cmd.ProcessState)
	}

	if got := r.Phase(); got != Joined {
		t.Errorf("phase %v, want %v", got, Joined)
	}
	got := r.Last(10)
	if len(got) != 2 || got[1].String() != "Send to 1 tag 5 on world, 8 bytes, done" {
		t.Fatalf("last: got %v, want a receive and a finished send", got)
	}
	text := got[0].String()
	if !strings.HasPrefix(text, "Recv from 2 tag 7 on world, 1024 bytes, blocked ") || !strings.HasSuffix(text, " at solver.go:142") {
		t.Errorf("got %q", text)
	}
	if blocked := r.Blocked(); len(blocked) != 1 || blocked[0].Seq != got[0].Seq {
		t.Errorf("blocked: got %v, want the receive", blocked)
	}
}

func TestSizeIsSealedAndTheDescriptorCloseOnExec(t *testing.T) {
	f, err := Create()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, size := range []int64{0, int64(Bytes) + 1} {
		if err := f.Truncate(size); err == nil {
			t.Errorf("the memory could be resized to %d bytes", size)
		}
	}
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFD, 0)
	if err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("descriptor flags %#x, error %v; want close-on-exec", flags, err)
	}
}

func TestOtherDescriptorsAreRefused(t *testing.T) {
	plain, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	if err := plain.Truncate(int64(Bytes)); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.MemfdCreate("test", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		t.Fatal(err)
	}
	unsealed := os.NewFile(uintptr(fd), "unsealed")
	defer unsealed.Close()
	if err := unsealed.Truncate(int64(Bytes)); err != nil {
		t.Fatal(err)
	}
	fd, err = unix.MemfdCreate("test", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	empty := os.NewFile(uintptr(fd), "empty")
	defer empty.Close()
	for name, f := range map[string]*os.File{"plain file": plain, "memory file not sealed": unsealed, "empty": empty} {
		if _, err := Map(f); err == nil {
			t.Errorf("%s: Map took it", name)
		}
		if _, err := Open(f); err == nil {
			t.Errorf("%s: Open took it", name)
		}
	}
}

func TestReaderAfterCloseFindsNothing(t *testing.T) {
	f, err := Create()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := Map(f)
	if err != nil {
		t.Fatal(err)
	}
	w.Begin(OpSend, 0, 1, 5, 8)
	r, err := Open(f)
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Last(1); len(got) != 1 {
		t.Errorf("got %v, want one record", got)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if got := r.Last(1); len(got) != 0 || r.Phase() != Absent || r.Close() != nil {
		t.Errorf("after Close: %v, %v", got, r.Phase())
	}
}
