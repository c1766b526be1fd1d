package launcher

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/muster-mpi/muster/internal/knock"
	"github.com/muster-mpi/muster/internal/testbed"
	pb "github.com/muster-mpi/muster/proto"
	"golang.org/x/sys/unix"
)

// secrets are what only the processes of a job may know.
type secrets struct {
	Job     []byte
	LinkKey []byte
	Ranks   []*pb.Credentials
}

// tellSecrets has a launcher of these tests write the secrets of its job to a file.
func tellSecrets(path string) {
	planned = func(p *jobPlan) {
		data, err := json.Marshal(secrets{p.common.GetJob(), p.common.GetLinkKey(), slices.Concat(p.secrets, p.hostSecrets)})
		if err != nil {
			die("secrets: %v", err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			die("secrets: %v", err)
		}
	}
}

// readSecrets returns what tellSecrets has written, and removes it.
func readSecrets(t *testing.T, path string) (s secrets) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &s); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if len(s.LinkKey) != 32 || len(s.Ranks) == 0 {
		t.Fatalf("the job has a link key of %d bytes and the keys of %d ranks", len(s.LinkKey), len(s.Ranks))
	}
	return s
}

// all returns the secrets as they could lie about: as bytes, in hexadecimal, and in
// base64, wherever in a text that begins.
func (s secrets) all(t *testing.T) map[string][]byte {
	t.Helper()
	forms := make(map[string][]byte)
	add := func(what string, secret []byte) {
		forms[what+", raw"] = secret
		forms[what+", hexadecimal"] = []byte(hex.EncodeToString(secret))
		forms[what+", HEXADECIMAL"] = bytes.ToUpper(forms[what+", hexadecimal"])
		for shift := range 3 {
			text := base64.StdEncoding.EncodeToString(secret[shift : shift+(len(secret)-shift)/3*3])
			forms[fmt.Sprintf("%s, base64 from %d", what, shift)] = []byte(text)
			forms[fmt.Sprintf("%s, base64 of URLs from %d", what, shift)] = []byte(strings.NewReplacer("+", "-", "/", "_").Replace(text))
		}
	}
	add("the link key", s.LinkKey)
	for rank, c := range s.Ranks {
		block, _ := pem.Decode(c.GetKey())
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		number, err := key.(*ecdsa.PrivateKey).Bytes()
		if err != nil {
			t.Fatal(err)
		}
		add(fmt.Sprintf("the key of rank %d", rank), number)
		// Its PEM has line ends within.
		lines := strings.Split(strings.TrimSpace(string(c.GetKey())), "\n")
		forms[fmt.Sprintf("the key of rank %d, PEM", rank)] = []byte(lines[2])
	}
	return forms
}

// find reports where in data, which is what, a secret is.
func find(forms map[string][]byte, what string, data []byte) (hits []string) {
	for form, text := range forms {
		if bytes.Contains(data, text) {
			hits = append(hits, fmt.Sprintf("%s has %s", what, form))
		}
	}
	return hits
}

// search looks for secrets in what everybody may see of the processes, and in all files
// below the directories. It returns the hits and how much it has looked at.
func search(forms map[string][]byte, pids []int, dirs []string) (hits []string, looked int) {
	for _, pid := range pids {
		for _, name := range []string{"cmdline", "environ", "comm", "status", "maps"} {
			path := fmt.Sprintf("/proc/%d/%s", pid, name)
			if data, err := os.ReadFile(path); err == nil {
				looked++
				hits = append(hits, find(forms, path, data)...)
			}
		}
	}
	for _, dir := range dirs {
		filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return nil
			}
			data, err := os.ReadFile(path)
			if err != nil || bytes.HasPrefix(data, []byte("\x7fELF")) { // programs, whose sum is known
				return nil
			}
			looked++
			hits = append(hits, find(forms, path, data)...)
			return nil
		})
	}
	return hits, looked
}

