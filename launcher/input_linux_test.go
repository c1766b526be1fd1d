package launcher

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	pb "github.com/muster-mpi/muster/proto"
)

// TestInputThatNobodyFetchesHoldsUpNobody has agents say a thousand times that input was
// taken while whoever reads it does not listen.
func TestInputThatNobodyFetchesHoldsUpNobody(t *testing.T) {
	r := &run{plan: &jobPlan{common: &pb.Start{StdinRank: stdinAll}, host: []int{0, 1}}, taken: make(chan int64, 1)}
	a, b := &hostAgent{number: 0}, &hostAgent{number: 1}
	r.agents = []*hostAgent{a, b}
	for range 1000 {
		r.onStdinTaken(a, 10)
		r.onStdinTaken(b, 7)
	}
	if got := <-r.taken; got != 7000 {
		t.Errorf("room for %d bytes more, want 7000: what the slower host has taken", got)
	}
	r.takesNoInput(b)
	if got := <-r.taken; got != 3000 {
		t.Errorf("without the slower host room for %d bytes more, want 3000", got)
	}
	r.takesNoInput(a)
	select {
	case got := <-r.taken:
		t.Errorf("room for %d bytes more, and nobody takes any", got)
	default:
	}
}

// TestSignalsBeforeHostsAreReachedDoNoHarm has a host that never answers, and one that
// does but waits for it.
func TestSignalsBeforeHostsAreReachedDoNoHarm(t *testing.T) {
	shell := filepath.Join(t.TempDir(), "shell")
	called := shell + ".called"
	if err := os.WriteFile(shell, []byte("#!/bin/sh\n>"+called+"\nexec sleep 100\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "launch", "2", "@leave")
	cmd.Env = append(os.Environ(), "TEST_HOSTS=localhost,far", "TEST_SHELL="+shell)
	l := launchAs(t, cmd)
	for begin := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(called); err == nil {
			break
		}
		if time.Since(begin) > slack(5*time.Second) {
			t.Fatal("the shell is not called")
		}
	}
	l.signal(syscall.SIGUSR1)
	l.signal(syscall.SIGTSTP)
	awaitState(t, l.cmd.Process.Pid, 'T')
	l.signal(syscall.SIGCONT)
	awaitState(t, l.cmd.Process.Pid, 'S', 'R')
	l.signal(syscall.SIGINT)
	l.expect(l.wait(2*time.Second), 130)
}
