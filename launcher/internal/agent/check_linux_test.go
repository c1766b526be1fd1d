package agent

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/muster-mpi/muster/internal/boot"
	"github.com/muster-mpi/muster/internal/queue"
	pb "github.com/muster-mpi/muster/proto"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"
)

// aStart is a job of three ranks, of which this host has the first and the last.
func aStart() *pb.Start {
	digest := bytes.Repeat([]byte{7}, 32)
	return &pb.Start{
		Job: bytes.Repeat([]byte{1}, 16), Size: 3, Host: 0, StdinRank: stdinAll, OutputWindow: 1 << 20,
		Hosts: []*pb.HostRun{{Name: "a", First: 0, Count: 1}, {Name: "b", Host: 1, First: 1, Count: 1}, {Name: "a", First: 2, Count: 1}},
		Peers: []*pb.HostAddresses{{Host: 1, Name: "b", Addresses: []string{"10.0.0.2"}}}, LinkKey: bytes.Repeat([]byte{2}, 32),
		Settings:    &pb.Settings{},
		Credentials: []*pb.Credentials{{}, {}},
		Apps: []*pb.AppRun{
			{First: 0, Count: 1, Argv: [][]byte{[]byte("./x")}, Program: &pb.Program{Digest: digest, Bytes: 5}},
			{First: 2, Count: 1, Argv: [][]byte{[]byte("y")}, Files: []*pb.StagedFile{{Variable: []byte("V"), Content: &pb.Program{Digest: digest}}}},
		},
	}
}

func TestS13StartThatMakesNoSenseIsRefused(t *testing.T) {
	if err := checkStart(aStart()); err != nil {
		t.Fatalf("a good one: %v", err)
	}
	for want, spoil := range map[string]func(s *pb.Start){
		"identifier of 15 bytes":          func(s *pb.Start) { s.Job = s.Job[:15] },
		"job of 0 ranks":                  func(s *pb.Start) { s.Size = 0 },
		"job of 65537 ranks":              func(s *pb.Start) { s.Size = maxRanks + 1 },
		"input for rank 3 of 3":           func(s *pb.Start) { s.StdinRank = 3 },
		"input for rank -3":               func(s *pb.Start) { s.StdinRank = -3 },
		"output window of 0":              func(s *pb.Start) { s.OutputWindow = 0 },
		"link key of 3 bytes":             func(s *pb.Start) { s.LinkKey = []byte("abc") },
		"credentials of 1 ranks":          func(s *pb.Start) { s.Credentials = s.Credentials[:1] },
		"hosts with 2 ranks, of 3":        func(s *pb.Start) { s.Hosts = s.Hosts[:2] },
		"with 1 ranks from 2 on, after 1": func(s *pb.Start) { s.Hosts[1], s.Hosts[2] = s.Hosts[2], s.Hosts[1] },
		"programs of 1 ranks":             func(s *pb.Start) { s.Apps = s.Apps[:1] },
		"which is of another host than 0": func(s *pb.Start) { s.Apps[0].Count = 2 },
		"2147483647 ranks from 0 on":      func(s *pb.Start) { s.Apps[0].Count = 1<<31 - 1 },
		"has no name":                     func(s *pb.Start) { s.Apps[1].Argv = nil },
		"SHA-256 of 0 bytes":              func(s *pb.Start) { s.Apps[0].Program.Digest = nil },
		"length of -1":                    func(s *pb.Start) { s.Apps[0].Program.Bytes = -1 },
		"a file without content":          func(s *pb.Start) { s.Apps[1].Files[0].Content = nil },
	} {
		s := aStart()
		spoil(s)
		if err := checkStart(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want it to say %q", err, want)
		}
	}
}