// pidsOf returns the processes of a job whose launcher is a process in a bed.
func pidsOf(b *testbed.Net, l *launcherProcess) []int {
	pids := []int{l.cmd.Process.Pid}
	for _, p := range b.Processes() {
		pids = append(pids, p.PID)
	}
	return pids
}

func TestS7NoSecretIsInSight(t *testing.T) {
	b := testbed.Namespaces(t, 2)
	dir := t.TempDir()
	told := filepath.Join(dir, "secrets")
	l := exchangeInHub(t, b, "4s", "4", []string{"TEST_SECRETS=" + told}, "-rounds=100000", "-pause=1ms")
	l.stdout.await(t, "exchanging", 1)
	forms := readSecrets(t, told).all(t)
	pids := pidsOf(b, l)
	dirs := []string{b.Dir(), os.TempDir(), "/dev/shm", "/run", "/var/tmp"}
	seen := make(map[string]bool)
	for _, pid := range pids { // which have a /dev/shm and a /run of their host's
		if ns, _ := os.Readlink(fmt.Sprintf("/proc/%d/ns/mnt", pid)); !seen[ns] {
			seen[ns] = true
			dirs = append(dirs, fmt.Sprintf("/proc/%d/root/dev/shm", pid), fmt.Sprintf("/proc/%d/root/run", pid))
		}
	}
	hits, looked := search(forms, pids, dirs)
	hits = append(hits, find(forms, "standard output", []byte(l.stdout.String()))...)
	hits = append(hits, find(forms, "standard error", []byte(l.stderr.String()))...)
	for _, hit := range hits {
		t.Error(hit)
	}
	if len(pids) < 1+2*2+4 || len(seen) != 3 || looked < 4*len(pids) {
		t.Errorf("only %d processes and %d files were looked at", len(pids), looked)
	}
	l.signal(syscall.SIGINT)
	l.expect(l.wait(10*time.Second), 130)
	if hits, _ := search(forms, nil, []string{b.Dir(), os.TempDir(), "/dev/shm"}); len(hits) > 0 {
		t.Errorf("afterwards %v", hits)
	}

	// The search does find what is there.
	planted := l.cmd.Environ()
	cmd := b.Command(1, "sleep", "60")
	for form, text := range forms {
		if !bytes.ContainsRune(text, 0) {
			cmd.Env = append(cmd.Env, fmt.Sprintf("PLANTED%d=%s", len(planted), text))
			planted = append(planted, form)
		}
		if err := os.WriteFile(filepath.Join(dir, strings.ReplaceAll(form, "/", "")), append([]byte("before"), text...), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cmd.Process.Kill(); cmd.Wait() }()
	awaitState(t, cmd.Process.Pid, 'S')
	if hits, _ := search(forms, []int{cmd.Process.Pid}, []string{dir}); len(hits) < len(forms)+len(planted)-len(l.cmd.Environ()) {
		t.Errorf("of %d planted secrets in files, and %d in an environment, %d were found", len(forms), len(planted)-len(l.cmd.Environ()), len(hits))
	}
}

// portsOf returns where host i of a bed listens for other hosts of jobs.
func portsOf(t *testing.T, b *testbed.Net, i int) (ports []netip.AddrPort) {
	t.Helper()
	for _, a := range b.Listeners(i) {
		if a.Port() != 22 {
			ports = append(ports, a)
		}
	}
	if len(ports) == 0 {
		t.Fatalf("host %d has no port", i)
	}
	return ports
}

// dialFrom connects from a host of a bed.
func dialFrom(t *testing.T, b *testbed.Net, host int, to netip.AddrPort) net.Conn {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fds[0])
	theirs := os.NewFile(uintptr(fds[1]), "socket")
	defer theirs.Close()
	cmd := b.Command(host, os.Args[0], "dial", to.String())
	cmd.ExtraFiles = []*os.File{theirs}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	rights := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(fds[0], make([]byte, 1), rights, unix.MSG_CMSG_CLOEXEC|unix.MSG_DONTWAIT)
	if err != nil {
		t.Fatal(err)
	}
	messages, err := unix.ParseSocketControlMessage(rights[:n])
	if err != nil || len(messages) != 1 {
		t.Fatalf("%v, %v", messages, err)
	}
	got, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(got[0]), "connection")
	defer f.Close()
	conn, err := net.FileConn(f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// testDial connects and hands the connection over.
func testDial(address string) {
	conn, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		die("%v", err)
	}
	f, err := conn.(*net.TCPConn).File()
	if err != nil {
		die("%v", err)
	}
	if err := unix.Sendmsg(3, []byte{0}, unix.UnixRights(int(f.Fd())), nil, 0); err != nil {
		die("%v", err)
	}
}

