package boot

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	pb "github.com/muster-mpi/muster/proto"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"
)

func pair(t testing.TB) (a, b *Conn) {
	t.Helper()
	l, door, err := Listen()
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.FcntlInt(door.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		t.Fatal(err)
	}
	door.Close()
	b, err = enter(fd)
	if err != nil {
		t.Fatal(err)
	}
	a, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Accept(); err != io.EOF {
		t.Fatalf("nobody holds the door: got %v, want EOF", err)
	}
	l.Close()
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

func TestMessagesArriveWholeAndInOrder(t *testing.T) {
	a, b := pair(t)
	const n = 2000
	go func() {
		for i := range n {
			m := &pb.FromRank{Kind: &pb.FromRank_Abort{Abort: &pb.Abort{Code: int32(i), Text: strings.Repeat("x", i*31)}}}
			if err := a.Send(m); err != nil {
				t.Error(err)
				return
			}
		}
		a.Close()
	}()
	for i := range n {
		var m pb.FromRank
		if _, err := b.Recv(&m); err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
		if got := m.GetAbort(); got.GetCode() != int32(i) || len(got.GetText()) != i*31 {
			t.Fatalf("message %d: got code %d, %d bytes of text", i, got.GetCode(), len(got.GetText()))
		}
	}
	if _, err := b.Recv(&pb.FromRank{}); err != io.EOF {
		t.Fatalf("after close: got %v, want EOF", err)
	}
	if err := b.Send(leaving()); !errors.Is(err, unix.EPIPE) {
		t.Fatalf("send to a closed peer: got %v, want EPIPE", err)
	}
}

func leaving() *pb.FromRank {
	return &pb.FromRank{Kind: &pb.FromRank_Leaving{Leaving: &pb.Leaving{}}}
}

func TestPeerGoneWithUnreadDataIsEOF(t *testing.T) {
	a, b := pair(t)
	if err := b.Send(leaving()); err != nil {
		t.Fatal(err)
	}
	a.Close()
	if _, err := b.Recv(&pb.FromRank{}); err != io.EOF {
		t.Fatalf("got %v, want EOF", err)
	}
}

func TestConcurrentSendsDoNotMix(t *testing.T) {
	a, b := pair(t)
	const senders, each = 8, 200
	var wg sync.WaitGroup
	for s := range senders {
		wg.Go(func() {
			for i := range each {
				m := &pb.FromRank{Kind: &pb.FromRank_Abort{Abort: &pb.Abort{Code: int32(s), Text: fmt.Sprint(i)}}}
				if err := a.Send(m); err != nil {
					t.Error(err)
				}
			}
		})
	}
	var next [senders]int
	for range senders * each {
		var m pb.FromRank
		if _, err := b.Recv(&m); err != nil {
			t.Fatal(err)
		}
		s := m.GetAbort().GetCode()
		if got, want := m.GetAbort().GetText(), fmt.Sprint(next[s]); got != want {
			t.Fatalf("sender %d: got message %s, want %s", s, got, want)
		}
		next[s]++
	}
	wg.Wait()
}

func TestDescriptorsTravelCloseOnExec(t *testing.T) {
	a, b := pair(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := a.Send(leaving(), w, w); err != nil {
		t.Fatal(err)
	}
	w.Close()
	files, err := b.Recv(&pb.FromRank{})
	if err != nil || len(files) != 2 {
		t.Fatalf("got %d descriptors, error %v, want 2", len(files), err)
	}
	for _, f := range files {
		flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFD, 0)
		if err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("flags %#x, error %v, want close-on-exec", flags, err)
		}
		io.WriteString(f, "x")
		f.Close()
	}
	if got, err := io.ReadAll(r); string(got) != "xx" || err != nil {
		t.Fatalf("through the pipe: got %q, %v, want xx", got, err)
	}
}

func TestSendRefusesWhatCannotArrive(t *testing.T) {
	a, _ := pair(t)
	big := &pb.FromRank{Kind: &pb.FromRank_Abort{Abort: &pb.Abort{Text: strings.Repeat("x", MaxMessage)}}}
	if err := a.Send(big); err == nil {
		t.Error("a message beyond MaxMessage was taken")
	}
	if err := a.Send(&pb.FromRank{}); err == nil {
		t.Error("an empty message was taken")
	}
	if err := a.Send(leaving(), make([]*os.File, MaxFiles+1)...); err == nil {
		t.Error("too many descriptors were taken")
	}
}

