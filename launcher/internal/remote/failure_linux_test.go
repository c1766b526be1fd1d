package remote

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muster-mpi/muster/internal/testbed"
)

// fakeSSH is an ssh that runs a script instead. Its last argument is our command.
func fakeSSH(t *testing.T, script string) Shell {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ssh")
	text := "#!/bin/sh\nfor command; do :; done\n" + script + "\n"
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return Shell{Argv: []string{path}, Kind: KindSSH}
}

// fails checks that there is no agent, for the reason wanted, which is a stage and a part of
// the sentence, and in time.
func fails(t *testing.T, o Options, stage Stage, want string) *Error {
	t.Helper()
	began := time.Now()
	s, err := Start(t.Context(), o)
	if err == nil {
		s.Kill()
		t.Fatal("there is an agent")
	}
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%T is no *Error: %v", err, err)
	}
	if e.Stage != stage || !strings.Contains(e.What, want) || e.Host != o.Host {
		t.Errorf("got stage %s: %v; want stage %s: …%s…", e.Stage, err, stage, want)
	}
	most := 12 * time.Second
	if o.Timeout > 0 {
		most = o.Timeout + 3*time.Second
	}
	if took := time.Since(began); took > most {
		t.Errorf("the error took %v: %v", took, err)
	}
	t.Log(err)
	return e
}

func TestSSHErrorsAreToldApart(t *testing.T) {
	f := testbed.SSH(t, 1)
	write := func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	known, err := os.ReadFile(filepath.Join(f.Dir(), "known_hosts"))
	if err != nil {
		t.Fatal(err)
	}
	address, _, _ := strings.Cut(string(known), " ")
	client, err := os.ReadFile(filepath.Join(f.Dir(), "id.pub")) // a key, but not the host's
	if err != nil {
		t.Fatal(err)
	}
	silent := listener(t, func(c net.Conn) { <-t.Context().Done() })
	closing := listener(t, func(c net.Conn) { c.Close() })

	for _, test := range []struct {
		name    string
		args    []string
		host    string
		port    string
		timeout time.Duration
		want    string
		stderr  string
	}{
		{name: "refused", port: closedPort(t), want: "refused", stderr: "Connection refused"},
		{name: "unknown name", host: "no-such-host.invalid", want: "cannot be resolved", stderr: "Could not resolve hostname"},
		{name: "no key", args: []string{"-o", "PubkeyAuthentication=no"}, want: "ssh may not log in", stderr: "Permission denied (publickey)"},
		{name: "unknown host key", args: []string{"-o", "UserKnownHostsFile=none"}, want: "not in known_hosts", stderr: "Host key verification failed."},
		{name: "changed host key", args: []string{"-o", "UserKnownHostsFile=" + write("known_hosts", address+" "+string(client))},
			want: "not the one that known_hosts has", stderr: "Host key verification failed."},
		{name: "silent server", port: silent, timeout: 2 * time.Second, want: "does not answer", stderr: "timed out"},
		{name: "no ssh server", port: closing, timeout: 2 * time.Second, want: "hung up before it said who it is", stderr: "kex_exchange_identification"},
		{name: "wrong configuration", args: []string{"-o", "NoSuchOption=yes"}, want: "does not understand its configuration"},
		{name: "jump host without way", args: []string{"-J", "node1"}, host: "no-such-host.invalid", want: "jump host", stderr: "stdio forwarding failed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.host == "" {
				test.host = "node1"
			}
			args := append([]string{"-F", f.Config()}, test.args...)
			if test.port != "" {
				args = append(args, "-p", test.port)
				args = append(args, "-o", "HostName=127.0.0.1")
			}
			e := fails(t, Options{Host: test.host, Shell: SSH(args...), Timeout: test.timeout}, StageShell, test.want)
			if said := strings.Join(e.Stderr, "\n"); said == "" || !strings.Contains(said, test.stderr) {
				t.Errorf("ssh's last lines are\n%s\nwant %q", said, test.stderr)
			}
			if test.timeout != 0 {
				return
			}
			// What we tell the user to try shows it to him.
			if out, err := exec.Command("sh", "-c", e.Command).CombinedOutput(); err == nil || !strings.Contains(string(out), test.stderr) {
				t.Errorf("%s\nsays %v: %s\nwant %q", e.Command, err, out, test.stderr)
			}
		})
	}
}

// listener serves each connection to a port of loopback, which it returns.
func listener(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				serve(c)
			}()
		}
	}()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