// recordKnock answers the challenge on conn, and keeps the answer to itself.
func recordKnock(t *testing.T, conn net.Conn, key []byte, k knock.Knock) []byte {
	t.Helper()
	r := &mute{Conn: conn}
	knock.Write(r, key, k)
	if len(r.said) == 0 {
		t.Fatal("there was no challenge")
	}
	return r.said
}

// mute is a connection on which nothing is said.
type mute struct {
	net.Conn
	said []byte
}

func (m *mute) Write(p []byte) (int, error) {
	m.said = append(m.said, p...)
	return 0, io.ErrClosedPipe
}

// running is an exchange on the hosts of a bed that goes on until its input ends.
type running struct {
	*launcherProcess
	t     *testing.T
	input *os.File
}

// exchangeUntil starts an exchange that goes on until end is called, with its secrets.
func exchangeUntil(t *testing.T, b *testbed.Net, ranks string, env []string, args ...string) (*running, secrets) {
	t.Helper()
	path, err := exchange()
	if err != nil {
		t.Fatal(err)
	}
	told := filepath.Join(t.TempDir(), "secrets")
	cmd := b.Command(0, append([]string{os.Args[0], "launch", ranks, "-stdin"}, args...)...)
	cmd.Env = append(cmd.Environ(), "TEST_HOSTS="+strings.Join(b.Hosts(), ","), "TEST_SHELL=ssh", "TEST_NET_TIMEOUT=4s",
		"TEST_PROGRAM="+path, "TEST_SECRETS="+told, "TEST_STDIN=0")
	cmd.Env = append(cmd.Env, env...)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdin = r
	l := launchAs(t, cmd)
	r.Close()
	t.Cleanup(func() { w.Close() })
	l.stdout.await(t, "exchanging", 1)
	return &running{l, t, w}, readSecrets(t, told)
}

var roundsLine = regexp.MustCompile(`after (\d+) rounds`)

// end ends the exchange, and checks that it has the result that it has on one host.
func (r *running) end(ranks int, args ...string) {
	r.t.Helper()
	r.input.Close()
	r.expect(r.wait(20*time.Second), 0)
	m := roundsLine.FindStringSubmatch(r.stdout.String())
	if m == nil {
		r.t.Fatalf("standard output:\n%s", r.stdout)
	}
	want := exchangeAlone(r.t, ranks, append(args, "-rounds="+m[1])...)
	if got := resultLine.FindString(r.stdout.String()); got != want || want == "" {
		r.t.Errorf("after %s rounds got %q, want %q", m[1], got, want)
	}
}

