package agent

import (
	"bytes"
	"crypto/sha256"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	pb "github.com/muster-mpi/muster/proto"
	"golang.org/x/sys/unix"
)

// programOf is what the launcher says of a program.
func programOf(text string) *pb.Program {
	sum := sha256.Sum256([]byte(text))
	return &pb.Program{Digest: sum[:], Bytes: int64(len(text))}
}

// put takes a program into s.
func put(t *testing.T, s *store, text string) string {
	t.Helper()
	in, err := s.begin(programOf(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := in.write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	path, err := s.end(in)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// opened opens the store of a user whose cache is in base.
func opened(t *testing.T, base string) *store {
	t.Helper()
	t.Setenv("XDG_CACHE_HOME", base)
	s, err := openStore()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return s
}

// S6: whoever else may write where programs are kept could exchange them.
func TestS6StoreThatOthersCouldWriteIsNotUsed(t *testing.T) {
	make := func(mode os.FileMode, owner int, names ...string) func(*testing.T, string, string) {
		return func(t *testing.T, base, _ string) {
			dir := filepath.Join(append([]string{base}, names...)...)
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(dir, mode); err != nil {
				t.Fatal(err)
			}
			if owner != 0 {
				if err := os.Chown(dir, owner, owner); err != nil {
					t.Skipf("needs root to make a directory of another user's: %v", err)
				}
			}
		}
	}
	link := func(names ...string) func(*testing.T, string, string) {
		return func(t *testing.T, base, elsewhere string) {
			path := filepath.Join(append([]string{base}, names...)...)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(elsewhere, path); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		name, why string
		plant     func(t *testing.T, base, elsewhere string)
	}{
		{"link for muster", "muster is a symbolic link", link("muster")},
		{"link for program", "program is a symbolic link", link("muster", "program")},
		{"foreign muster", "muster belongs to user 4242", make(0o755, 4242, "muster")},
		{"foreign program", "program belongs to user 4242", make(0o755, 4242, "muster", "program")},
		{"group writes", "program may be changed by others", make(0o770, 0, "muster", "program")},
		{"all write", "muster may be changed by others", make(0o777, 0, "muster")},
		{"pipe", "program is no directory", func(t *testing.T, base, _ string) {
			make(0o700, 0, "muster")(t, base, "")
			if err := unix.Mkfifo(filepath.Join(base, "muster", "program"), 0o600); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			base, elsewhere, temp := t.TempDir(), t.TempDir(), t.TempDir()
			c.plant(t, base, elsewhere)
			if err := ownDir(filepath.Join(base, "muster", "program")); err == nil || !strings.Contains(err.Error(), c.why) {
				t.Errorf("got %v, want it to say %q", err, c.why)
			}
			t.Setenv("TMPDIR", temp)
			s := opened(t, base)
			if !s.private || filepath.Dir(s.dir) != temp {
				t.Errorf("the store is %s, want one in %s for this job", s.dir, temp)
			}
			put(t, s, "x")
			for _, dir := range []string{elsewhere, filepath.Join(base, "muster", "program")} {
				if got, _ := os.ReadDir(dir); len(got) > 0 {
					t.Errorf("%s now holds %v", dir, got)
				}
			}
		})
	}
}

// S6: from when the store was looked at, names that lead to it are of no importance.
func TestS6StoreThatIsExchangedMeanwhileIsNotFollowed(t *testing.T) {
	base := t.TempDir()
	s := opened(t, base)
	const good, evil = "#!/bin/sh\necho good\n", "#!/bin/sh\necho evil\n"
	first := put(t, s, good)
	name := programName(programOf(good).GetDigest())
	if err := os.Rename(filepath.Join(base, "muster"), filepath.Join(base, "away")); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(base, "muster", "program"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(base, "muster", "program", name), []byte(evil), 0o700); err != nil {
		t.Fatal(err)
	}
	found, ok := s.find(programOf(good))
	if !ok {
		t.Fatal("the program is not found any more")
	}
	for _, path := range []string{first, found} {
		if out, err := exec.Command(path).CombinedOutput(); string(out) != "good\n" {
			t.Errorf("%s is run: %q, %v", path, out, err)
		}
	}
	put(t, s, good+"# 2\n")
	if got, _ := os.ReadDir(filepath.Join(base, "muster", "program")); len(got) != 1 {
		t.Errorf("what was put in the place of the store holds %v", got)
	}
}

// S20: a program is what its sum says, or is fetched again.
func TestS20StoredProgramIsOneOfThatSum(t *testing.T) {
	const text = "#!/bin/sh\necho good\n"
	for name, damage := range map[string]func(t *testing.T, path string){
		"other bytes": func(t *testing.T, path string) {
			if err := os.Chmod(path, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, bytes.Repeat([]byte("x"), len(text)), 0o700); err != nil {
				t.Fatal(err)
			}
		},
		"cut": func(t *testing.T, path string) {
			if err := os.Truncate(path, 3); err != nil {
				t.Fatal(err)
			}
		},
		"link": func(t *testing.T, path string) {
			other := filepath.Join(t.TempDir(), "other")
			if err := os.Rename(path, other); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(other, path); err != nil {
				t.Fatal(err)
			}
		},
		"pipe": func(t *testing.T, path string) {
			os.Remove(path)
			if err := unix.Mkfifo(path, 0o600); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			base := t.TempDir()
			s := opened(t, base)
			put(t, s, text)
			damage(t, filepath.Join(base, "muster", "program", programName(programOf(text).GetDigest())))
			if path, ok := s.find(programOf(text)); ok {
				t.Errorf("found as %s", path)
			}
			path := put(t, s, text)
			if out, err := exec.Command(path).CombinedOutput(); string(out) != "good\n" {
				t.Errorf("put again, it says %q, %v", out, err)
			}
			if _, ok := s.find(programOf(text)); !ok {
				t.Error("put again, it is not found")
			}
		})
	}
	// What came is not what was announced.
	s := opened(t, t.TempDir())
	in, err := s.begin(programOf(text))
	if err != nil {
		t.Fatal(err)
	}
	in.write([]byte(strings.ToUpper(text)))
	if _, err := s.end(in); err == nil || !strings.Contains(err.Error(), "want "+programName(programOf(text).GetDigest())) {
		t.Errorf("other bytes than announced: %v, want both sums", err)
	}
	if left, _ := os.ReadDir(s.dir); len(left) > 0 {
		t.Errorf("the store holds %v", slices.Collect(func(yield func(string) bool) {
			for _, e := range left {
				yield(e.Name())
			}
		}))
	}
}
