package shm

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/muster-mpi/muster/internal/layout"
)

func init() { roles["memory"] = memoryRole }

// memoryBytes of the role's memory are filled with pattern.
const memoryBytes = 3*vmPieceBytes + 77

func fillMemory(b []byte) {
	for i := range b {
		b[i] = byte(i * 7 >> 3)
	}
}

// memoryRole tells the test where its memory lies, and says whether the test has changed
// it as agreed, when asked.
func memoryRole() {
	e, self := inherited()
	c, err := e.open(self, os.Getppid(), nil)
	must(err)
	mem := make([]byte, memoryBytes)
	fillMemory(mem)
	s := &sink{mem: make([]byte, 64)}
	addr := uint64(0)
	for addr == 0 {
		c.Poll(s)
		addr = c.Reach(1-self, layout.Of(mem))
	}
	in, out := c.Claims(1 - self)
	in[3].Store(30)
	out[3].Store(33)
	fmt.Println(addr)
	bufio.NewReader(os.Stdin).ReadString('\n')
	want := make([]byte, memoryBytes)
	fillMemory(want)
	for i := range want {
		want[i] ^= 0xff
	}
	fmt.Println(bytes.Equal(mem, want))
	c.Close()
}

// remote starts the memory role and returns this process's end, the address, and the
// process.
func remote(t testing.TB, sys system) (*Conn, uint64, roleProcess) {
	t.Helper()
	e := newEnds(t)
	p := e.start(t, "memory", 1)
	t.Cleanup(func() {
		p.Process.Kill()
		p.Wait()
	})
	c, err := e.open(0, p.Process.Pid, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.sys = sys
	lines := make(chan string, 1)
	go func() {
		line, _ := p.out.ReadString('\n')
		lines <- line
	}()
	seen := &log{tb: t}
	for {
		c.Poll(seen)
		select {
		case line := <-lines:
			var addr uint64
			if _, err := fmt.Sscan(line, &addr); err != nil {
				t.Fatalf("the other process says %q", line)
			}
			return c, addr, p
		default:
			runtime.Gosched()
		}
	}
}

// mayCopy skips where the host forbids copies between processes.
func mayCopy(t testing.TB) {
	t.Helper()
	b := make([]byte, 1)
	if _, err := readv(os.Getpid(), [][]byte{b}, address(b)); err != nil {
		t.Skipf("process_vm_readv is forbidden here: %v", err)
	}
}

func TestCopiesReachTheOtherProcess(t *testing.T) {
	mayCopy(t)
	c, addr, p := remote(t, host)
	got, want := make([]byte, memoryBytes), make([]byte, memoryBytes)
	fillMemory(want)
	if err := c.Pull(1, layout.Of(got), addr); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("Pull brought other bytes")
	}
	for i := range got {
		got[i] ^= 0xff
	}
	if err := c.Push(1, addr, layout.Of(got)); err != nil {
		t.Fatal(err)
	}
	if in, out := c.Claims(1); in[3].Load() != 33 || out[3].Load() != 30 {
		t.Errorf("claims of transfers to rank 0 and 1: %d, %d; want 33, 30", in[3].Load(), out[3].Load())
	}
	if err := c.Pull(1, layout.Of(got), 4096); err == nil || !strings.Contains(err.Error(), "rank 1") {
		t.Errorf("Pull from where nothing is: %v, want an error that names the rank", err)
	}
	fmt.Fprintln(p.in)
	if line, _ := p.out.ReadString('\n'); line != "true\n" {
		t.Errorf("is the memory there what was pushed? %q", line)
	}
}