func TestCloseWakesRecv(t *testing.T) {
	a, _ := pair(t)
	done := make(chan error)
	go func() {
		_, err := a.Recv(&pb.ToRank{})
		done <- err
	}()
	a.Close()
	if err := <-done; !errors.Is(err, os.ErrClosed) {
		t.Fatalf("got %v, want ErrClosed", err)
	}
}

// sendRaw puts data on the socket as one packet.
func sendRaw(t testing.TB, c *Conn, data, rights []byte) {
	t.Helper()
	var sendErr error
	err := c.raw.Write(func(fd uintptr) bool {
		sendErr = unix.Sendmsg(int(fd), data, rights, nil, unix.MSG_NOSIGNAL)
		return sendErr != unix.EAGAIN
	})
	if err != nil || sendErr != nil {
		t.Fatal(err, sendErr)
	}
}

func TestRecvSurvivesMalformedPackets(t *testing.T) {
	a, b := pair(t)
	for _, c := range []struct {
		name         string
		data, rights []byte
	}{
		{name: "not protobuf", data: []byte{0xff, 0xff, 0xff}},
		{name: "length beyond the packet", data: []byte{0x0a, 0xff, 0xff, 0x03}},
		{name: "too long", data: make([]byte, MaxMessage+1)},
		{name: "too many descriptors", data: []byte{0x1a, 0}, rights: unix.UnixRights(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)},
	} {
		before := openDescriptors(t)
		sendRaw(t, a, c.data, c.rights)
		if _, err := b.Recv(&pb.FromRank{}); !errors.Is(err, ErrMessage) {
			t.Errorf("%s: got %v, want ErrMessage", c.name, err)
		}
		if after := openDescriptors(t); after != before {
			t.Errorf("%s: %d descriptors open, %d before", c.name, after, before)
		}
	}
	if err := a.Send(leaving()); err != nil {
		t.Fatal(err)
	}
	var m pb.FromRank
	if _, err := b.Recv(&m); err != nil || m.GetLeaving() == nil {
		t.Fatalf("good message after bad ones: got %v, %v", &m, err)
	}
}

func TestAcceptRefusesWhatIsNoArrival(t *testing.T) {
	l, door, err := Listen()
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	defer door.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	fd, err := unix.FcntlInt(door.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		t.Fatal(err)
	}
	c, err := newConn(fd)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	before := openDescriptors(t)
	for _, files := range [][]*os.File{nil, {r}, {r, w}} {
		if err := c.Send(&pb.Arrival{Protocol: Protocol}, files...); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Accept(); !errors.Is(err, ErrMessage) {
			t.Errorf("%d pipes: got %v, want ErrMessage", len(files), err)
		}
	}
	if after := openDescriptors(t); after != before {
		t.Errorf("%d descriptors open, %d before", after, before)
	}
}

func openDescriptors(t testing.TB) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

func FuzzRecv(f *testing.F) {
	for _, m := range []proto.Message{
		leaving(),
		&pb.FromRank{Kind: &pb.FromRank_Hello{Hello: &pb.Hello{Protocol: Protocol, Pid: 7, Build: ThisBuild()}}},
		&pb.FromRank{Kind: &pb.FromRank_Left{Left: &pb.Left{Leftovers: []*pb.Leftover{{Comm: "world", Tag: 3}}}}},
	} {
		data, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	a, b := pair(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) == 0 || len(data) > 2*MaxMessage {
			return
		}
		sendRaw(t, a, data, nil)
		var m pb.FromRank
		_, err := b.Recv(&m)
		if want := proto.Unmarshal(data, &pb.FromRank{}) == nil && len(data) <= MaxMessage; (err == nil) != want {
			t.Fatalf("packet %x: error %v, valid %v", data, err, want)
		}
	})
}

