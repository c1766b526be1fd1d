package testbed

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A Net is hosts that have a network, a host name, a home directory, /run, /dev/shm and a
// boot id each, h1 and on, on one Ethernet. In its middle is the hub, number 0, which is
// a host too but for sshd. They share the processors, process ids, /tmp and all other
// files of this machine. One goroutine at a time may do something to a Net; commands may
// run meanwhile.
type Net struct {
	t      testing.TB
	dir    string
	hosts  []string
	keeper *keeper
	delays map[int]*os.Process // the carriers of the hosts' delays
}

// Namespaces puts up n hosts, at most 200, with sshd at port 22, in about 20 ms each.
func Namespaces(t testing.TB, n int) *Net {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("this test makes network namespaces: run it as root")
	}
	sshd := find(t, "sshd", "openssh-server")
	ip := find(t, "ip", "iproute2")
	find(t, "nsenter", "util-linux")
	find(t, "ssh", "openssh-client")
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	b := &Net{t: t, dir: directory(t), delays: make(map[int]*os.Process)}
	key := keys(t, b.dir)

	hosts := new(strings.Builder)
	fmt.Fprintf(hosts, "127.0.0.1 localhost\n::1 localhost ip6-localhost\n%s hub\n%s hub-v6\n", b.Address(0), b.Address6(0))
	known := new(strings.Builder)
	for i := 1; i <= n; i++ {
		name := fmt.Sprintf("h%d", i)
		b.hosts = append(b.hosts, name)
		fmt.Fprintf(hosts, "%s %s\n%s %s-v6\n", b.Address(i), name, b.Address6(i), name)
		fmt.Fprintf(known, "%s,%s-v6,%s,%s %s\n", name, name, b.Address(i), b.Address6(i), key)
	}
	write(t, hosts.String(), b.dir, "hosts")
	write(t, known.String(), b.dir, "known_hosts")
	config := clientConfig(b.dir, me.Username)
	write(t, config, b.dir, "ssh_config")
	write(t, passwd(t, me, b.HomePath()), b.dir, "passwd")
	for _, name := range []string{"hosts", "passwd"} {
		if err := os.Chmod(filepath.Join(b.dir, name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(b.HomePath(), 0o700); err != nil {
		t.Fatal(err)
	}

	s := spec{Dir: b.dir}
	for i := range n + 1 {
		name := b.name(i)
		write(t, config, b.Home(i), ".ssh", "config")
		write(t, fmt.Sprintf("%08x-7465-4474-8264-%012x\n", os.Getpid(), i), b.dir, name+".boot")
		script := fmt.Sprintf(`
hostname %[2]s
mount --make-rprivate /
mount -t tmpfs -o mode=755 run /run
mount -t tmpfs -o mode=1777 shm /dev/shm
mount --bind %[1]s/passwd /etc/passwd
mount --bind %[1]s/hosts /etc/hosts
mount --bind %[1]s/%[2]s.home %[1]s/home
mount --bind %[1]s/%[2]s.boot /proc/sys/kernel/random/boot_id
echo cubic 2>/dev/null >/proc/sys/net/ipv4/tcp_congestion_control || true # what most machines have
`, b.dir, name)
		if i == 0 {
			script += fmt.Sprintf(`%s -batch - <<END
link set lo up
link add br0 type bridge
link set br0 up
addr add %s/16 dev br0
addr add %s/64 dev br0 nodad
END`, ip, b.Address(0), b.Address6(0))
		} else {
			sshdFile := write(t, sshdConfig(b.dir)+fmt.Sprintf("Port 22\nListenAddress 127.0.0.1\nListenAddress ::1\nListenAddress %s\nListenAddress %s\n",
				b.Address(i), b.Address6(i)), b.dir, name+".sshd")
			script += fmt.Sprintf(`mkdir /run/sshd
%s -batch - <<END
link set lo up
link add eth0 type veth peer name %s netns $HUB
link set eth0 up
addr add %s/16 dev eth0
addr add %s/64 dev eth0 nodad
route add default via %s
END
%s -D -f %s -E %s/%s.log </dev/null >/dev/null &`, ip, name, b.Address(i), b.Address6(i), b.Address(0), sshd, sshdFile, b.dir, name)
		}
		s.Hosts = append(s.Hosts, host{Script: script, Log: filepath.Join(b.dir, name+".log")})
	}
	b.keeper = keep(t, s)
	var ports strings.Builder
	for _, name := range b.hosts {
		fmt.Fprintf(&ports, "link set %s master br0 up\n", name)
	}
	b.hub(ports.String())
	for i := 1; i <= n; i++ {
		b.wait(fmt.Sprintf("sshd of %s listens", b.name(i)), func() bool { return len(b.Listeners(i)) == 4 })
	}
	return b
}

// passwd returns the machine's table of users with another home for me.
func passwd(t testing.TB, me *user.User, home string) string {
	t.Helper()
	table, err := os.ReadFile("/etc/passwd")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for line := range strings.Lines(string(table)) {
		if f := strings.Split(line, ":"); len(f) == 7 && f[0] == me.Username {
			f[5] = home
			line = strings.Join(f, ":")
		}
		b.WriteString(line)
	}
	return b.String()
}

func (b *Net) name(i int) string {
	if i == 0 {
		return "hub"
	}
	return b.hosts[i-1]
}

// Hosts returns the hosts' names, h1 and on; h1-v6 is the same host by IPv6.
func (b *Net) Hosts() []string { return b.hosts }

// SSHConfig returns the path of the ssh_config that leads to the hosts. In the bed
// itself ~/.ssh/config reads the same, so ssh h1 is enough.
func (b *Net) SSHConfig() string { return filepath.Join(b.dir, "ssh_config") }

// Dir returns the directory of the bed: ssh_config, known_hosts, the key id, h1.log of
// sshd, and the homes.
func (b *Net) Dir() string { return b.dir }

// HomePath returns what every host calls its home directory.
func (b *Net) HomePath() string { return filepath.Join(b.dir, "home") }

// Home returns what this machine calls the home directory of host i.
func (b *Net) Home(i int) string { return filepath.Join(b.dir, b.name(i)+".home") }

// Address returns the IPv4 address of host i.
func (b *Net) Address(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, 77, 0, byte(i + 1)})
}

