package launcher

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// forbidden are calls that the rules of a container may refuse, by name.
var forbidden = map[string]uint32{
	"memfd_create":      unix.SYS_MEMFD_CREATE,
	"pidfd_open":        unix.SYS_PIDFD_OPEN,
	"pidfd_send_signal": unix.SYS_PIDFD_SEND_SIGNAL,
	"process_vm_readv":  unix.SYS_PROCESS_VM_READV,
	"process_vm_writev": unix.SYS_PROCESS_VM_WRITEV,
	"membarrier":        unix.SYS_MEMBARRIER,
}

// forbid has the kernel refuse calls to this process and all that it starts.
func forbid(names string) {
	refuse := uint32(unix.SECCOMP_RET_ERRNO) | uint32(unix.EPERM)
	filter := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}} // the number of the call
	for name := range strings.SplitSeq(names, ",") {
		number, ok := forbidden[name]
		if !ok {
			die("no call %q can be forbidden", name)
		}
		filter = append(filter,
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: 0, Jf: 1, K: number},
			unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: refuse})
	}
	filter = append(filter, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW})
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		die("no new privileges: %v", err)
	}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&program)))
	runtime.KeepAlive(filter)
	if errno != 0 {
		die("seccomp: %v", errno)
	}
	for name := range strings.SplitSeq(names, ",") {
		if _, _, errno := unix.Syscall(uintptr(forbidden[name]), ^uintptr(0), 0, 0); errno != unix.EPERM {
			die("%s is not forbidden: %v", name, errno)
		}
	}
}

// F68: where there is no shared memory the ranks use sockets, and the job says
// so; a user who has named it is told that there is none.
func TestF68WithoutSharedMemoryRanksUseSockets(t *testing.T) {
	const why = "shared memory cannot be used here: segment muster-probe: memfd_create: operation not permitted"
	for _, c := range []struct {
		transport, want string
		code            int
	}{
		{"", "muster: the ranks are linked by Unix sockets, which are slower: " + why + "\n", 0},
		{"unix", "", 0},
		{"shm", "muster: " + why + " (--transport unix does without)\n", ExitResource},
	} {
		out, code := limited(t, "export TEST_FORBID=memfd_create TEST_TRANSPORT="+c.transport, "2", "@links")
		if code != c.code || !strings.Contains(out, c.want) {
			t.Errorf("transport %q: got code %d, %q, want code %d and %q", c.transport, code, out, c.code, c.want)
		}
		if linked := strings.Count(out, "all links are unix\n"); linked != 2 && c.code == 0 {
			t.Errorf("transport %q: %d of 2 ranks are linked by sockets\n%s", c.transport, linked, out)
		}
	}
}

// A link that cannot be made in the midst of a job ends it, with what was wanted
// for whom.
func TestLinkWithoutDescriptorsEndsTheJob(t *testing.T) {
	for transport, want := range map[string]string{
		"shm":  " KiB of memory for ranks 0 and 1 to share: ",
		"unix": "socketpair: too many open files",
	} {
		tr := newTrial(t, 2, "@link-late")
		in, feed, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		tr.job.Stdin, tr.job.StdinTo, tr.job.Transport = in, "all", transport
		tr.start()
		tr.stdout.await(t, "ready", 2)
		limit := unix.Rlimit{Cur: 4, Max: 4} // the numbers below are taken
		if err := unix.Prlimit(agentOf(t, tr), unix.RLIMIT_NOFILE, &limit, nil); err != nil {
			t.Fatal(err)
		}
		feed.Close()
		tr.wait().expect(ExitResource, "cannot be linked to rank ", want, "too many open files")
	}
}

// One bell is enough for a rank, however many links it has, and the agent holds
// no link once it is handed over.
func TestAgentHoldsOneBellARank(t *testing.T) {
	tr := newTrial(t, 5, "@linked").start()
	tr.stdout.await(t, "ready", 5)
	agent := agentOf(t, tr)
	count := func() (held struct{ memory, hosts, bells int }) {
		fds, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", agent))
		for _, fd := range fds {
			to, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", agent, fd.Name()))
			switch {
			case strings.Contains(to, "-host ("): // what all ranks share, which one may join late
				held.hosts++
			case strings.HasPrefix(to, "/memfd:"):
				held.memory++
			case strings.Contains(to, "eventfd"):
				held.bells++
			}
		}
		return held
	}
	// The runtime has an eventfd of its own. What was sent to a rank is closed moments
	// later.
	held := count()
	wrong := func() bool { return held.memory != 0 || held.hosts > 1 || held.bells < 5 || held.bells > 6 }
	for deadline := time.Now().Add(10 * time.Second); wrong() && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		held = count()
	}
	if wrong() {
		t.Errorf("the agent of 5 ranks holds %+v, want no memory and 5 bells", held)
	}
	tr.cancel()
	tr.wait()
}
