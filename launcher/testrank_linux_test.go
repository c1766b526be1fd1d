package launcher

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/muster-mpi/muster/internal/boot"
	"github.com/muster-mpi/muster/internal/record"
	"github.com/muster-mpi/muster/internal/segment"
	pb "github.com/muster-mpi/muster/proto"
	"golang.org/x/sys/unix"
)

// The test binary is launcher, agent and rank in turn: its first argument says
// which. As a rank it speaks the control protocol itself, so that it can break
// every rule of it.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "agent":
			os.Exit(AgentMain(os.Args[2:]...))
		case "rank":
			testRank(os.Args[2:])
			os.Exit(0)
		case "launch":
			os.Exit(testLaunch(os.Args[2:]))
		case "visit":
			os.Exit(testVisit(os.Args[2:]))
		case "contained":
			contained(os.Args[2])
		case "doctor":
			testDoctor(os.Args[2:])
			os.Exit(0)
		case "snoop":
			testSnoop(os.Args[2:])
			os.Exit(0)
		case "snoop-child":
			testSnoopChild()
			os.Exit(0)
		case "sniff":
			testSniff(os.Args[2])
			os.Exit(0)
		case "agent-but":
			os.Exit(agentBut(os.Args[2:]))
		case "relay":
			os.Exit(testRelay(os.Args[2], os.Args[3]))
		case "dial":
			testDial(os.Args[2])
			os.Exit(0)
		}
	}
	dir, err := os.MkdirTemp("", "muster-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Setenv("TMPDIR", dir)
	// A process under the race detector would take a second to exit.
	os.Setenv("GORACE", "atexit_sleep_ms=0")
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// member is a rank that has joined.
type member struct {
	*pb.Welcome
	conn *boot.Conn
	ring *record.Ring
	bell *segment.Bell // nil unless the transport is shared memory

	early      *pb.ToRank // a second link that came before all first ones
	earlyFiles []*os.File
}

func die(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(9)
}

func join() *member { return joinAs(boot.Protocol, boot.ThisBuild()) }

func joinAs(protocol uint32, build *pb.Build) *member {
	c, ok, err := boot.Inherited()
	if err != nil || !ok {
		die("inherited: %v %v", ok, err)
	}
	hello := &pb.Hello{Protocol: protocol, Pid: int64(os.Getpid()), Build: build}
	if err := c.Send(&pb.FromRank{Kind: &pb.FromRank_Hello{Hello: hello}}); err != nil {
		die("hello: %v", err)
	}
	m, files := recv(c)
	if r := m.GetRefused(); r != nil {
		fmt.Fprintf(os.Stderr, "refused: %s\n", r.GetReason())
		os.Exit(8)
	}
	w := m.GetWelcome()
	member := &member{Welcome: w, conn: c, ring: record.New()}
	for _, carried := range []bool{w.GetRecords(), w.GetBell()} {
		if carried && len(files) == 0 {
			die("Welcome lists more descriptors than came with it")
		}
	}
	if w.GetRecords() {
		if member.ring, err = record.Map(files[0]); err != nil {
			die("records: %v", err)
		}
		files = files[1:]
	}
	if w.GetBell() {
		if member.bell, err = segment.OpenBell(files[0]); err != nil {
			die("bell: %v", err)
		}
		files = files[1:]
	}
	if w.GetMemory() { // which only collectives use
		if len(files) == 0 {
			die("Welcome lists memory and it did not come")
		}
		files[0].Close()
		files = files[1:]
	}
	if w == nil || len(files) != 0 || w.GetBell() != (w.GetSettings().GetTransport() == "shm") {
		die("got %v and %d descriptors more than it lists", m, len(files))
	}
	member.ring.NameComm(0, "world")
	return member
}

func recv(c *boot.Conn) (*pb.ToRank, []*os.File) {
	m := new(pb.ToRank)
	files, err := c.Recv(m)
	if err == io.EOF {
		forever() // the agent is gone, and so are we
	}
	if err != nil {
		die("receive: %v", err)
	}
	return m, files
}

func (m *member) say(f *pb.FromRank) {
	if err := m.conn.Send(f); err != nil {
		die("send: %v", err)
	}
}

func (m *member) leave(leftovers ...*pb.Leftover) {
	m.say(&pb.FromRank{Kind: &pb.FromRank_Leaving{Leaving: &pb.Leaving{}}})
	for {
		answer, _ := recv(m.conn)
		if answer.GetAllLeaving() != nil {
			break
		}
	}
	m.say(&pb.FromRank{Kind: &pb.FromRank_Drained{Drained: &pb.Drained{}}})
	for {
		answer, _ := recv(m.conn)
		if answer.GetAllDrained() != nil {
			break
		}
	}
	m.say(&pb.FromRank{Kind: &pb.FromRank_Left{Left: &pb.Left{Leftovers: leftovers}}})
}

// link asks for a link and returns it; the message that hands it over may come
// unasked for, too.
func (m *member) link(peer int, number uint32, ask bool) testLink {
	if ask {
		m.say(&pb.FromRank{Kind: &pb.FromRank_Connect{Connect: &pb.Connect{Peer: int32(peer), Number: number}}})
	}
	answer, files := m.early, m.earlyFiles
	if answer == nil {
		answer, files = recv(m.conn)
	}
	l := answer.GetLink()
	if l == nil || int(l.GetPeer()) != peer || l.GetNumber() != number {
		die("rank %d got %v with %d descriptors, want link %d to rank %d", m.GetRank(), answer, len(files), number, peer)
	}
	return m.open(l, files)
}

// hang waits for ever, with an operation on record that says so.
func (m *member) hang() {
	if m != nil {
		m.block()
	}
	forever()
}

// block puts a receive that waits on record.
func (m *member) block() {
	s := m.ring.Begin(record.OpRecv, 0, (m.GetRank()+1)%m.GetSize(), 7, 1024)
	s.Block(m.ring, time.Now().UnixNano(), "solver.go:142")
}

// answerDumps answers with text, or, if that is nil, with the stacks of this process, of
// which one goroutine stands in standHere.
func (m *member) answerDumps(text []byte) {
	go standHere(int(m.GetRank()))
	for {
		asked, _ := recv(m.conn)
		d := asked.GetDump()
		if d == nil {
			continue
		}
		answer := text
		if text != nil { // and before that as if it were late
			m.say(&pb.FromRank{Kind: &pb.FromRank_Stacks{Stacks: &pb.RankStacks{Number: d.GetNumber() - 1, Text: "late", Last: true}}})
		} else {
			answer = make([]byte, 1<<20)
			answer = answer[:runtime.Stack(answer, true)]
		}
		for last := false; !last; {
			n := min(len(answer), 1000)
			last = n == len(answer)
			m.say(&pb.FromRank{Kind: &pb.FromRank_Stacks{Stacks: &pb.RankStacks{Number: d.GetNumber(), Text: string(answer[:n]), Last: last}}})
			answer = answer[n:]
		}
	}
}

//go:noinline
func standHere(int) { forever() }

// isRank reports whether this is one of the ranks that "which" lists, as in
// "1,3".
func isRank(which string) bool {
	for w := range strings.SplitSeq(which, ",") {
		if w == os.Getenv(boot.EnvRank) || w == "all" {
			return true
		}
	}
	return false
}

// testRank does what its first argument says if the second lists its rank, and
// waits in a receive otherwise. "@" before the first makes it join before.
func testRank(args []string) {
	mode, which := args[0], "all"
	if len(args) > 1 {
		which = args[1]
	}
	var m *member
	if rest, ok := strings.CutPrefix(mode, "@"); ok {
		mode, m = rest, join()
	}
	if !isRank(which) {
		if m == nil {
			m = join()
		}
		m.hang()
	}
	self := os.Getpid()
	switch mode {
	case "leave": // what a good program does
		m.leave()
	case "leave-printing":
		m = join()
		fmt.Println("some output")
		m.leave()
	case "hang":
		m.hang()
	case "answer": // whoever asks for stacks, and wait in a receive that is on record
		m.block()
		fmt.Println("ready")
		m.answerDumps(nil)
	case "answer-with": // bytes that another program would not
		fmt.Println("ready")
		m.answerDumps([]byte(strings.ReplaceAll(args[2], "_", "\n")))
	case "sleep": // without joining
		forever()
	case "exit":
		code, _ := strconv.Atoi(args[2])
		os.Exit(code)
	case "signal":
		n, _ := strconv.Atoi(args[2])
		unix.Kill(self, syscall.Signal(n))
		forever()
	case "panic":
		var p *int
		fmt.Println("before the end")
		*p = 1
	case "concurrent":
		concurrentMapWrites()
	case "trap": // SIGTERM, and go on
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("trapped")
		m.hang()
	case "polite": // end in good order on SIGTERM, after a while
		c := make(chan os.Signal, 1)
		signal.Notify(c, syscall.SIGTERM)
		fmt.Println("ready")
		<-c
		if len(args) > 2 {
			d, _ := time.ParseDuration(args[2])
			time.Sleep(d)
		}
		fmt.Println("last words")
	case "report-signals":
		c := make(chan os.Signal, 1)
		signal.Notify(c, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH)
		fmt.Println("ready")
		fmt.Println("got", unix.SignalName((<-c).(syscall.Signal)))
		m.leave()
	case "leave-late": // some time after the others
		fmt.Println("ready")
		io.ReadAll(os.Stdin)
		m.leave()
	case "strays":
		exec.Command("setsid", "sleep", "999").Start() // has none of our pipes
		stray := exec.Command("setsid", "sh", "-c", "sleep 998 & sleep 999")
		stray.Stdout, stray.Stderr = os.Stdout, os.Stderr
		stray.Start()
		fmt.Println("forked")
		switch args[2] {
		case "leave":
			m.leave()
		case "exit":
			os.Exit(3)
		case "hang":
			m.hang()
		}
	case "stop-others":
		fmt.Println("ready")
		m.hang()
	case "dup": // a second process of the same rank
		cmd := exec.Command(os.Args[0], "rank", "@leave")
		cmd.Stderr = os.Stdout
		door := os.Getenv("TEST_DOOR")
		fd, _ := strconv.Atoi(door)
		cmd.ExtraFiles = []*os.File{os.NewFile(uintptr(fd), "door")}
		fmt.Println(cmd.Run())
		m.leave()
	case "fds":
		out, err := exec.Command("ls", "-l", "/proc/self/fd").CombinedOutput()
		fmt.Printf("%s%v\n", out, err)
		m.leave()
	case "version":
		joinAs(boot.Protocol+1, boot.ThisBuild())
	case "skew":
		b := boot.ThisBuild()
		joinAs(boot.Protocol, &pb.Build{Program: "another", ByteOrder: b.ByteOrder, IntBytes: b.IntBytes, Arch: b.Arch}).hang()
	case "garbage":
		m.conn.Send(&pb.FromRank{Kind: &pb.FromRank_Connect{Connect: &pb.Connect{Peer: 99}}})
		m.hang()
	case "abort":
		m.say(&pb.FromRank{Kind: &pb.FromRank_Abort{Abort: &pb.Abort{Code: 5, Text: "no such file"}}})
		m.hang()
	case "leftovers":
		m.leave(&pb.Leftover{Kind: pb.Leftover_SEND, Comm: "world", Source: 0, Dest: m.GetRank(), Tag: 5, Bytes: 24, Count: 2})
	case "exit-in-leave":
		m.say(&pb.FromRank{Kind: &pb.FromRank_Leaving{Leaving: &pb.Leaving{}}})
		unix.Kill(self, syscall.SIGKILL)
	case "close":
		m.conn.Close()
		forever()
	case "links":
		testLinks(m)
		m.leave()
	case "link-late": // once there is input
		fmt.Println("ready")
		io.ReadAll(os.Stdin)
		testLinks(m)
		m.leave()
	case "scribble": // over what rank 0 reads
		m.link(0, 0, true).scribble()
		m.hang()
	case "linked":
		testLinks(m)
		fmt.Println("ready")
		m.hang()
	case "harmful":
		testHarmful(4 << 20)
		m.leave()
	case "harmful-abort":
		m.say(&pb.FromRank{Kind: &pb.FromRank_Abort{Abort: &pb.Abort{Code: 5, Text: harmful}}})
		m.hang()
	case "harmful-panic":
		panic(harmful)
	case "linked-fds":
		for fd := range 256 {
			if to, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd)); err == nil {
				fmt.Printf("rank %d has %s\n", fd, to)
			}
		}
		m = join()
		testLinks(m)
		cmd := exec.Command("sh", "-c", `for f in /proc/self/fd/*; do echo "child ${f##*/} has $(readlink $f)"; done`)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if err := cmd.Run(); err != nil {
			die("%v", err)
		}
		m.leave()
	case "flood":
		n, _ := strconv.Atoi(args[2])
		line := []byte(strings.Repeat("x", 99) + "\n")
		for range n {
			os.Stdout.Write(line)
		}
		if m != nil {
			m.leave()
		}
	case "memory":
		n, _ := strconv.Atoi(args[2])
		b := make([]byte, n)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		fmt.Println("allocated", len(b))
		m.leave()
	case "cat":
		in, err := io.ReadAll(os.Stdin)
		fmt.Printf("rank %s read %d bytes, %v\n", os.Getenv(boot.EnvRank), len(in), err)
	case "env":
		fmt.Println("GOMAXPROCS", os.Getenv("GOMAXPROCS"), "job", os.Getenv(boot.EnvJob), "agent", os.Getenv("MUSTER_AGENT"))
		var set unix.CPUSet
		unix.SchedGetaffinity(0, &set)
		fmt.Println("cpus", set.Count())
		m.leave()
	case "environment":
		for _, kv := range os.Environ() {
			fmt.Println("has", kv)
		}
		m.leave()
	case "nested": // start a job of our own and wait for it
		os.Exit(testLaunch([]string{"2", "@hang"}))
	case "touch":
		m.block()
		os.WriteFile(args[2], nil, 0o600)
		forever()
	default:
		die("no mode %q", mode)
	}
}

