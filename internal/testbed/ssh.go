package testbed

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
)

// A Farm is hosts that are reached by ssh and are this machine. They are told apart by
// name, address, home directory and cache.
type Farm struct {
	t      testing.TB
	dir    string
	hosts  []string
	keeper *keeper
}

// SSH puts up n hosts behind sshd on 127.0.0.2 and on, for this user, by key. Nothing of
// the machine is touched but that /run/sshd is made, which sshd of root's wants.
func SSH(t testing.TB, n int) *Farm {
	t.Helper()
	sshd := find(t, "sshd", "openssh-server")
	find(t, "ssh", "openssh-client")
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	f := &Farm{t: t, dir: directory(t)}
	key := keys(t, f.dir)
	s := spec{Dir: f.dir}
	for i := 1; i <= n; i++ {
		name := fmt.Sprintf("node%d", i)
		f.hosts = append(f.hosts, name)
		if err := os.MkdirAll(f.Cache(i), 0o700); err != nil {
			t.Fatal(err)
		}
		config := write(t, sshdConfig(f.dir)+fmt.Sprintf("SetEnv HOME=%s XDG_CACHE_HOME=%s TESTBED_HOST=%s\n",
			f.Home(i), f.Cache(i), name), f.dir, name+".sshd")
		s.Listeners = append(s.Listeners, listener{
			Address: fmt.Sprintf("127.0.0.%d:0", i+1),
			Command: []string{sshd, "-i", "-e", "-f", config},
			Log:     filepath.Join(f.dir, name+".log"),
		})
	}
	f.keeper = keep(t, s)
	var config, known strings.Builder
	for i, name := range f.hosts {
		address, port := fmt.Sprintf("127.0.0.%d", i+2), f.keeper.Ports[i]
		fmt.Fprintf(&config, "Host %s\n  HostName %s\n  Port %d\n", name, address, port)
		fmt.Fprintf(&known, "[%s]:%d %s\n", address, port, key)
	}
	write(t, known.String(), f.dir, "known_hosts")
	write(t, config.String()+clientConfig(f.dir, me.Username), f.dir, "ssh_config")
	return f
}

// Config returns the path of the ssh_config that leads to the hosts: ssh -F Config() node1.
func (f *Farm) Config() string { return filepath.Join(f.dir, "ssh_config") }

// Hosts returns the hosts' names, node1 and on.
func (f *Farm) Hosts() []string { return f.hosts }

// Dir returns the directory of the bed: ssh_config, known_hosts, the key id, node1.log of
// sshd, and the homes.
func (f *Farm) Dir() string { return f.dir }

// Home returns the home directory of host i, from 1 on.
func (f *Farm) Home(i int) string { return filepath.Join(f.dir, fmt.Sprintf("node%d", i)) }

// Cache returns XDG_CACHE_HOME of host i, from 1 on.
func (f *Farm) Cache(i int) string { return filepath.Join(f.Home(i), ".cache") }

// Command returns ssh of a command line for the shell of host i, from 1 on.
func (f *Farm) Command(i int, line string) *exec.Cmd {
	return exec.CommandContext(f.t.Context(), "ssh", "-F", f.Config(), f.hosts[i-1], line)
}

// Processes returns what runs on the hosts now: sessions of ssh and what they left.
func (f *Farm) Processes() []Process { return f.keeper.processes(f.t) }

// keys makes a key of the user's and one of the hosts' in dir and returns the latter's
// public part as known_hosts has it.
func keys(t testing.TB, dir string) string {
	t.Helper()
	keygen := find(t, "ssh-keygen", "openssh-client")
	for _, name := range []string{"id", "hostkey"} {
		run(t, keygen, "-q", "-t", "ed25519", "-N", "", "-C", "testbed", "-f", filepath.Join(dir, name))
	}
	if os.Geteuid() == 0 {
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			t.Skipf("sshd of root's wants the directory /run/sshd: %v", err)
		}
	}
	key, err := os.ReadFile(filepath.Join(dir, "hostkey.pub"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(key))
}

// sshdConfig is what sshd of any host is told.
func sshdConfig(dir string) string {
	pam := "no"
	if os.Geteuid() != 0 { // without it, sshd wants to see that the account is not locked, which only root may
		pam = "yes"
	}
	return fmt.Sprintf(`HostKey %[1]s/hostkey
AuthorizedKeysFile %[1]s/id.pub
PidFile none
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM %[2]s
UseDNS no
StrictModes no
PrintMotd no
PrintLastLog no
MaxStartups 200:30:400
MaxSessions 100
Subsystem sftp internal-sftp
`, dir, pam)
}

// clientConfig is what ssh is told about all hosts.
func clientConfig(dir, user string) string {
	return fmt.Sprintf(`Host *
  User %[2]s
  IdentityFile %[1]s/id
  IdentitiesOnly yes
  UserKnownHostsFile %[1]s/known_hosts
  GlobalKnownHostsFile none
  StrictHostKeyChecking yes
  BatchMode yes
  LogLevel ERROR
`, dir, user)
}
