package proctree

import (
	"os"
	"os/exec"
	"testing"
)

func TestParseStatTakesAnyProgramName(t *testing.T) {
	const tail = " S 7 41 42 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 99 1 2 3\n"
	for _, name := range []string{"sh", "a b", ") S 1 1 1", "(", "x\ny"} {
		p, ok := parseStat([]byte("40 (" + name + ")" + tail))
		if want := (Process{PID: 40, Parent: 7, Group: 41, Session: 42, State: 'S', start: 99}); !ok || p != want {
			t.Errorf("name %q: got %+v, %v, want %+v", name, p, ok, want)
		}
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("1 (init) S 0 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 99 1"))
	f.Add([]byte(")("))
	f.Fuzz(func(t *testing.T, data []byte) {
		if p, ok := parseStat(data); ok && p.PID <= 0 {
			t.Fatalf("%q: got %+v", data, p)
		}
	})
}

func TestBelowFindsGrandchildrenAndNoOneElse(t *testing.T) {
	all := []Process{
		{PID: 1}, {PID: 10, Parent: 1}, {PID: 11, Parent: 10}, {PID: 12, Parent: 11},
		{PID: 13, Parent: 10, State: 'Z'}, {PID: 14, Parent: 13}, {PID: 20, Parent: 1},
		{PID: 30, Parent: 31}, {PID: 31, Parent: 30}, // a table that changed while read
	}
	got := Below(all, func(p Process) bool { return p.PID == 10 })
	want := map[int]bool{11: true, 12: true, 14: true}
	for _, p := range got {
		if !want[p.PID] {
			t.Errorf("found process %d, which is not below 10", p.PID)
		}
		delete(want, p.PID)
	}
	if len(want) > 0 {
		t.Errorf("missed %v", want)
	}
	Below(all, func(p Process) bool { return p.PID == 30 }) // ends
}

// F21: the process's number alone never decides who is killed.
func TestF21KillNeedsTheSameProcess(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cmd.Process.Kill(); cmd.Wait() }()
	p, ok := Read(cmd.Process.Pid)
	if !ok || p.Parent != os.Getpid() {
		t.Fatalf("got %+v, %v, want a child of %d", p, ok, os.Getpid())
	}
	earlier := p
	earlier.start-- // as if the number had belonged to a process before
	if earlier.Kill() {
		t.Fatal("killed a process that only has the number")
	}
	for _, pid := range []int{0, -1, 1, -cmd.Process.Pid} {
		if (Process{PID: pid}).Kill() {
			t.Errorf("killed %d", pid)
		}
	}
	if !p.Kill() {
		t.Fatal("did not kill the process itself")
	}
	if err := cmd.Wait(); err == nil || err.Error() != "signal: killed" {
		t.Errorf("it ended with %v", err)
	}
	if p.Kill() {
		t.Error("killed a process that has ended")
	}
}
