package launcher

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// testSnoop tries, as another user, to get hold of a process, and prints how it could.
func testSnoop(pids []string) {
	for _, text := range pids {
		pid, err := strconv.Atoi(text)
		if err != nil {
			die("%v", err)
		}
		could := func(what string, err error) {
			if err == nil {
				fmt.Printf("process %d: %s\n", pid, what)
			}
		}
		for _, name := range []string{"environ", "maps", "mem", "auxv", "stack"} {
			_, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
			could("read "+name, err)
		}
		_, err = os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		could("list descriptors", err)
		for fd := range 64 {
			path := fmt.Sprintf("/proc/%d/fd/%d", pid, fd)
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			could("open "+path, err)
			if err == nil {
				f.Close()
			}
		}
		_, err = os.ReadDir(fmt.Sprintf("/proc/%d/map_files", pid))
		could("list mappings", err)
		buf := make([]byte, 8)
		_, err = unix.ProcessVMReadv(pid, []unix.Iovec{{Base: &buf[0], Len: 8}}, []unix.RemoteIovec{{Base: 1 << 16, Len: 8}}, 0)
		if err == unix.EFAULT {
			err = nil // it is no address there, but one may look
		}
		could("read memory", err)
		could("trace", unix.PtraceAttach(pid))
		if fd, err := unix.PidfdOpen(pid, 0); err == nil {
			_, err = unix.PidfdGetfd(fd, 0, 0)
			could("take a descriptor", err)
		}
		could("signal", unix.Kill(pid, unix.SIGURG))
	}
	fmt.Println("done")
}

// asNobody runs this test binary as a user who has nothing.
func asNobody(t *testing.T, args ...string) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("this test runs a program as another user: run it as root")
	}
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	// By descriptor: the way to the file is not open to everybody.
	cmd := exec.Command("/proc/self/fd/3", args...)
	cmd.ExtraFiles = []*os.File{self}
	cmd.Dir, cmd.Env = "/", nil
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.HasSuffix(out, []byte("done\n")) {
		t.Fatalf("as another user: %v\n%s", err, out)
	}
	return string(out)
}

// S4, S5: another user of the host gets hold of no socket, no memory and no process.
func TestS4AndS5AnotherUserGetsHoldOfNothing(t *testing.T) {
	for _, transport := range []string{"shm", "unix", "tcp"} {
		tr := newTrial(t, 3, "@linked")
		tr.job.Transport = transport
		tr.start()
		tr.stdout.await(t, "ready", 3)
		pids := []string{strconv.Itoa(os.Getpid())}
		for _, pid := range below(agentOf(t, tr)) {
			pids = append(pids, strconv.Itoa(pid))
		}
		if out := asNobody(t, append([]string{"snoop"}, pids...)...); out != "done\n" {
			t.Errorf("transport %s: another user could\n%s", transport, out)
		}
		tr.cancel()
		tr.wait()
	}
	// Of one's own processes one gets hold.
	if out := asNobody(t, "snoop-child"); strings.Count(out, "\n") < 5 {
		t.Errorf("the tries do not work: of a process of the same user, only\n%s", out)
	}
}

// testSnoopChild snoops on a process of this user's own.
func testSnoopChild() {
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		die("%v", err)
	}
	testSnoop([]string{strconv.Itoa(cmd.Process.Pid)})
	cmd.Process.Kill()
	cmd.Wait()
}

// S8: a rank is given its door and nothing else of the job's, and what it starts nothing,
// on one host or several, with all links there.
func TestS8ChildrenOfLinkedRanksInheritNoDescriptor(t *testing.T) {
	several, _ := onHosts(t, 2, 4, "linked-fds")
	for name, tr := range map[string]*trial{"several hosts": several, "one": newTrial(t, 3, "linked-fds")} {
		t.Run(name, func(t *testing.T) {
			tr.run().expect(0)
			doors, children := 0, 0
			for line := range strings.Lines(tr.stdout.String()) {
				whose, to, ok := strings.Cut(strings.TrimSpace(line), " has ")
				if !ok {
					continue
				}
				theirs := strings.HasPrefix(to, "socket:") || strings.HasPrefix(to, "anon_inode:") || strings.Contains(to, "memfd:")
				switch {
				case whose == "rank 3" && strings.HasPrefix(to, "socket:"):
					doors++
				case strings.HasPrefix(whose, "rank"):
					// The runtime has one for timers and sockets by now.
					if theirs && !strings.HasPrefix(to, "anon_inode:") {
						t.Errorf("%s", line)
					}
				default:
					if children++; theirs {
						t.Errorf("%s", line)
					}
				}
			}
			if n := len(tr.result.Ranks); doors != n || children < 3*n {
				t.Errorf("%d ranks have %d doors, and their children %d descriptors\n%s", n, doors, children, tr.stdout)
			}
		})
	}
}