// Address6 returns the IPv6 address of host i.
func (b *Net) Address6(i int) netip.Addr {
	return netip.MustParseAddr(fmt.Sprintf("fd77::%x", i+1))
}

// Command returns a command that runs on host i, in the test's working directory and
// with its environment but for HOME, until the test ends. The process that it starts is
// argv's own, so it may be signalled.
func (b *Net) Command(i int, argv ...string) *exec.Cmd {
	return b.CommandContext(b.t.Context(), i, argv...)
}

// CommandContext is Command with an end by ctx.
func (b *Net) CommandContext(ctx context.Context, i int, argv ...string) *exec.Cmd {
	dir, err := os.Getwd()
	if err != nil {
		dir = "/"
	}
	enter := []string{"-t", fmt.Sprint(b.keeper.PIDs[i]), "-n", "-u", "-m", "-i", "--", "env", "-C", dir}
	cmd := exec.CommandContext(ctx, "nsenter", append(enter, argv...)...)
	cmd.Env = append(os.Environ(), "HOME="+b.HomePath())
	return cmd
}

// do runs a command on host i that has to succeed.
func (b *Net) do(i int, input string, argv ...string) {
	b.t.Helper()
	cmd := b.Command(i, argv...)
	cmd.Stdin = strings.NewReader(input)
	if out, err := cmd.CombinedOutput(); err != nil {
		b.t.Fatalf("%s: %q: %v\n%s", b.name(i), argv, err, out)
	}
}