// S9: what somebody has heard opens nothing, and a connection is accepted once.
func TestS9KnockIsGoodOnceAndForItsChallengeOnly(t *testing.T) {
	b := testbed.Namespaces(t, 2)
	l, s := exchangeUntil(t, b, "4", nil, "-pause=5ms")
	at := portsOf(t, b, 1)[0]
	from1 := knock.Knock{Job: [16]byte(s.Job), From: 1, To: 0, Incarnation: 1}

	later := from1
	later.Number = 1 << 20 // would take the place of the link that there is
	recorded := recordKnock(t, dialFrom(t, b, 0, at), s.LinkKey, later)
	again := dialFrom(t, b, 0, at)
	if _, err := io.ReadFull(again, make([]byte, 24)); err != nil { // another challenge
		t.Fatal(err)
	}
	if _, err := again.Write(recorded); err != nil {
		t.Fatal(err)
	}
	again.SetReadDeadline(time.Now().Add(5 * time.Second))
	if verdict, err := io.ReadAll(again); err != nil || len(verdict) == 0 || knock.Verdict(verdict[0]) != knock.Refused {
		t.Errorf("a recorded knock is answered %x, %v, want it to be refused", verdict, err)
	}
	l.stderr.await(t, "knocks as rank 1 of this job, but has another key; refused", 1)

	// With the key: one that has been.
	if err := knock.Write(dialFrom(t, b, 0, at), s.LinkKey, from1); !errors.Is(err, knock.ErrSuperseded) {
		t.Errorf("the knock of the link that there is, again: %v, want %v", err, knock.ErrSuperseded)
	}
	// And one that makes no sense: both ranks are of this host, or there is no such rank.
	for _, ends := range [][2]uint32{{2, 0}, {99, 0}, {1, 99}, {0, 1}} {
		k := from1
		k.From, k.To, k.Number = ends[0], ends[1], 1<<20
		if err := knock.Write(dialFrom(t, b, 0, at), s.LinkKey, k); !errors.Is(err, knock.ErrRefused) {
			t.Errorf("a knock from rank %d to rank %d: %v, want %v", k.From, k.To, err, knock.ErrRefused)
		}
	}
	l.end(4)
}

// S9: a rank joins once, whatever becomes of the process that did.
func TestS9RankThatHasDiedIsNotJoinedAgain(t *testing.T) {
	tr := newTrial(t, 2)
	tr.job.OnFailure = ReturnOnFailure
	tr.job.Apps[0].Argv = []string{"bash", "-c",
		`if [ $MUSTER_RANK = 0 ]; then exec "$0" rank @leave-late; fi; "$0" rank @signal 1 9; "$0" rank @leave; echo second: $?; exec sleep 0.2`, os.Args[0]}
	in, feed, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	tr.job.Stdin, tr.job.StdinTo = in, "0"
	tr.start()
	tr.stdout.await(t, "second: 8", 1)
	feed.Close()
	tr.wait()
	if want := "cannot join as rank 1: process"; !strings.Contains(tr.stderr.String(), want) {
		t.Errorf("standard error lacks %q: %s", want, tr.stderr)
	}
}

