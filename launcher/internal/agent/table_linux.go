package agent

import (
	"errors"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

var errEnding = errors.New("the job is ending")

// A table knows the ranks' processes, signals them and reaps every child of the
// agent, orphans included.
type table struct {
	ended func(p *process, e ending)           // called by reap, in the order of the ends
	moved func(p *process, sig syscall.Signal) // stopped by sig, or continued if sig is SIGCONT

	mu     sync.Mutex
	byPID  map[int]*process
	closed bool
	births int
	idle   bool       // there is no child
	change *sync.Cond // of idle
}

// process is the process of a rank that the agent started.
type process struct {
	rank  int
	pid   int
	ended bool // and reaped: the number is no longer ours. Guarded by table.mu
}

// ending is how a process ended.
type ending struct {
	status    unix.WaitStatus
	peakBytes int64
	memory    memoryState // of its cgroup, taken before it was reaped
}

func newTable() *table {
	t := &table{byPID: make(map[int]*process), idle: true}
	t.change = sync.NewCond(&t.mu)
	return t
}

// start runs spawn and enters its process. No process can end unnoticed in
// between, and none is started after close.
func (t *table) start(rank int, spawn func() (int, error)) (*process, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, errEnding
	}
	pid, err := spawn()
	if err != nil {
		return nil, err
	}
	p := &process{rank: rank, pid: pid}
	t.byPID[pid] = p
	t.births++
	t.idle = false
	t.change.Broadcast()
	return p, nil
}

// close makes every later start fail.
func (t *table) close() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
}

// signal sends sig to the process group of every rank that has not ended.
func (t *table) signal(sig syscall.Signal) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range t.byPID {
		p.signal(sig)
	}
}

// alive calls f with the number of p unless p has ended. It stays p's meanwhile.
func (t *table) alive(p *process, f func(pid int)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !p.ended {
		f(p.pid)
	}
}

// signal needs table.mu. As long as the process is not reaped its number, which
// is also its group's, belongs to nobody else; reaping needs the same lock.
func (p *process) signal(sig syscall.Signal) {
	if p.ended || p.pid <= 1 {
		return
	}
	if unix.Kill(-p.pid, sig) == unix.ESRCH {
		unix.Kill(p.pid, sig) // it has made itself a group elsewhere
	}
}

// reap waits for children for as long as the agent lives.
func (t *table) reap() {
	for {
		pid, killed, err := peek()
		if err == unix.ECHILD {
			t.mu.Lock()
			// A rank that was started since peek looked must not be slept over.
			t.idle = len(t.byPID) == 0
			t.change.Broadcast()
			for t.idle {
				t.change.Wait()
			}
			t.mu.Unlock()
			continue
		}
		if err != nil {
			continue
		}
		var e ending
		if killed {
			// What the kernel knows of the process is gone once it is reaped.
			e.memory = readMemoryState(memoryGroup(pid))
		}
		t.mu.Lock()
		p := t.byPID[pid]
		var usage unix.Rusage
		got, err := unix.Wait4(pid, &e.status, unix.WNOHANG|unix.WUNTRACED|unix.WCONTINUED, &usage)
		if err != nil || got != pid {
			t.mu.Unlock()
			continue
		}
		gone := e.status.Exited() || e.status.Signaled()
		if p != nil && gone {
			p.ended = true
			delete(t.byPID, pid)
		}
		t.mu.Unlock()
		switch {
		case p == nil: // an orphan
		case gone:
			e.peakBytes = int64(usage.Maxrss) << 10
			t.ended(p, e)
		case e.status.Stopped():
			t.moved(p, e.status.StopSignal())
		case e.status.Continued():
			t.moved(p, syscall.SIGCONT)
		}
	}
}

// peek waits until a child has ended, stopped or continued, and leaves it to be
// waited for again. It reports whether SIGKILL ended it.
func peek() (pid int, killed bool, err error) {
	var info unix.Siginfo
	err = unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WSTOPPED|unix.WCONTINUED|unix.WNOWAIT, nil)
	if err != nil {
		return 0, false, err
	}
	// Package unix leaves the union after the code unnamed. It is aligned as a
	// pointer is, and starts with process, user and status in every SIGCHLD.
	const word = unsafe.Sizeof(uintptr(0))
	child := (*struct{ pid, uid, status int32 })(unsafe.Add(unsafe.Pointer(&info), (3*4+word-1)&^(word-1)))
	const cldKilled, cldDumped = 2, 3
	killed = (info.Code == cldKilled || info.Code == cldDumped) && child.status == int32(unix.SIGKILL)
	return int(child.pid), killed, nil
}

// isIdle reports whether the agent has no child, and thereby no descendant.
func (t *table) isIdle() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.idle
}