// testLinks sends a byte over a link to every other rank.
func testLinks(m *member) {
	fmt.Printf("process %d %d\n", m.GetRank(), os.Getpid())
	links := make([]testLink, m.GetSize())
	asked := 0
	for peer := range int(m.GetSize()) {
		if peer != int(m.GetRank()) {
			// Both sides ask for every link.
			m.say(&pb.FromRank{Kind: &pb.FromRank_Connect{Connect: &pb.Connect{Peer: int32(peer)}}})
			asked++
		}
	}
	for asked > 0 {
		answer, files := recv(m.conn)
		l := answer.GetLink()
		if l.GetNumber() == 1 && m.early == nil {
			m.early, m.earlyFiles = answer, files // the peer has all of its own already
			continue
		}
		asked--
		if l == nil || l.GetNumber() != 0 || links[l.GetPeer()] != nil {
			die("rank %d got %v, want one first link to each", m.GetRank(), answer)
		}
		links[l.GetPeer()] = m.open(l, files)
		fmt.Printf("named %d-%d %d\n", m.GetRank(), l.GetPeer(), l.GetPid())
		links[l.GetPeer()].put(byte(m.GetRank()) + 1)
	}
	for peer, l := range links {
		if l == nil {
			continue
		}
		if b := l.get(); int(b) != peer+1 {
			die("rank %d got %d from rank %d", m.GetRank(), b, peer)
		}
	}
	fmt.Println("all links are", links[(m.GetRank()+1)%m.GetSize()].kind())
	// A link that broke is asked for again under the next number.
	if m.GetRank() < 2 {
		l := m.link(1-int(m.GetRank()), 1, m.GetRank() == 1)
		l.put('!')
		if b := l.get(); b != '!' {
			die("second link: got %d", b)
		}
		fmt.Println("and again")
	}
}