// The test binary plays the rank: MUSTER_TEST_CHILD says what it does.
func TestMain(m *testing.M) {
	switch os.Getenv("MUSTER_TEST_CHILD") {
	case "":
		os.Exit(m.Run())
	case "rank":
		// The descriptor must be close-on-exec before any code asks for it.
		out, err := exec.Command("ls", "-l", "/proc/self/fd").CombinedOutput()
		c, ok, inheritErr := Inherited()
		if err != nil || !ok || inheritErr != nil {
			fmt.Println(err, ok, inheritErr)
			os.Exit(1)
		}
		_, again, againErr := Inherited()
		text := fmt.Sprintf("%v %v\n%s", again, againErr != nil, out)
		if err := c.Send(&pb.FromRank{Kind: &pb.FromRank_Abort{Abort: &pb.Abort{Text: text}}}); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	case "orphan":
		_, ok, err := Inherited()
		fmt.Print(ok, " ", err)
	}
	os.Exit(0)
}

func TestS8ControlDescriptorPassesScriptsButNotTheRanksChildren(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, argv := range [][]string{{self}, {"sh", "-c", `"$0"; exit $?`, self}} {
		l, f, err := Listen()
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.ExtraFiles = []*os.File{f}
		cmd.Env = append(os.Environ(), "MUSTER_TEST_CHILD=rank", EnvControl+"=3")
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		f.Close()
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if pid := c.PeerPID(); len(argv) == 1 && pid != cmd.Process.Pid || pid == 0 {
			t.Errorf("peer is process %d, started %d", pid, cmd.Process.Pid)
		}
		var m pb.FromRank
		_, err = c.Recv(&m)
		if waitErr := cmd.Wait(); err != nil || waitErr != nil {
			t.Fatalf("%q: %v, %v, output %s", argv[0], err, waitErr, &out)
		}
		text := m.GetAbort().GetText()
		if !strings.HasPrefix(text, "false true\n") {
			t.Errorf("%q: second Inherited: got %q, want false and an error", argv[0], strings.SplitN(text, "\n", 2)[0])
		}
		if strings.Contains(text, "socket:") {
			t.Errorf("%q: the rank's child has a socket:\n%s", argv[0], text)
		}
	}
}

func TestInheritedNamesWhatIsWrong(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ value, want string }{
		{"9", "false boot: MUSTER_CONTROL names descriptor 9, which is not the control socket"},
		{"1", `false boot: MUSTER_CONTROL="1" is no descriptor number`},
		{"x", `false boot: MUSTER_CONTROL="x" is no descriptor number`},
	} {
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), "MUSTER_TEST_CHILD=orphan", EnvControl+"="+c.value)
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.HasPrefix(string(out), c.want) {
			t.Errorf("%s: got %q, %v, want %q…", c.value, out, err, c.want)
		}
	}
	t.Setenv(EnvControl, "")
	os.Unsetenv(EnvControl)
	if _, ok, err := Inherited(); ok || err != nil {
		t.Errorf("without a launcher: got %v, %v, want false and no error", ok, err)
	}
}

func TestBuildIdentifierIsTheLinkers(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	want, err := exec.Command("go", "tool", "buildid", self).Output()
	if err != nil {
		t.Skipf("no go command: %v", err)
	}
	if got := ThisBuild().GetProgram(); got != strings.TrimSpace(string(want)) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// S13: a rank's text is the user's, and he need not write UTF-8.
func TestS13TextThatIsNoUTF8Arrives(t *testing.T) {
	a, b := pair(t)
	bad := &pb.FromRank{Kind: &pb.FromRank_Left{Left: &pb.Left{Leftovers: []*pb.Leftover{{Comm: "good", What: "bad \xff\xfe\x00\n"}, {Comm: "\xc3("}}}}}
	if err := a.Send(bad); err != nil {
		t.Fatal(err)
	}
	var m pb.FromRank
	if _, err := b.Recv(&m); err != nil {
		t.Fatal(err)
	}
	got := m.GetLeft().GetLeftovers()
	if len(got) != 2 || got[0].GetComm() != "good" || got[0].GetWhat() != "bad \ufffd\x00\n" || got[1].GetComm() != "\ufffd(" {
		t.Errorf("got %v", got)
	}
	if bad.GetLeft().GetLeftovers()[1].GetComm() != "\xc3(" {
		t.Error("the sender's message was changed")
	}
}
