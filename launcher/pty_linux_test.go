package launcher

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// newTerminal returns a terminal and its user's end.
func newTerminal(t *testing.T) (terminal, user *os.File) {
	t.Helper()
	user, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("this test wants pseudoterminals: %v", err)
	}
	t.Cleanup(func() { user.Close() })
	number, err := unix.IoctlGetInt(int(user.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(user.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Skipf("this test wants pseudoterminals: %v", err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { terminal.Close() })
	return terminal, user
}

// onTerminal starts a launcher on a terminal of its own and returns the terminal's other
// end.
func onTerminal(t *testing.T, env []string, args ...string) (*launcherProcess, *os.File) {
	t.Helper()
	terminal, user := newTerminal(t)
	defer terminal.Close()
	cmd := exec.Command(os.Args[0], append([]string{"launch"}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdin = terminal
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	return launchAs(t, cmd), user
}

func TestF15InterruptKeyThreeTimes(t *testing.T) {
	l, user := onTerminal(t, []string{"TEST_GRACE=1h"}, "3", "@trap", "all")
	l.stdout.await(t, "trapped", 3)
	const interrupt = "\x03"
	user.WriteString(interrupt)
	l.stderr.await(t, "a second signal kills them now", 1)
	begin := time.Now()
	user.WriteString(interrupt + interrupt)
	l.expect(l.wait(time.Second), 130)
	if d := time.Since(begin); d > slack(500*time.Millisecond) {
		t.Errorf("the second took %v to end the job", d)
	}
}

func TestF16TerminalThatIsClosedEndsTheJob(t *testing.T) {
	l, user := onTerminal(t, nil, "2", "@hang")
	for deadline := time.Now().Add(20 * time.Second); len(processes(l.mark)) < 4 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	user.Close()
	l.expect(l.wait(time.Second), 129)
}