// hub has ip carry out lines in the hub.
func (b *Net) hub(lines string) {
	b.t.Helper()
	b.do(0, lines, find(b.t, "ip", "iproute2"), "-batch", "-")
}

func (b *Net) wait(what string, holds func() bool) {
	b.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			b.t.Fatalf("test bed: in 30 s not: %s", what)
		}
	}
}

// Partition pulls the cable of host i: nothing that is sent arrives, and nobody is told.
func (b *Net) Partition(i int) {
	b.t.Helper()
	b.hub(fmt.Sprintf("link set %s down\n", b.name(i)))
}

// Block drops what host from sends to host to, in this direction only.
func (b *Net) Block(from, to int) {
	b.t.Helper()
	b.do(to, "", find(b.t, "iptables", "iptables"), "-w", "-A", "INPUT", "-s", b.Address(from).String(), "-j", "DROP")
	b.do(to, "", find(b.t, "ip6tables", "iptables"), "-w", "-A", "INPUT", "-s", b.Address6(from).String(), "-j", "DROP")
}

// Drop loses this many of a hundred packets that come to host i.
func (b *Net) Drop(i int, percent float64) {
	b.t.Helper()
	for _, tables := range []string{"iptables", "ip6tables"} {
		b.do(i, "", find(b.t, tables, "iptables"), "-w", "-A", "INPUT", "!", "-i", "lo", "-m", "statistic",
			"--mode", "random", "--probability", fmt.Sprintf("%f", percent/100), "-j", "DROP")
	}
}

// Rate lets host i, from 1 on, send and receive this many megabits a second at most, each way.
func (b *Net) Rate(i int, mbit int) {
	b.t.Helper()
	tc := find(b.t, "tc", "iproute2")
	limit := []string{"root", "tbf", "rate", fmt.Sprintf("%dmbit", mbit), "burst", "64kb", "latency", "50ms"}
	b.do(i, "", append([]string{tc, "qdisc", "replace", "dev", "eth0"}, limit...)...)
	b.do(0, "", append([]string{tc, "qdisc", "replace", "dev", b.name(i)}, limit...)...)
}

// Delay holds every frame that host i, from 1 on, sends or is sent for late, and for up to
// jitter more, each for its own time, so that they overtake each other. So many of a
// hundred come twice. It carries some hundred megabits a second.
func (b *Net) Delay(i int, late, jitter time.Duration, duplicates float64) {
	b.t.Helper()
	if _, err := os.Stat("/dev/net/tun"); err != nil {
		b.t.Skipf("this test wants tap devices: %v", err)
	}
	self, err := os.Executable()
	if err != nil {
		b.t.Fatal(err)
	}
	b.undelay(i)
	// The host's cable goes to a bridge of its own, from where the carrier takes frames.
	name := b.name(i)
	d := delay{Taps: [2]string{name + "in", name + "out"}, Delay: late, Jitter: jitter, Duplicates: duplicates, Seed: uint64(i)}
	b.hub(fmt.Sprintf(`tuntap add dev %[1]sin mode tap
tuntap add dev %[1]sout mode tap
link add br%[1]s type bridge
link set br%[1]s up
link set %[1]s master br%[1]s
link set %[1]sin master br%[1]s up
link set %[1]sout master br0 up
`, name))
	text, err := json.Marshal(d)
	if err != nil {
		b.t.Fatal(err)
	}
	cmd := b.Command(0, self)
	b.keeper.start(b.t, daemon{
		Command: append([]string{cmd.Path}, cmd.Args[1:]...),
		Env:     append(cmd.Env, delayVariable+"="+string(text)),
		Dir:     b.dir, Log: filepath.Join(b.dir, name+".delay.log"),
	})
	if b.delays[i], err = os.FindProcess(b.keeper.Daemons[len(b.keeper.Daemons)-1]); err != nil {
		b.t.Fatal(err)
	}
	for _, tap := range d.Taps {
		b.up(0, tap)
	}
}