// FuzzToAgent gives an agent what a launcher could send: a job, and then a message.
func FuzzToAgent(f *testing.F) {
	start, err := proto.Marshal(aStart())
	if err != nil {
		f.Fatal(err)
	}
	for _, m := range []*pb.ToAgent{
		{Kind: &pb.ToAgent_Roster{Roster: &pb.Roster{Hosts: []*pb.HostAddresses{{Host: 1, Addresses: []string{"x"}}}}}},
		{Kind: &pb.ToAgent_AllReached{AllReached: &pb.AllReached{Stage: pb.Stage_DRAINED}}},
		{Kind: &pb.ToAgent_Lost{Lost: &pb.RankLost{Failure: &pb.Failure{Rank: 77}}}},
		{Kind: &pb.ToAgent_End{End: &pb.EndJob{GraceNanos: -1, Reason: "x", States: true}}},
		{Kind: &pb.ToAgent_Dump{Dump: &pb.Dump{Rank: -7}}},
		{Kind: &pb.ToAgent_Signal{Signal: &pb.SignalRanks{Signal: 1 << 30}}},
		{Kind: &pb.ToAgent_Suspend{Suspend: &pb.Suspend{}}},
		{Kind: &pb.ToAgent_FirstJoined{FirstJoined: &pb.FirstJoined{Rank: 5}}},
	} {
		data, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(start, data)
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		s, m := new(pb.Start), new(pb.ToAgent)
		if proto.Unmarshal(first, s) != nil || proto.Unmarshal(second, m) != nil || checkStart(s) != nil {
			return
		}
		h := newHost(s)
		close(h.over) // nobody runs it
		for range 2 {
			h.onLauncher(m)
		}
		for _, r := range h.ranks {
			if h.hostOf(r.rank) != int(s.GetHost()) {
				t.Errorf("rank %d is taken for one of this host", r.rank)
			}
		}
	})
}

// connection returns the agent's end of a rank's connection, whose other end reads
// until the test is over.
func connection(t testing.TB) *boot.Conn {
	t.Helper()
	l, door, err := boot.Listen()
	if err != nil {
		t.Fatal(err)
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	arrival, err := proto.Marshal(&pb.Arrival{Protocol: boot.Protocol})
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Sendmsg(int(door.Fd()), arrival, unix.UnixRights(fds[1]), nil, 0); err != nil {
		t.Fatal(err)
	}
	unix.Close(fds[1])
	door.Close()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	far := os.NewFile(uintptr(fds[0]), "rank")
	t.Cleanup(func() { c.Close(); far.Close() })
	return c
}

// FuzzFromRank gives an agent what a rank that has joined could send.
func FuzzFromRank(f *testing.F) {
	for _, m := range []*pb.FromRank{
		{Kind: &pb.FromRank_Hello{Hello: &pb.Hello{Protocol: boot.Protocol, Build: &pb.Build{}}}},
		{Kind: &pb.FromRank_Connect{Connect: &pb.Connect{Peer: 2}}},
		{Kind: &pb.FromRank_Connect{Connect: &pb.Connect{Peer: 1, Number: 1 << 31}}},
		{Kind: &pb.FromRank_Connect{Connect: &pb.Connect{Peer: -1}}},
		{Kind: &pb.FromRank_Leaving{Leaving: &pb.Leaving{}}},
		{Kind: &pb.FromRank_Drained{Drained: &pb.Drained{}}},
		{Kind: &pb.FromRank_Left{Left: &pb.Left{Leftovers: []*pb.Leftover{{Source: -9, Kind: 77}}}}},
		{Kind: &pb.FromRank_Abort{Abort: &pb.Abort{Code: -256, Text: "\x1b]0;x\a"}}},
		{Kind: &pb.FromRank_Stacks{Stacks: &pb.RankStacks{Text: "x", Last: true}}},
	} {
		data, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, data)
	}
	c := connection(f)
	f.Fuzz(func(t *testing.T, first, second []byte) {
		h := newHost(aStart())
		h.start.Settings.Transport = "unix"
		close(h.over) // nobody runs it
		for _, r := range h.ranks {
			r.conn, r.phase, r.out, r.pid = c, joined, queue.New[packet](), 1
			r.proc = &process{rank: r.rank, pid: 1}
		}
		for _, data := range [][]byte{first, second, first} {
			m := new(pb.FromRank)
			if proto.Unmarshal(data, m) != nil {
				return
			}
			h.onRank(h.ranks[0], c, m)
		}
		for _, r := range h.ranks {
			r.out.Close(io.EOF)
			for packets := r.out.Take(); packets != nil; packets = r.out.Take() {
				for _, p := range packets {
					if l := p.m.GetLink(); l != nil && int(l.GetPeer()) == r.rank {
						t.Errorf("rank %d gets a link to itself", r.rank)
					}
					closeAll(p.files)
				}
			}
		}
		h.outbox.Close(io.EOF)
		for messages := h.outbox.Take(); messages != nil; messages = h.outbox.Take() {
			for _, m := range messages {
				if f := m.GetFailure(); f != nil && f.GetRank() > 0 {
					t.Errorf("%v is said of another rank than the one that spoke", f)
				}
			}
		}
	})
}
