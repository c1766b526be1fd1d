package remote

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/muster-mpi/muster/internal/testbed"
	"golang.org/x/sys/unix"
)

// agentOf returns the process of the only agent on a farm.
func agentOf(t *testing.T, f *testbed.Farm) int {
	t.Helper()
	for _, p := range f.Processes() {
		if len(p.Args) > 1 && strings.HasPrefix(p.Args[0], "./muster-") && p.Args[1] == "agent" {
			return p.PID
		}
	}
	t.Fatalf("no agent among %v", f.Processes())
	return 0
}

func startOne(t *testing.T, f *testbed.Farm, stderr func(string)) *Session {
	t.Helper()
	s, err := start(t, Options{Host: "node1", Shell: SSH("-F", f.Config()), Stderr: stderr})
	if err != nil {
		t.Fatal(err)
	}
	serves(t, s)
	return s
}

func ended(t *testing.T, s *Session) {
	t.Helper()
	select {
	case <-s.Ended():
	case <-time.After(10 * time.Second):
		t.Fatal("the session has not ended after 10 s")
	}
}

func TestEndOfSessionEndsTheAgent(t *testing.T) {
	f := testbed.SSH(t, 1)
	for name, end := range map[string]func(*Session){
		"Close":                   (*Session).Close,
		"Kill":                    (*Session).Kill,
		"end of ssh":              func(s *Session) { unix.Kill(s.process.os.Pid, unix.SIGTERM) },
		"Kill of a stopped agent": func(s *Session) { unix.Kill(agentOf(t, f), unix.SIGSTOP); s.Kill() },
	} {
		t.Run(name, func(t *testing.T) {
			s := startOne(t, f, nil)
			end(s)
			ended(t, s)
			noProcesses(t, f)
			s.Conn.SetReadDeadline(time.Now().Add(10 * time.Second))
			if _, err := io.Copy(io.Discard, s.Conn); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("the connection has no end")
			}
			s.Close()
			s.Kill()
			s.Close()
		})
	}
}

func TestDeathOfTheAgentIsTold(t *testing.T) {
	f := testbed.SSH(t, 1)
	var said []string
	s := startOne(t, f, func(line string) { said = append(said, line) })
	unix.Kill(agentOf(t, f), unix.SIGABRT) // the Go runtime says why it ends
	ended(t, s)
	if text := s.DeathText(); !strings.HasPrefix(text, "exit status 2: ") {
		t.Errorf("the end of the agent is %q", text)
	}
	if !slices.Contains(said, "SIGABRT: abort") {
		t.Errorf("standard error was %q", said)
	}
	if slices.ContainsFunc(said, func(line string) bool { return strings.HasPrefix(line, "Transferred: ") }) {
		t.Errorf("standard error has what ssh says of itself: %q", said)
	}

	s = startOne(t, f, nil)
	unix.Kill(agentOf(t, f), unix.SIGKILL)
	ended(t, s)
	if text := s.DeathText(); !strings.HasPrefix(text, "exit status 255") {
		t.Errorf("the end of the agent is %q", text)
	}
}

func TestDeathOfTheLauncherEndsTheAgent(t *testing.T) {
	f := testbed.SSH(t, 1)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "launcher", "ssh", "node1", "ssh", "-F", f.Config())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || !strings.HasPrefix(line, "started ") {
		t.Fatalf("the launcher says %q, %v", line, err)
	}
	agentOf(t, f)
	shell := childOf(t, cmd.Process.Pid)
	killed := time.Now()
	cmd.Process.Kill()
	noProcesses(t, f)
	t.Logf("all ended %v after the launcher", time.Since(killed))
	eventually(t, "the end of ssh", func() bool { return unix.Kill(shell, 0) == unix.ESRCH })
}

func childOf(t *testing.T, pid int) int {
	t.Helper()
	lists, err := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range lists {
		text, _ := os.ReadFile(name)
		if f := strings.Fields(string(text)); len(f) > 0 {
			child, err := strconv.Atoi(f[0])
			if err != nil {
				t.Fatal(err)
			}
			return child
		}
	}
	t.Fatalf("process %d has no children in %v", pid, lists)
	return 0
}
