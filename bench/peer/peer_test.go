package peer

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestMissingPeersAreNamedWithTheirPackages(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := Find(t.Context(), Names())
	want := "openmpi and mpich: not installed: neither their mpicc nor their mpirun is in PATH; " +
		"on Debian, apt-get install openmpi-bin libopenmpi-dev mpich libmpich-dev"
	if !errors.Is(err, ErrMissing) || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	if list, err := Find(t.Context(), nil); err != nil || list != nil {
		t.Errorf("nobody asked for: %v, %v", list, err)
	}
}

// Without Debian's names it is what mpicc -show says that tells whose it is.
func TestPlainMpiccIsAskedWhoseItIs(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("commands here are shell scripts")
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"mpicc":  "#!/bin/sh\necho gcc -I/opt/mpich/include -lmpi\n",
		"mpirun": "#!/bin/sh\nprintf 'HYDRA build details:\\n    Version:      4.2\\n'\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
	list, err := Find(t.Context(), []string{"mpich"})
	if err != nil || len(list) != 1 || list[0].mpirun != filepath.Join(dir, "mpirun") || list[0].Version != "mpich: HYDRA 4.2" {
		t.Errorf("got %+v, %v", list, err)
	}
	if _, err := Find(t.Context(), []string{"openmpi"}); !errors.Is(err, ErrMissing) {
		t.Errorf("mpich's mpicc is taken for Open MPI's: %v", err)
	}
}

func TestPeersRunAtTheirBest(t *testing.T) {
	for _, test := range []struct {
		name, transport string
		ranks           int
		flags, env      string
	}{
		{"openmpi", "shm", 2, "--bind-to core", "OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"},
		{"openmpi", "tcp", 2, "--bind-to core --mca btl tcp,self", "OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"},
		{"openmpi", "shm", 8, "--oversubscribe --bind-to none --mca mpi_yield_when_idle 1", "OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"},
		{"mpich", "shm", 2, "-bind-to core", ""},
		{"mpich", "tcp", 2, "-bind-to core", "MPIR_CVAR_NOLOCAL=1 UCX_TLS=tcp,self"},
		{"mpich", "shm", 8, "", ""},
	} {
		flags, env := (&Peer{Name: test.name}).settings(test.transport, test.ranks, 2)
		if strings.Join(flags, " ") != test.flags || strings.Join(env, " ") != test.env {
			t.Errorf("%+v: got %v, %v", test, flags, env)
		}
	}
}

// A program that hangs after its last word is ended; one that fails is not taken
// for such.
func TestProgramThatOnlyDoesNotEndIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ended atomic.Bool
		out := &transcript{grace: time.Second, overdue: func() { ended.Store(true) }}
		for _, part := range []string{"sample test=bw end\n", "en", "d\n"} {
			out.Write([]byte(part))
		}
		time.Sleep(999 * time.Millisecond)
		if synctest.Wait(); ended.Load() {
			t.Error("ended before its time")
		}
		time.Sleep(time.Millisecond)
		if synctest.Wait(); !ended.Load() || !out.stop() {
			t.Error("not ended")
		}
		prompt := &transcript{grace: time.Second, overdue: func() { t.Error("ended after it had ended by itself") }}
		prompt.Write([]byte("end\n"))
		if prompt.stop() {
			t.Error("taken for overdue")
		}
		time.Sleep(time.Minute)
	})
}

func TestHangingProgramsOutputStands(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("commands here are shell scripts")
	}
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho sample\necho end\nexec sleep 1000\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := (&Peer{Name: "mpich", mpirun: script}).Run(t.Context(), "tcp", 2, 2, nil); err != nil || out != "sample\nend\n" {
		t.Errorf("got %q, %v", out, err)
	}
}

func TestFailuresShowWhatWasSaid(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("commands here are shell scripts")
	}
	dir := t.TempDir()
	script := filepath.Join(dir, "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho p2p.c:1: mpi.h is missing >&2\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	p := &Peer{Name: "mpich", mpicc: script, mpirun: script}
	if err := p.Compile(t.Context(), dir, "coll"); err == nil || !strings.Contains(err.Error(), "mpi.h is missing") {
		t.Errorf("compiling: %v", err)
	}
	if _, err := p.Run(t.Context(), "shm", 2, 2, nil); err == nil || !strings.Contains(err.Error(), "mpi.h is missing") {
		t.Errorf("running: %v", err)
	}
}