// S10: two jobs whose ports are exchanged on the way refuse each other, and say which
// they are.
func TestS10JobsThatMeetByMistakeRefuseEachOther(t *testing.T) {
	b := testbed.Namespaces(t, 2)
	var jobs [2]*launcherProcess
	var inputs [2]*os.File
	var told [2]string
	ports := make(map[int][]uint16) // by host
	for i := range jobs {
		told[i] = filepath.Join(t.TempDir(), "secrets")
		cmd := b.Command(0, os.Args[0], "launch", "2", "@link-late")
		cmd.Env = append(cmd.Environ(), "TEST_HOSTS="+strings.Join(b.Hosts(), ","), "TEST_SHELL=ssh", "TEST_NET_TIMEOUT=1s",
			"TEST_STDIN=all", "TEST_SECRETS="+told[i])
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		cmd.Stdin, inputs[i] = r, w
		jobs[i] = launchAs(t, cmd)
		r.Close()
		jobs[i].stdout.await(t, "ready", 2)
		for host := 1; host <= 2; host++ {
			for _, a := range portsOf(t, b, host) {
				if !slices.Contains(ports[host], a.Port()) {
					ports[host] = append(ports[host], a.Port())
				}
			}
		}
	}
	for host, p := range ports {
		if len(p) != 2 {
			t.Fatalf("host %d has the ports %v, want two", host, p)
		}
		for i := range p {
			for _, table := range []string{"iptables", "ip6tables"} {
				out, err := b.Command(host, table, "-w", "-t", "nat", "-A", "PREROUTING", "-p", "tcp",
					"--dport", fmt.Sprint(p[i]), "-j", "REDIRECT", "--to-ports", fmt.Sprint(p[1-i])).CombinedOutput()
				if err != nil {
					t.Skipf("this test wants %s that can exchange ports: %v %s", table, err, out)
				}
			}
		}
	}
	ids := [2]string{}
	for i := range jobs {
		ids[i] = hex.EncodeToString(readSecrets(t, told[i]).Job)
		inputs[i].Close()
	}
	for _, l := range jobs {
		l.cmd.Wait()
	}
	for i, l := range jobs {
		l.expect(l.wait(20*time.Second), ExitLost)
		// As the one who dials, and as the one who is dialled.
		for _, want := range []string{
			fmt.Sprintf("it says that it belongs to job %s, this is job %s", ids[1-i], ids[i]),
			fmt.Sprintf("of job %s, this is job %s; refused", ids[1-i], ids[i]),
		} {
			if !strings.Contains(l.stderr.String(), want) {
				t.Errorf("standard error of job %s lacks %q:\n%s", ids[i], want, l.stderr)
			}
		}
	}
}

// S11: who has got hold of the link key, and of the certificate of a rank, is that rank to
// its peers, whatever else it says.
func TestS11IdentityIsTheCertificates(t *testing.T) {
	b := testbed.Namespaces(t, 3)
	l, s := exchangeUntil(t, b, "3", nil, "-pause=5ms")
	conn := dialFrom(t, b, 0, portsOf(t, b, 1)[0])
	// The two may have needed more than one connection so far: any later number is taken.
	k := knock.Knock{Job: [16]byte(s.Job), From: 1, To: 0, Number: 100, Incarnation: 1}
	if err := knock.Write(conn, s.LinkKey, k); err != nil {
		t.Fatalf("the knock of an agent: %v", err)
	}
	c := s.Ranks[2]
	pair, err := tls.X509KeyPair(c.GetCertificate(), c.GetKey())
	if err != nil {
		t.Fatal(err)
	}
	server := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAnyClientCert, NextProtos: []string{"h2"}})
	if err := server.HandshakeContext(t.Context()); err == nil {
		// In TLS 1.3 the server is done before the client has looked at it.
		server.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, err = server.Read(make([]byte, 1)); err == nil {
			t.Error("rank 0 speaks to what shows the certificate of another rank than the one it should be")
		}
	}
	l.expect(l.wait(20*time.Second), ExitLost)
	job := hex.EncodeToString(s.Job)
	want := fmt.Sprintf("certificate names [muster://%s/2], want muster://%s/1", job, job)
	if !strings.Contains(l.stderr.String(), want) || strings.Contains(l.stdout.String(), "result") {
		t.Errorf("standard error lacks %q:\n%s\n%s", want, l.stderr, l.stdout)
	}
}

// usage is what a process uses.
type usage struct {
	rss, fds int // kilobytes; descriptors
}

func usageOf(pid int) (u usage, ok bool) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return u, false
	}
	for line := range strings.Lines(string(status)) {
		fmt.Sscanf(line, "VmRSS: %d kB", &u.rss)
	}
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	u.fds = len(fds)
	return u, err == nil && u.rss > 0
}

// watch records the most that each process uses, until stop is called.
func watch(pids []int) (stop func() map[int]usage) {
	most, done, ended := make(map[int]usage), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			for _, pid := range pids {
				if u, ok := usageOf(pid); ok {
					m := most[pid]
					most[pid] = usage{max(m.rss, u.rss), max(m.fds, u.fds)}
				}
			}
			select {
			case <-time.After(20 * time.Millisecond):
			case <-done:
				return
			}
		}
	}()
	return func() map[int]usage { close(done); <-ended; return most }
}