func TestDeadProcessIsNotBelieved(t *testing.T) {
	mayCopy(t)
	c, addr, p := remote(t, host)
	done := make(chan error)
	started := make(chan struct{})
	go func() {
		b := make([]byte, memoryBytes)
		for n := 0; ; n++ {
			if err := c.Pull(1, layout.Of(b), addr); err != nil {
				done <- err
				return
			}
			if n == 10 {
				close(started)
			}
		}
	}()
	<-started
	p.Process.Kill()
	if err := <-done; !errors.Is(err, os.ErrProcessDone) && !errors.Is(err, unix.ESRCH) && !errors.Is(err, unix.EFAULT) {
		t.Errorf("Pull from a process that was killed: %v", err)
	}
	p.Wait() // from here on the number may mean another process
	called := false
	c.sys.writev = func(int, [][]byte, uint64) (int, error) { called = true; return 8, nil }
	c.sys.readv = func(int, [][]byte, uint64) (int, error) { return 8, nil }
	if err := c.Push(1, addr, layout.Of(make([]byte, 8))); !errors.Is(err, os.ErrProcessDone) || called {
		t.Errorf("Push to a dead process: %v, called %t; want %v, nothing written", err, called, os.ErrProcessDone)
	}
	if err := c.Pull(1, layout.Of(make([]byte, 8)), addr); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("Pull from a number that answers again: %v, want %v", err, os.ErrProcessDone)
	}
}

// pairOn is a link within this process whose Conns ask sys.
func pairOn(t *testing.T, sys system) (conns [2]*Conn) {
	b := newBroker(t, 2)
	for i := range conns {
		c := b.open(i, sys, nil)
		conns[i] = c
		t.Cleanup(func() { c.Close() })
	}
	b.link(0, 1)
	for range 3 {
		conns[0].Poll(&log{tb: t})
		conns[1].Poll(&log{tb: t})
	}
	return conns
}

func TestReachOnlyWhereTheKernelAgrees(t *testing.T) {
	mayCopy(t)
	payload := layout.Of(make([]byte, 100))
	for _, c := range []struct {
		name string
		sys  func() system
		want bool
	}{
		{"as the host is", func() system { return host }, true},
		{"reading is forbidden", func() system {
			s := host
			s.readv = func(int, [][]byte, uint64) (int, error) { return 0, unix.EPERM }
			return s
		}, false},
		{"the number is another's", func() system {
			s := host
			s.readv = func(_ int, b [][]byte, _ uint64) (int, error) { clear(b[0]); return len(b[0]), nil }
			return s
		}, false},
		{"no pidfd", func() system {
			s := host
			s.watch = func(int) (*process, error) { return nil, unix.ENOSYS }
			return s
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			conns := pairOn(t, c.sys())
			for i, conn := range conns {
				if got := conn.Reach(1-i, payload) != 0; got != c.want {
					t.Errorf("rank %d: reach %t, want %t", i, got, c.want)
				}
				if busy := conn.busy.Load(); busy != 0 {
					t.Errorf("rank %d: %d things to tend, want none: every Poll pays for them", i, busy)
				}
			}
			if conns[0].Reach(1, layout.Buffer{}) != 0 {
				t.Error("an empty payload has an address")
			}
			if in, out := conns[0].Claims(1); in != nil || out != nil {
				t.Error("there are claims, within one process")
			}
		})
	}
	// A link whose peers do not know each other's processes.
	conns, seen := two(t)
	conns[0].Poll(seen[0])
	if conns[0].Reach(1, payload) != 0 || conns[0].busy.Load() != 0 {
		t.Error("an address without a process")
	}
	if err := conns[0].Pull(1, layout.Of(make([]byte, 8)), 8); !errors.Is(err, errNoRoad) {
		t.Errorf("Pull: %v, want %v", err, errNoRoad)
	}
}

func TestCopiesThatStopShortGoOn(t *testing.T) {
	mayCopy(t)
	sys := host
	calls := 0
	sys.readv = func(pid int, b [][]byte, addr uint64) (int, error) {
		calls++
		return readv(pid, [][]byte{b[0][:min(len(b[0]), 1000)]}, addr)
	}
	conns := pairOn(t, sys)
	src, dst := make([]byte, 10_500), make([]byte, 10_500)
	fillMemory(src)
	calls = 0
	if err := conns[0].Pull(1, layout.Of(dst), conns[1].Reach(0, layout.Of(src))); err != nil || !bytes.Equal(src, dst) || calls != 11 {
		t.Errorf("error %v, equal %t, %d calls; want 11", err, bytes.Equal(src, dst), calls)
	}
	conns[0].sys.readv = func(int, [][]byte, uint64) (int, error) { return 0, nil }
	if err := conns[0].Pull(1, layout.Of(dst), 1); err == nil {
		t.Error("a copy of nothing is taken for success")
	}
	runtime.KeepAlive(src)
}
