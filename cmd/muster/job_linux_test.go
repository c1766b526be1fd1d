package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// shell runs a shell's script in which $muster is the command, and returns its
// output and errors.
func shell(t *testing.T, script string) (stdout, stderr string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "sh", "-c", script)
	cmd.Env = append(os.Environ(), "TEST_AS_COMMAND=1", "muster="+self)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, errs.String())
	}
	return out.String(), errs.String()
}

func TestRanksRunAndTheirLinesArrive(t *testing.T) {
	stdout, stderr := shell(t, `printf 'in' | $muster run --oversubscribe -l -n 2 cat : -n 1 -x A='b c' sh -c 'echo "$A"; exit 7'; echo code $?`)
	lines := strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")
	if slices.Sort(lines); !slices.Contains(lines, "[2] b c") || !slices.Contains(lines, "code 7") {
		t.Errorf("stdout: %s\nstderr: %s", stdout, stderr)
	}
	if !strings.Contains(stderr, "rank 2") {
		t.Errorf("the banner does not name the rank: %s", stderr)
	}
}

func TestReaderThatHasSeenEnoughEndsTheJob(t *testing.T) { // F52
	stdout, stderr := shell(t, `{ $muster run --oversubscribe -n 2 yes; echo code $? >&2; } | head -n 1`)
	if stdout != "y\n" || !strings.Contains(stderr, "code 141\n") {
		t.Errorf("stdout: %.100q\nstderr: %s", stdout, stderr)
	}
}

func TestFullDiskDoesNotEndTheJob(t *testing.T) { // F50
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip(err)
	}
	stdout, stderr := shell(t, `$muster run --oversubscribe -n 3 sh -c 'echo 1; echo 2; echo 3' > /dev/full; echo code $?`)
	if stdout != "code 0\n" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "no space left on device") {
		t.Errorf("stdout: %q\nstderr: %s", stdout, stderr)
	}
}

// F53: lines of several ranks are whole however many and however long they are,
// and binary output of one rank keeps every byte.
func TestMuchOutputArrivesWhole(t *testing.T) {
	const lines = 20_000
	stdout, _ := shell(t, `$muster run --oversubscribe -l -n 4 sh -c 'seq 1 20000; head -c 1000000 /dev/zero | tr "\0" x; printf end'`)
	next := map[string]int{}
	for line := range strings.Lines(stdout) {
		rank, text, _ := strings.Cut(line, " ")
		next[rank]++
		n := len(text)
		if next[rank] == lines+1 && text != strings.Repeat("x", 1_000_000)+"end\n" || next[rank] <= lines && n > 6 {
			t.Fatalf("%s line %d is torn: %d bytes %.60q", rank, next[rank], n, text)
		}
	}
	for _, rank := range []string{"[0]", "[1]", "[2]", "[3]"} {
		if next[rank] != lines+1 {
			t.Errorf("%s: %d lines, want %d", rank, next[rank], lines+1)
		}
	}

	file := filepath.Join(t.TempDir(), "binary")
	want := make([]byte, 1<<20)
	for i := range want {
		want[i] = byte(i * 7 >> 3)
	}
	if err := os.WriteFile(file, want, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, _ := shell(t, "$muster run cat "+file); got != string(want) {
		t.Error("bytes changed on the way")
	}
}

// F67: whatever the launcher inherits, it works or says why not.
func TestOddSurroundings(t *testing.T) {
	for _, test := range []struct{ script, stdout, stderr string }{
		{`$muster run echo hi <&-`, "hi\n", ""},
		{`$muster run echo hi 2>&-`, "hi\n", ""},
		{`$muster run echo hi >&- ; true`, "", ""},
		{`trap '' PIPE CHLD; $muster run echo hi`, "hi\n", ""},
		{`umask 0; $muster run echo hi`, "hi\n", ""},
		{`env -u HOME -u XDG_CACHE_HOME $muster run echo hi`, "hi\n", ""},
		{`TMPDIR=/nonexistent $muster run echo hi`, "hi\n", ""},
		{`d=$(mktemp -d); cd "$d"; rmdir "$d"; $muster run ./x; true`, "", "muster: ./x: no such file or directory\n"},
		{`PATH=/nonexistent $muster run .; true`, "", "muster: . is Go source, and the go command is not in PATH: install Go, or name an executable\n"},
	} {
		stdout, stderr := shell(t, test.script)
		if stdout != test.stdout || stderr != test.stderr {
			t.Errorf("%s\nstdout: %q, want %q\nstderr: %q, want %q", test.script, stdout, test.stdout, stderr, test.stderr)
		}
	}
}

// The bytes of a job's only rank appear as they come: a prompt does not wait for
// the end of its line.
func TestPromptOfOneRankAppears(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "run", "sh", "-c", "printf 'name? '; read name; echo hello $name")
	cmd.Env = append(os.Environ(), "TEST_AS_COMMAND=1")
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
	prompt := make([]byte, 6)
	if _, err := io.ReadFull(out, prompt); err != nil || string(prompt) != "name? " {
		t.Fatalf("prompt %q, %v", prompt, err)
	}
	io.WriteString(in, "you\n")
	if rest, err := io.ReadAll(out); err != nil || string(rest) != "hello you\n" {
		t.Errorf("then %q, %v", rest, err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