// undelay takes away the delay of host i, if there is one.
func (b *Net) undelay(i int) {
	b.t.Helper()
	if b.delays[i] == nil {
		return
	}
	b.delays[i].Kill()
	delete(b.delays, i)
	b.hub(fmt.Sprintf(`link set %[1]s master br0
link del br%[1]s
link del %[1]sin
link del %[1]sout
`, b.name(i)))
}

// up waits until a device of host i carries frames: the kernel takes up to a second to see
// that a cable is in.
func (b *Net) up(i int, device string) {
	b.t.Helper()
	b.wait(fmt.Sprintf("%s of %s has a link", device, b.name(i)), func() bool {
		out, _ := b.Command(i, find(b.t, "ip", "iproute2"), "link", "show", "dev", device).Output()
		return strings.Contains(string(out), "state UP")
	})
}

// Heal undoes Partition, Rate, Drop, Delay, and Block to host i.
func (b *Net) Heal(i int) {
	b.t.Helper()
	for _, tables := range []string{"iptables", "ip6tables"} {
		if path, err := exec.LookPath(tables); err == nil {
			b.do(i, "", path, "-w", "-F", "INPUT")
		}
	}
	if i == 0 {
		return
	}
	b.hub(fmt.Sprintf("link set %s up\n", b.name(i)))
	b.up(i, "eth0")
	b.undelay(i)
	// There need not be a limit to take away.
	b.Command(i, "tc", "qdisc", "del", "dev", "eth0", "root").Run()
	b.Command(0, "tc", "qdisc", "del", "dev", b.name(i), "root").Run()
}

// Crash cuts host i, from 1 on, off and then ends all its processes, sshd too, as a loss of
// power does: no peer hears of it.
func (b *Net) Crash(i int) {
	b.t.Helper()
	b.Partition(i)
	b.keeper.kill(i)
}

// Listeners returns the addresses and TCP ports at which host i listens; sshd's port is 22.
func (b *Net) Listeners(i int) []netip.AddrPort {
	b.t.Helper()
	var list []netip.AddrPort
	for _, table := range []string{"tcp", "tcp6"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", b.keeper.PIDs[i], table))
		if err != nil {
			b.t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			const listen = "0A"
			if f := strings.Fields(line); len(f) > 3 && f[3] == listen {
				at, err := parseSocket(f[1])
				if err != nil {
					b.t.Fatalf("/proc/net/%s: %v", table, err)
				}
				list = append(list, at)
			}
		}
	}
	return list
}

// parseSocket reads an address as /proc/net/tcp has it: words of four bytes, as this
// machine has them in memory, in hexadecimal, then the port.
func parseSocket(s string) (netip.AddrPort, error) {
	address, port, ok := strings.Cut(s, ":")
	words, err := hex.DecodeString(address)
	var number uint16
	if _, err2 := fmt.Sscanf(port, "%X", &number); !ok || err != nil || err2 != nil || len(words)%4 != 0 {
		return netip.AddrPort{}, fmt.Errorf("%q is no address and port", s)
	}
	for i := 0; i < len(words); i += 4 {
		binary.NativeEndian.PutUint32(words[i:], binary.BigEndian.Uint32(words[i:]))
	}
	a, ok := netip.AddrFromSlice(words)
	if !ok {
		return netip.AddrPort{}, fmt.Errorf("%q has no address of 4 or 16 bytes", s)
	}
	return netip.AddrPortFrom(a, number), nil
}

// Proc returns the directory below /proc of a process of the bed's own on host i: its root
// has the files that the host has, its net the host's network.
func (b *Net) Proc(i int) string { return fmt.Sprintf("/proc/%d", b.keeper.PIDs[i]) }

// Processes returns what runs in the bed now, but sshd's that wait for connections.
func (b *Net) Processes() []Process {
	b.t.Helper()
	return b.keeper.processes(b.t)
}