func concurrentMapWrites() {
	m := make(map[int]int)
	for range 8 {
		go func() {
			for i := 0; ; i++ {
				m[i%8]++
			}
		}()
	}
	forever()
}

// testLaunch is a launcher process: the number of ranks, then what they do.
func testLaunch(args []string) int {
	n, _ := strconv.Atoi(args[0])
	job := Job{
		Apps:  []App{{Ranks: n, Argv: append([]string{os.Args[0], "rank"}, args[1:]...)}},
		Agent: []string{os.Args[0], "agent"},
		Grace: 500 * time.Millisecond,
	}
	if program := os.Getenv("TEST_PROGRAM"); program != "" {
		job.Apps[0].Argv = append([]string{program}, args[1:]...)
	}
	if in := os.Getenv("TEST_STDIN"); in != "" {
		job.Stdin, job.StdinTo = os.Stdin, in
	}
	if names := os.Getenv("TEST_FORBID"); names != "" {
		forbid(names)
	}
	if grace, err := time.ParseDuration(os.Getenv("TEST_GRACE")); err == nil {
		job.Grace = grace
	}
	job.Transport = os.Getenv("TEST_TRANSPORT")
	if hosts := os.Getenv("TEST_HOSTS"); hosts != "" {
		for name := range strings.SplitSeq(hosts, ",") {
			job.Hosts = append(job.Hosts, Host{Name: name})
		}
		for rank := range n {
			job.Placement = append(job.Placement, rank%len(job.Hosts))
		}
		job.Shell = strings.Fields(os.Getenv("TEST_SHELL"))
		job.Via = os.Getenv("TEST_VIA")
		job.NetTimeout, _ = time.ParseDuration(os.Getenv("TEST_NET_TIMEOUT"))
	}
	if grace, err := time.ParseDuration(os.Getenv("TEST_GRACE")); err == nil {
		job.Grace = grace
	}
	job.Insecure = os.Getenv("TEST_INSECURE") != ""
	job.Detach = os.Getenv("TEST_DETACH") != ""
	job.Report = os.Getenv("TEST_REPORT")
	job.Output.Dir = os.Getenv("TEST_OUTPUT_DIR")
	if path := os.Getenv("TEST_SECRETS"); path != "" {
		tellSecrets(path)
	}
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGTSTP, syscall.SIGCONT,
		syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH, syscall.SIGQUIT)
	r, err := Run(testContext(), job, signals)
	if err != nil {
		fmt.Fprintln(os.Stderr, "muster:", err)
	}
	return r.Code
}

// forever does not return. An empty select would be taken for a deadlock by a
// runtime without cgo.
func forever() {
	for {
		time.Sleep(time.Hour)
	}
}
