package launcher

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// harmful is what drives terminals, hides text, or is no text.
const harmful = "title \x1b]0;owned\a clear \x1b[2J up \x1b[5A C1 \u009b2J single \x9b2J zero \x00 bell \a back \b\b\b" +
	" delete \x7f right-to-left \u202eabc\u202c isolate \u2066x broken \xff\xfe\xc3( vertical \v form \f over\rwritten end"

// testHarmful prints it in every way that a rank has of printing, and a line of so many
// bytes.
func testHarmful(long int) {
	fmt.Fprintln(os.Stdout, harmful)
	fmt.Fprintln(os.Stderr, harmful)
	piece := []byte(harmful)
	for n := 0; n < long; n += len(piece) {
		os.Stdout.Write(piece)
	}
	fmt.Fprintln(os.Stdout, " of a long line")
}

// S21: nothing that a rank writes, or has the launcher say, steers the user's terminal.
func TestS21TerminalIsNotSteered(t *testing.T) {
	for mode, code := range map[string]int{"harmful": 0, "harmful-abort": 5, "harmful-panic": 2} {
		t.Run(mode, func(t *testing.T) {
			terminal, user := newTerminal(t)
			cmd := exec.Command(os.Args[0], "launch", "2", "@"+mode)
			cmd.Stdout, cmd.Stderr = terminal, terminal
			l := launchAs(t, cmd)
			terminal.Close()
			shown, read := newBuffer(), make(chan struct{})
			go func() {
				defer close(read)
				io.Copy(shown, user) // until nobody has the terminal any more
			}()
			l.expect(l.wait(30*time.Second), code)
			<-read
			out := []byte(strings.ReplaceAll(shown.String(), "\r\n", "\n"))
			if n := bytes.Count(out, []byte("title ")); n == 0 || mode == "harmful" && !bytes.Contains(out, []byte("of a long line")) {
				t.Fatalf("%d bytes were shown, with %d titles: %q", len(out), n, out[:min(len(out), 2000)])
			}
			for i := 0; i < len(out); {
				r, size := utf8.DecodeRune(out[i:])
				bad := r == utf8.RuneError && size == 1 || r < ' ' && r != '\n' && r != '\t' && r != '\r' ||
					r >= 0x7f && r <= 0x9f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
				if bad {
					t.Fatalf("the terminal gets %q at %d, in %q", out[i:i+size], i, out[max(0, i-60):min(len(out), i+60)])
				}
				i += size
			}
		})
	}
}

// S13: arguments, environment, directory and last words need not be UTF-8.
func TestS13WhatIsNoUTF8IsPassedOn(t *testing.T) {
	dir := t.TempDir() + "/\xff dir"
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	far, _ := onHosts(t, 1, 1)
	for name, tr := range map[string]*trial{"here": newTrial(t, 1), "on another host": far} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("INHERITED", "\xfe")
			tr.job.Apps[0].Argv = []string{"sh", "-c", `printf "%s " "$1" "$GIVEN" "$INHERITED" "$(pwd)"`, "sh", "\xff\xc3("}
			tr.job.Apps[0].Env = append(tr.job.Apps[0].Env, "GIVEN=\xfd")
			tr.job.Apps[0].Dir = dir
			tr.run().expect(0)
			if got, want := tr.stdout.String(), "\xff\xc3( \xfd \xfe "+dir+" "; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
	tr := newTrial(t, 2, "@harmful-panic", "1").run()
	if f := tr.result.Failure; tr.result.Code != 2 || f == nil || f.Rank != 1 || !strings.HasPrefix(f.Panic, "panic: title ") {
		t.Errorf("code %d, %+v, want the panic of rank 1", tr.result.Code, f)
	}
}
