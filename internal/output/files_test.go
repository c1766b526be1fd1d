package output

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestEachRankHasItsFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "out")
	s := newTest(t, Options{Size: 2, Stdout: io.Discard, Stderr: io.Discard, Tag: true, Dir: dir}, false)
	binary := []byte("\x1b]0;\x00\xff\r no newline")
	s.Write(1, false, binary[:5], false)
	s.Write(1, false, binary[5:], true)
	s.Write(0, true, []byte("e\n"), false)
	closeSink(t, s)
	for name, want := range map[string][]byte{
		"rank.0000.out": nil,
		"rank.0000.err": []byte("e\n"),
		"rank.0001.out": binary,
		"rank.0001.err": nil,
	} {
		path := filepath.Join(dir, name)
		got, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %q, %v; want %q", name, got, err, want)
		}
		if info, err := os.Stat(path); err == nil && runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, want 0600", name, info.Mode())
		}
	}
	if info, err := os.Stat(dir); err == nil && runtime.GOOS != "windows" && info.Mode().Perm() != 0o700 {
		t.Errorf("the directory has mode %v, want 0700", info.Mode())
	}
}

func TestPlantedLinkIsNotFollowed(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need a privilege there")
	}
	dir := t.TempDir()
	victim := filepath.Join(t.TempDir(), "victim")
	if err := os.WriteFile(victim, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(victim, filepath.Join(dir, "rank.0000.out")); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(victim, filepath.Join(dir, "rank.0000.err")); err != nil {
		t.Fatal(err)
	}
	s := newTest(t, Options{Size: 1, Stdout: io.Discard, Stderr: io.Discard, Dir: dir}, false)
	s.Write(0, false, []byte("one\n"), false)
	s.Write(0, true, []byte("two\n"), false)
	closeSink(t, s)
	if got, _ := os.ReadFile(victim); string(got) != "precious" {
		t.Errorf("the link's target now holds %q", got)
	}
	if got, _ := os.ReadFile(filepath.Join(dir, "rank.0000.out")); string(got) != "one\n" {
		t.Errorf("the file holds %q", got)
	}
}

func TestOutputDirectoryThatCannotBeMade(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Options{Size: 1, Dir: filepath.Join(file, "out")}); err == nil {
		t.Error("no error for a directory below a file")
	}
}
