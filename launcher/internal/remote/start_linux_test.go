package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/muster-mpi/muster/launcher/internal/agent"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "agent":
			os.Exit(agent.Main(os.Args[2:]...))
		case "cut":
			cut(os.Args[2])
		case "launcher":
			launch(Kind(os.Args[2]), os.Args[3], os.Args[4:])
		case "srun":
			launchAll(os.Args[2:])
		}
	}
	os.Exit(m.Run())
}

// cut passes on as many bytes as its argument says and ends.
func cut(bytes string) {
	n, err := strconv.ParseInt(bytes, 10, 64)
	if err == nil {
		_, err = io.CopyN(struct{ io.Writer }{os.Stdout}, os.Stdin, n)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "cut:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// launch starts an agent with a remote shell, says so, and lives on.
func launch(kind Kind, host string, argv []string) {
	s, err := Start(context.Background(), Options{Host: host, Shell: Shell{Argv: argv, Kind: kind}})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("started", s.Info.Hostname)
	select {}
}

// local is a remote shell whose every host is this one, with an environment of its own
// and a login shell. What is said in its place comes first.
func local(env []string, login string) Shell {
	argv := append([]string{"env"}, env...)
	// Programs under the race detector end a second late, else.
	return Custom(append(argv, "GORACE=atexit_sleep_ms=0", "sh", "-c", login, "{host}"))
}

const plainLogin = `exec sh -c "$1"`

func start(t *testing.T, o Options) (*Session, error) {
	t.Helper()
	s, err := Start(t.Context(), o)
	if err != nil {
		var e *Error
		if !errors.As(err, &e) || e.Host != o.Host {
			t.Errorf("error %v is no *Error of host %s", err, o.Host)
		}
		return nil, err
	}
	t.Cleanup(s.Kill)
	return s, nil
}

// serves checks that an agent's gRPC answers at the other end, and that bytes which mean
// something to terminals pass both ways as they are.
func serves(t *testing.T, s *Session) {
	t.Helper()
	if err := ping(s); err != nil {
		t.Fatalf("%v (%v)", err, s.process.stderr.tail())
	}
}

func ping(s *Session) error {
	s.Conn.SetDeadline(time.Now().Add(10 * time.Second))
	defer s.Conn.SetDeadline(time.Time{})
	const settings, pings, ack = 4, 6, 1
	send := []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
	want := []string{"\x03\x04\n\r\x11\x13\x1a\x1c", "\n~.\x7f\x80\xff\x1b\x00"}
	for _, payload := range want {
		send = append(send, 0, 0, 8, pings, 0, 0, 0, 0, 0)
		send = append(send, payload...)
	}
	if _, err := s.Conn.Write(send); err != nil {
		return fmt.Errorf("writing to the agent: %w", err)
	}
	for first := true; len(want) > 0; first = false {
		var head [9]byte
		if _, err := io.ReadFull(s.Conn, head[:]); err != nil {
			return fmt.Errorf("reading from the agent: %w", err)
		}
		body := make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
		if _, err := io.ReadFull(s.Conn, body); err != nil {
			return fmt.Errorf("reading from the agent: %w", err)
		}
		if first && head[3] != settings {
			return fmt.Errorf("the agent's first frame is %x, expected SETTINGS", head)
		}
		if head[3] == pings && head[4] == ack {
			if string(body) != want[0] {
				return fmt.Errorf("the agent sends back %q, expected %q", body, want[0])
			}
			want = want[1:]
		}
	}
	return nil
}

func TestAgentIsStagedOnce(t *testing.T) {
	cache := t.TempDir()
	for _, cached := range []bool{false, true} {
		var stages []Stage
		s, err := start(t, Options{
			Host:    "a",
			Shell:   local([]string{"XDG_CACHE_HOME=" + cache}, plainLogin),
			OnStage: func(stage Stage) { stages = append(stages, stage) },
		})
		if err != nil {
			t.Fatal(err)
		}
		serves(t, s)
		host, _ := os.Hostname()
		home, _ := os.UserHomeDir()
		if i := s.Info; i.Cached != cached || i.Uncached != "" || i.OS != "Linux" || i.Arch != runtime.GOARCH || i.Hostname != host || i.Home != home {
			t.Errorf("the host says %+v; want cached %v, host %s, home %s", i, cached, host, home)
		}
		if !slices.Equal(stages, Stages) {
			t.Errorf("stages were %v, want %v", stages, Stages)
		}
		s.Close()
		if text := s.DeathText(); text != "exit status 0" {
			t.Errorf("the agent's end is %q", text)
		}
	}
	if files := cached(t, cache); len(files) != 1 || !strings.HasPrefix(files[0], "muster-") {
		t.Errorf("the cache has %v, want one binary", files)
	}
}

// cached lists what a cache of agents holds.
func cached(t *testing.T, cache string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(cache, "muster", "agent"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// need skips the test unless a program is installed.
func need(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("needs %s in PATH (Debian: apt-get install %s)", program, program)
	}
}

func TestAnyLoginShellWillDo(t *testing.T) {
	for _, test := range []struct{ program, login string }{
		{"bash", `exec bash -c "$1"`},
		{"dash", `exec dash -c "$1"`},
		{"busybox", `exec busybox sh -c "$1"`},
		{"zsh", `exec zsh -c "$1"`},
		{"mksh", `exec mksh -c "$1"`},
		{"csh", `exec csh -c "$1"`},
		{"tcsh", `exec tcsh -c "$1"`},
		{"fish", `exec fish -c "$1"`},
	} {
		t.Run(test.program, func(t *testing.T) {
			need(t, test.program)
			reachesTwice(t, test.login)
		})
	}
}

// reachesTwice starts an agent that has to be staged and one that has not.
func reachesTwice(t *testing.T, login string) {
	t.Helper()
	cache := t.TempDir()
	for _, cached := range []bool{false, true} {
		s, err := start(t, Options{Host: "a", Shell: local([]string{"XDG_CACHE_HOME=" + cache}, login)})
		if err != nil {
			t.Fatal(err)
		}
		serves(t, s)
		if s.Info.Cached != cached || s.Info.Uncached != "" {
			t.Errorf("the host says %+v, want cached %v", s.Info, cached)
		}
		s.Close()
	}
}

func TestAnyPosixShellRunsTheScript(t *testing.T) {
	for _, test := range []struct{ program, sh string }{
		{"bash", "bash --posix"},
		{"dash", "dash"},
		{"busybox", "busybox sh"},
		{"mksh", "mksh"},
		{"zsh", "zsh --emulate sh"},
	} {
		t.Run(test.program, func(t *testing.T) {
			need(t, test.program)
			reachesTwice(t, `eval "set -- ${1#exec /bin/sh -c }"; exec `+test.sh+` -c "$1"`)
		})
	}
}

func TestBusyboxHasAllThatTheScriptNeeds(t *testing.T) {
	need(t, "busybox")
	path, _ := exec.LookPath("busybox")
	bin := t.TempDir()
	for _, applet := range []string{"uname", "ls", "mkdir", "chmod", "mv", "rm", "wc", "head", "find", "sh"} {
		if err := os.Symlink(path, filepath.Join(bin, applet)); err != nil {
			t.Fatal(err)
		}
	}
	reachesTwice(t, `PATH=`+bin+`; eval "set -- ${1#exec /bin/sh -c }"; exec sh -c "$1"`)
}

func TestNoiseOfLoginShellsIsSkipped(t *testing.T) {
	for name, login := range map[string]string{
		"lines":            `echo Welcome; echo to; echo; echo "muster: this host"; ` + plainLogin,
		"no newline":       `printf 'Welcome to this host: '; ` + plainLogin,
		"escapes and NULs": `printf '\033]0;title\007\000\377'; ` + plainLogin,
		"a long line":      `head -c 300000 /dev/zero | tr '\000' x; ` + plainLogin,
		"echoed commands":  `echo "$1"; ` + plainLogin,
		"much":             `yes | head -c 1000000; ` + plainLogin,
	} {
		t.Run(name, func(t *testing.T) { reachesTwice(t, login) })
	}
}

func TestAgentsStandardOutputIsTheLaunchersAlone(t *testing.T) {
	s, err := start(t, Options{Host: "a", Shell: local([]string{"XDG_CACHE_HOME=" + t.TempDir()}, plainLogin)})
	if err != nil {
		t.Fatal(err)
	}
	serves(t, s)
	fd := func(n string) string {
		target, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(s.process.os.Pid), "fd", n))
		if err != nil {
			t.Fatal(err)
		}
		return target
	}
	if fd("0") != os.DevNull || fd("1") != fd("2") || !strings.HasPrefix(fd("2"), "pipe:") {
		t.Errorf("the agent's descriptors are 0 %s, 1 %s, 2 %s; want nothing, standard error, a pipe", fd("0"), fd("1"), fd("2"))
	}
}

func TestUmaskAndDirectoryAreTheUsersOwn(t *testing.T) {
	home := t.TempDir()
	s, err := start(t, Options{Host: "a", Shell: local([]string{"HOME=" + home, "XDG_CACHE_HOME="}, "umask 027; "+plainLogin)})
	if err != nil {
		t.Fatal(err)
	}
	proc := filepath.Join("/proc", strconv.Itoa(s.process.os.Pid))
	status, err := os.ReadFile(filepath.Join(proc, "status"))
	if err != nil || !strings.Contains(string(status), "Umask:\t0027\n") {
		t.Errorf("%v; the agent's status is\n%s, want umask 0027", err, status)
	}
	if dir, err := os.Readlink(filepath.Join(proc, "cwd")); dir != home {
		t.Errorf("the agent runs in %s, %v; want %s", dir, err, home)
	}
	info, err := os.Stat(filepath.Join(home, ".cache", "muster", "agent"))
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the cache is %v, %v; want a directory of mode 0700", info, err)
	}
}