func TestLoginThatDoesNotRunOurCommandIsNamed(t *testing.T) {
	f := testbed.SSH(t, 1)
	shell := SSH("-F", f.Config())
	rc := func(text string) {
		for _, name := range []string{".bashrc", ".zshenv", ".cshrc"} {
			if err := os.WriteFile(filepath.Join(f.Home(1), name), []byte(text+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	rc("exit 7")
	if out, err := f.Command(1, "echo here").CombinedOutput(); err == nil {
		t.Skipf("the login shell reads no start-up file (%s); this test needs bash, zsh or csh", out)
	}
	fails(t, Options{Host: "node1", Shell: shell}, StageProbe, "exit status 7")
	rc("echo Maintenance until noon; exit 0")
	fails(t, Options{Host: "node1", Shell: shell}, StageProbe, "Maintenance until noon")
	rc("sleep 1000")
	e := fails(t, Options{Host: "node1", Shell: shell, Timeout: 2 * time.Second}, StageProbe, "start-up files are slow")
	if !errors.Is(e, os.ErrDeadlineExceeded) {
		t.Errorf("%v is no timeout", e.Err)
	}
	rc("echo Loading modules; sleep 1000")
	fails(t, Options{Host: "node1", Shell: shell, Timeout: 2 * time.Second}, StageProbe, "Loading modules")
	rc("yes")
	fails(t, Options{Host: "node1", Shell: shell}, StageProbe, "more than 1 MiB")
}

func TestFailuresOfAnyRemoteShellAreToldApart(t *testing.T) {
	cache := []string{"XDG_CACHE_HOME=" + t.TempDir(), "TMPDIR=" + t.TempDir()}
	for _, test := range []struct {
		name  string
		shell Shell
		stage Stage
		want  string
	}{
		{"no ssh here", Shell{Argv: []string{"ssh-that-is-not-there"}, Kind: KindSSH}, StageShell, "no program ssh-that-is-not-there"},
		{"not executable", Custom([]string{os.DevNull}), StageShell, "cannot be started"},
		{"silence and the end", local(nil, "exit 0"), StageShell, "ended (exit status 0) before our command ran there"},
		{"killed", local(nil, "kill -9 $$"), StageShell, "signal: killed"},
		{"no sh there", local(nil, "exit 127"), StageShell, "a command was not found there"},
		{"no shell account", local(nil, "echo This account is currently not available.; exit 1"), StageShell, "This account is currently not available."},
		{"forced command", local(nil, "echo usage: git; exit 0"), StageShell, "a forced command"},
		{"host down", fakeSSH(t, "echo 'ssh: connect to host a port 22: Connection timed out' >&2; exit 255"), StageShell, "does not answer"},
		{"no route", fakeSSH(t, "echo 'ssh: connect to host a port 22: No route to host' >&2; exit 255"), StageShell, "no route"},
		{"unknown to us", fakeSSH(t, "echo 'ssh: new trouble' >&2; exit 255"), StageShell, "does not reach the host"},
		{"another system", local(cache, `uname() { echo Darwin mac 24.0 arm64; }; `+functionsToo), StageProbe, "runs Darwin; agents need Linux"},
		{"a strange machine", local(cache, `uname() { echo Linux a 6.1 vax; }; `+functionsToo), StageStage, "machine is vax"},
	} {
		t.Run(test.name, func(t *testing.T) {
			fails(t, Options{Host: "a", Shell: test.shell}, test.stage, test.want)
		})
	}
}

// functionsToo runs the script in the login shell itself, whose functions replace
// commands.
const functionsToo = `eval "set -- ${1#exec /bin/sh -c }"; eval "$1"`

func TestServerThatHangsUpIsTriedAgain(t *testing.T) {
	count := filepath.Join(t.TempDir(), "count")
	cache := t.TempDir()
	shell := fakeSSH(t, `
echo x >>`+count+`
if [ $(wc -l <`+count+`) -lt 3 ]; then
  echo 'kex_exchange_identification: Connection closed by remote host' >&2
  exit 255
fi
XDG_CACHE_HOME=`+cache+` exec sh -c "$command"`)
	s, err := start(t, Options{Host: "a", Shell: shell})
	if err != nil {
		t.Fatal(err)
	}
	serves(t, s)
}

func TestNamesThatCouldBeOptionsAreRefused(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "mark")
	for _, o := range []Options{
		{Host: "-oProxyCommand=touch " + mark},
		{Host: "a;touch " + mark},
		{Host: "$(touch " + mark + ")"},
		{Host: "a\nb"},
		{Host: ""},
		{Host: strings.Repeat("a", 300)},
		{Host: "bücher.example"},
		{Host: "a", User: "-oProxyCommand=touch " + mark},
		{Host: "a", User: "$(touch " + mark + ")"},
		{Host: "a", Port: 70000},
		{Host: "a", Port: -1},
		{Host: "a", Port: 22, Shell: Srun()},
		{Host: "a", User: "b", Shell: Custom([]string{"rsh"})},
	} {
		o.Agent.Path = "/nonexistent"
		s, err := Start(t.Context(), o)
		var e *Error
		if err == nil {
			s.Kill()
			t.Errorf("%+v: there is an agent", o)
		} else if !errors.As(err, &e) || e.Command != "" {
			t.Errorf("%+v: %v was tried", o, err)
		}
	}
	if _, err := os.Stat(mark); err == nil {
		t.Error("a host's name was run as a command")
	}
}

func TestCancelledStartLeavesNothing(t *testing.T) {
	f := testbed.SSH(t, 1)
	rc := filepath.Join(f.Home(1), ".bashrc")
	if err := os.WriteFile(rc, []byte("sleep 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cause := errors.New("the user has had enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	o := Options{Host: "node1", Shell: SSH("-F", f.Config()), OnStage: func(s Stage) {
		if s == StageProbe {
			cancel(cause)
		}
	}}
	began := time.Now()
	s, err := Start(ctx, o)
	if err == nil { // a login shell without start-up files
		s.Kill()
		t.Skip("the login shell reads no .bashrc; this test needs bash")
	}
	if !errors.Is(err, cause) || time.Since(began) > 5*time.Second {
		t.Errorf("after %v: %v, want %v", time.Since(began), err, cause)
	}
	noProcesses(t, f) // our command finds nobody there, when its turn comes
}

// noProcesses waits until none of a farm's processes is left.
func noProcesses(t *testing.T, f *testbed.Farm) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		left := f.Processes()
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("left over: %v", left)
		}
	}
}