// guests returns the processes of a job in a bed that strangers could harm: agents and
// ranks.
func guests(b *testbed.Net) (pids []int) {
	for _, p := range b.Processes() {
		exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", p.PID))
		if err == nil && p.Host > 0 && !strings.Contains(exe, "sshd") {
			pids = append(pids, p.PID)
		}
	}
	return pids
}

// settled checks that the processes have given back, within 5 s, what strangers made them
// open.
func settled(t *testing.T, before map[int]usage) {
	t.Helper()
	for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		var left []string
		for pid, was := range before {
			if now, ok := usageOf(pid); ok && now.fds > was.fds {
				left = append(left, fmt.Sprintf("process %d has %d descriptors, had %d", pid, now.fds, was.fds))
			}
		}
		if len(left) == 0 {
			return
		}
		if time.Since(begin) > slack(5*time.Second) {
			t.Errorf("after %v %v", time.Since(begin), left)
			return
		}
	}
}

// besiege has strangers visit the ports of a job on two hosts, as a mode of testVisit says,
// and checks what that has cost the job. It returns what the visitors say of it.
func besiege(t *testing.T, mode string, args ...string) string {
	t.Helper()
	b := testbed.Namespaces(t, 2)
	l, _ := exchangeUntil(t, b, "4", nil, "-pause=2ms")
	var addresses []string
	for host := 1; host <= 2; host++ {
		for _, a := range portsOf(t, b, host) {
			addresses = append(addresses, a.String())
		}
	}
	pids := guests(b)
	if len(pids) != 2+4 {
		t.Fatalf("the job has the processes %v, want two agents and four ranks", pids)
	}
	// What a rank uses is what its rounds use, too.
	stop := watch(pids)
	time.Sleep(time.Second)
	before, lines := stop(), strings.Count(l.stderr.String(), "\n")

	stop = watch(pids)
	begin := time.Now()
	out, err := b.Command(0, append([]string{os.Args[0], "visit", mode, strings.Join(addresses, ",")}, args...)...).CombinedOutput()
	took := time.Since(begin)
	during := stop()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	settled(t, before)
	most := 16 << 10
	if raceDetector {
		most *= 4 // it remembers who has touched what
	}
	for pid, was := range before {
		grown := during[pid].rss - was.rss
		t.Logf("process %d: %d kB, %d kB more during the siege; %d descriptors, at most %d", pid, was.rss, grown, was.fds, during[pid].fds)
		if grown > most {
			t.Errorf("process %d has grown from %d to %d kB, want %d more at most", pid, was.rss, during[pid].rss, most)
		}
		if more := during[pid].fds - was.fds; more > knock.HalfOpen+8 {
			t.Errorf("process %d has had %d descriptors more, want %d at most", pid, more, knock.HalfOpen+8)
		}
	}
	said := strings.Count(l.stderr.String(), "\n") - lines
	if most := int(took/time.Second) + 2; said > most {
		t.Errorf("%d lines were said in %v, want one a second at most:\n%s", said, took, l.stderr)
	}
	t.Logf("%s; %d lines were said in %v", bytes.TrimSpace(out), said, took.Round(10*time.Millisecond))
	l.end(4)
	return string(out)
}

// S1: nobody who is not of the job harms it.
func TestS1JunkConnectionsHarmNobody(t *testing.T) {
	total := 100_000
	if testing.Short() || raceDetector {
		total = 5_000
	}
	besiege(t, "junk", fmt.Sprint(total))
}

// S2: nor by saying nothing, on thousands of connections.
func TestS2IdleConnectionsHarmNobody(t *testing.T) {
	hold := 10 * time.Second
	if testing.Short() || raceDetector {
		hold = 4 * time.Second
	}
	besiege(t, "idle", "5000", hold.String())
}
