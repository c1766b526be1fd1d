package agent

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestArgumentsOfRemoteShells(t *testing.T) {
	for _, test := range []struct {
		args string
		want stdioArgs
		err  string
	}{
		{"", stdioArgs{}, ""},
		{"--stdio=n", stdioArgs{stdio: "n"}, ""},
		{"--stdio=n --ephemeral", stdioArgs{stdio: "n", ephemeral: true}, ""},
		{"--digest", stdioArgs{digest: true}, ""},
		{"--stdio", stdioArgs{}, `argument "--stdio" is unknown`},
		{"--stdio=", stdioArgs{}, `argument "--stdio=" is unknown`},
		{"--help", stdioArgs{}, `argument "--help" is unknown`},
	} {
		got, err := parseArgs(strings.Fields(test.args))
		if test.err == "" && (err != nil || got != test.want) || test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) {
			t.Errorf("%q: got %+v, %v; want %+v, %s", test.args, got, err, test.want, test.err)
		}
	}
}

func TestTwoFilesAreAConnection(t *testing.T) {
	theirs, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	in, ours, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	c := &stdioConn{in: in, out: out}
	if _, err := c.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 5)
	if _, err := io.ReadFull(theirs, got); err != nil || string(got) != "hello" {
		t.Errorf("got %q, %v", got, err)
	}
	if err := c.SetDeadline(time.Now().Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(got); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("reading past the deadline: %v", err)
	}
	if _, err := c.Write(make([]byte, 1<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("writing past the deadline: %v", err)
	}
	if err := c.SetDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	ours.Close()
	if _, err := c.Read(got); err != io.EOF {
		t.Errorf("reading what has ended: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := c.Close(); err == nil {
		t.Error("closing twice is no error")
	}
}

func TestFileWithoutDeadlinesSaysSo(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	c := &stdioConn{in: f, out: f}
	defer c.Close()
	if err := c.SetDeadline(time.Now()); !errors.Is(err, os.ErrNoDeadline) {
		t.Errorf("a deadline on a file: %v", err)
	}
}
