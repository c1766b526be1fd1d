package shm

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/muster-mpi/muster/internal/segment"
)

// A test that needs a second process runs its own binary again: roleEnv says what that
// is to do, and descriptors from firstFD on are its end of a link.
const (
	roleEnv = "MUSTER_SHM_TEST_ROLE"
	firstFD = 3
)

var roles = map[string]func(){
	"echo": echoRole,
}

func TestMain(m *testing.M) {
	if role := os.Getenv(roleEnv); role != "" {
		roles[role]()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// ends are the descriptors that make one link between ranks 0 and 1.
type ends struct {
	memory *os.File
	bells  [2]*os.File
}

func newEnds(tb testing.TB) *ends {
	e := &ends{memory: newMemory(tb)}
	for i := range e.bells {
		f, err := segment.NewBell()
		if err != nil {
			tb.Fatal(err)
		}
		e.bells[i] = f
	}
	tb.Cleanup(e.close)
	return e
}

func (e *ends) close() {
	e.memory.Close()
	e.bells[0].Close()
	e.bells[1].Close()
}

// open returns the Conn of a rank whose peer is process pid, with the link up.
func (e *ends) open(self, pid int, wake func()) (*Conn, error) {
	memory, err := duplicate(e.memory)
	if err != nil {
		return nil, err
	}
	bell, err := duplicate(e.bells[1-self])
	if err != nil {
		return nil, err
	}
	c := New(Config{Self: self, Size: 2, Bell: e.bells[self], Wake: wake}, nil)
	return c, c.Attach(1-self, Attachment{Memory: memory, Bell: bell, PID: pid, Push: true})
}

// command returns this binary as a process in a role, which holds the descriptors too.
func (e *ends) command(role string, self int) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleEnv+"="+role, roleEnv+"_SELF="+strconv.Itoa(self))
	cmd.ExtraFiles = []*os.File{e.memory, e.bells[0], e.bells[1]}
	cmd.Stderr = os.Stderr
	return cmd
}

// roleProcess is a process with a role and what the test holds of it.
type roleProcess struct {
	*exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// start starts a process that holds end self of e in the role.
func (e *ends) start(t testing.TB, role string, self int) roleProcess {
	t.Helper()
	cmd := e.command(role, self)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return roleProcess{cmd, in, bufio.NewReader(out)}
}

// inherited returns what command gave to this process.
func inherited() (e *ends, self int) {
	e = &ends{memory: os.NewFile(firstFD, "memory")}
	for i := range e.bells {
		e.bells[i] = os.NewFile(uintptr(firstFD+1+i), "bell")
	}
	self, err := strconv.Atoi(os.Getenv(roleEnv + "_SELF"))
	must(err)
	return e, self
}

// must ends a process in a role that cannot go on.
func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(1)
	}
}
