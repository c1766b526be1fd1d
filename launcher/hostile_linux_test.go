package launcher

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-mpi/muster/internal/output"
	"github.com/muster-mpi/muster/internal/testbed"
	"github.com/muster-mpi/muster/launcher/internal/agent"
	pb "github.com/muster-mpi/muster/proto"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// agentBut is an agent on every host of a farm but one, where it is a hostile one: its
// arguments are that host, how it is hostile, and an agent's own.
func agentBut(args []string) int {
	host, how, args := args[0], args[1], args[2:]
	nonce, found := "", false
	for _, arg := range args {
		if n, ok := strings.CutPrefix(arg, "--stdio="); ok {
			nonce, found = n, true
		}
	}
	if !found || os.Getenv("TESTBED_HOST") != host {
		return AgentMain(args...)
	}
	fmt.Printf("muster:%s agent /\n", nonce)
	g := grpc.NewServer()
	pb.RegisterAgentServer(g, hostileAgent{how: how})
	conn := &stdio{ended: make(chan struct{})}
	go g.Serve(&oneListener{conn: conn})
	<-conn.ended
	return 0
}

// stdio is a connection of standard input and output.
type stdio struct {
	once  sync.Once
	ended chan struct{}
}

func (s *stdio) Read(p []byte) (int, error) {
	n, err := os.Stdin.Read(p)
	if err != nil {
		s.once.Do(func() { close(s.ended) })
	}
	return n, err
}
func (s *stdio) Write(p []byte) (int, error)      { return os.Stdout.Write(p) }
func (s *stdio) Close() error                     { return nil }
func (s *stdio) LocalAddr() net.Addr              { return &net.UnixAddr{} }
func (s *stdio) RemoteAddr() net.Addr             { return &net.UnixAddr{} }
func (s *stdio) SetDeadline(time.Time) error      { return nil }
func (s *stdio) SetReadDeadline(time.Time) error  { return nil }
func (s *stdio) SetWriteDeadline(time.Time) error { return nil }

type oneListener struct{ conn net.Conn }

func (l *oneListener) Accept() (net.Conn, error) {
	if c := l.conn; c != nil {
		l.conn = nil
		return c, nil
	}
	select {}
}
func (l *oneListener) Close() error   { return nil }
func (l *oneListener) Addr() net.Addr { return &net.UnixAddr{} }

type hostileAgent struct {
	pb.UnimplementedAgentServer
	how string
}

// lies are what an agent of a host with rank 1 of 2 has no business to say, after it has
// learned of the job; with what the user is told.
var lies = map[string]struct {
	m    *pb.FromAgent
	told string
}{
	"exit":     {&pb.FromAgent{Kind: &pb.FromAgent_Exited{Exited: &pb.Exited{Rank: 0, Code: 3}}}, "it speaks of rank 0"},
	"joined":   {&pb.FromAgent{Kind: &pb.FromAgent_Joined{Joined: &pb.RankJoined{Rank: 0}}}, "it speaks of rank 0"},
	"left":     {&pb.FromAgent{Kind: &pb.FromAgent_Left{Left: &pb.RankLeft{Rank: 0}}}, "it speaks of rank 0"},
	"started":  {&pb.FromAgent{Kind: &pb.FromAgent_Started{Started: &pb.Started{Ranks: []*pb.RankProcess{{Rank: 0, Pid: 1}}}}}, "it speaks of rank 0"},
	"output":   {&pb.FromAgent{Kind: &pb.FromAgent_Output{Output: &pb.Output{Rank: 0, Data: []byte("lies\n")}}}, "it speaks of rank 0"},
	"beyond":   {&pb.FromAgent{Kind: &pb.FromAgent_Exited{Exited: &pb.Exited{Rank: 2}}}, "it speaks of rank 2"},
	"negative": {&pb.FromAgent{Kind: &pb.FromAgent_Output{Output: &pb.Output{Rank: -1}}}, "it speaks of rank -1"},
	"failure":  {&pb.FromAgent{Kind: &pb.FromAgent_Failure{Failure: &pb.Failure{Rank: 0, Code: 9, What: "lies"}}}, "it speaks of rank 0"},
	"other": {&pb.FromAgent{Kind: &pb.FromAgent_Failure{Failure: &pb.Failure{Rank: 1, Code: 9, Others: []*pb.RankState{{Rank: 0, Blocked: "lies"}}}}},
		"it speaks of rank 0"},
	"tunnel":    {&pb.FromAgent{Kind: &pb.FromAgent_Tunnel{Tunnel: &pb.TunnelWanted{From: 0, To: 1}}}, "it speaks of rank 0"},
	"skip":      {&pb.FromAgent{Kind: &pb.FromAgent_Tunnel{Tunnel: &pb.TunnelWanted{From: 1, To: 0, Number: 1<<32 - 1}}}, "tunnel 4294967295"},
	"ready":     {&pb.FromAgent{Kind: &pb.FromAgent_Ready{Ready: &pb.Ready{Protocol: agent.Protocol}}}, "it says Ready twice"},
	"listening": {&pb.FromAgent{Kind: &pb.FromAgent_Listening{Listening: &pb.Listening{Addresses: []string{"example.com:80"}}}}, `"example.com:80"`},
	"done":      {&pb.FromAgent{Kind: &pb.FromAgent_Done{Done: &pb.Done{}}}, "it is done and rank 1 has not ended"},
	"need":      {&pb.FromAgent{Kind: &pb.FromAgent_Need{Need: &pb.Need{Digests: [][]byte{{1}}}}}, "it asks for program 01, which is none of this job's"},
	"staged":    {&pb.FromAgent{Kind: &pb.FromAgent_Staged{Staged: &pb.Staged{Digests: [][]byte{{1}}}}}, "it has program 01, which is none of this job's"},
	"nothing":   {&pb.FromAgent{}, "a message of no kind"},
}

// Run is as an agent says it should be, up to a point.
func (h hostileAgent) Run(stream grpc.BidiStreamingServer[pb.ToAgent, pb.FromAgent]) error {
	ready := &pb.Ready{Protocol: agent.Protocol, HostName: "liar", UnixNanos: time.Now().UnixNano(), ReachedAt: "127.0.0.1"}
	if h.how == "old" {
		ready.Protocol--
	}
	if err := stream.Send(&pb.FromAgent{Kind: &pb.FromAgent_Ready{Ready: ready}}); err != nil {
		return err
	}
	if h.how == "early" {
		stream.Send(&pb.FromAgent{Kind: &pb.FromAgent_Done{Done: &pb.Done{}}})
	} else if m, err := stream.Recv(); err == nil && m.GetSweep() != nil {
		stream.Send(&pb.FromAgent{Kind: &pb.FromAgent_Done{Done: &pb.Done{}}})
	} else if err == nil {
		stream.Send(lies[h.how].m)
	}
	<-stream.Context().Done()
	return nil
}

// S11: a host that is not what it should be speaks for its own ranks at most, and is
// named.
func TestS11AgentsSpeakForTheirOwnRanksOnly(t *testing.T) {
	for how, told := range map[string]string{
		"early":   "it ", // sends Done before its part of the job, or is done and its rank has not ended
		"output":  lies["output"].told,
		"beyond":  lies["beyond"].told,
		"failure": lies["failure"].told,
	} {
		t.Run(how, func(t *testing.T) {
			tr, f := onHosts(t, 2, 2, "@hang")
			tr.job.Agent = []string{os.Args[0], "agent-but", "node2", how}
			runHostile(tr, f)
			if tr.result.Code != ExitProtocol {
				t.Errorf("exit code %d, want %d", tr.result.Code, ExitProtocol)
			}
			if all := fmt.Sprint(tr.err, tr.stderr); !strings.Contains(all, "the agent of host node2 broke the protocol: "+told) {
				t.Errorf("told %s\nwant %q", all, told)
			}
			if strings.Contains(tr.stdout.String(), "lies") {
				t.Errorf("the lie is shown: %s", tr.stdout)
			}
		})
	}
}

// runHostile runs a job whose agents on a farm do not end in order: sshd is not there
// any more when they do.
func runHostile(tr *trial, f *testbed.Farm) {
	tr.t.Helper()
	<-tr.start().done
	awaitNone(tr.t, f.Processes, 20*time.Second)
	reapOrphans(time.Second)
	tr.wait()
}

// begun is a job of two ranks, on hosts a and b, which both have begun.
func begun(t testing.TB) *run {
	t.Helper()
	job := Job{
		Apps:  []App{{Ranks: 2, Argv: []string{"/bin/true"}}},
		Hosts: []Host{{Name: "a"}, {Name: "b"}}, Placement: []int{0, 1},
	}
	p, err := plan(&job, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	r := newRun(job, p, time.Now())
	close(r.over) // nothing is posted
	_, r.reaching = context.WithCancel(context.Background())
	if r.sink, err = output.New(output.Options{Size: 2, Stdout: io.Discard, Stderr: io.Discard}); err != nil {
		t.Fatal(err)
	}
	r.feed = newFeed(r.sink, func(int32, int64) {})
	for _, a := range r.agents {
		a.begun, a.ready = true, &pb.Ready{Protocol: agent.Protocol}
	}
	return r
}

// hear has r take messages of host b, as far as it does.
func hear(t testing.TB, r *run, messages ...*pb.FromAgent) {
	t.Helper()
	for _, m := range messages {
		if !r.agents[1].over() {
			r.take(r.agents[1], m, func(f func()) bool { f(); return true })
		}
	}
	if x := r.result.Ranks[0]; x.joined || x.Ended || x.PID != 0 {
		t.Errorf("of the other host's rank it is believed %+v", x)
	}
	if r.agents[0].over() {
		t.Error("the other host is given up")
	}
	<-r.feed.drained()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	r.sink.Close(ctx)
}

func TestS11LiesAreToldApart(t *testing.T) {
	for how, lie := range lies {
		r := begun(t)
		hear(t, r, lie.m)
		if f := r.result.Failure; f == nil || f.Host != "b" || !strings.Contains(f.What, "the agent of host b broke the protocol: ") ||
			!strings.Contains(f.What, lie.told) || !r.agents[1].over() {
			t.Errorf("%s: got %+v, want %q and the host given up", how, f, lie.told)
		}
	}
	for name, m := range map[string]*pb.FromAgent{
		"Joined":    {Kind: &pb.FromAgent_Joined{Joined: &pb.RankJoined{Rank: 1}}},
		"Started":   {Kind: &pb.FromAgent_Started{Started: &pb.Started{Ranks: []*pb.RankProcess{{Rank: 1, Pid: 9}}}}},
		"Listening": {Kind: &pb.FromAgent_Listening{Listening: &pb.Listening{Addresses: []string{"10.0.0.1:1"}}}},
	} {
		r := begun(t)
		hear(t, r, m)
		if r.result.Failure != nil {
			t.Errorf("%s: %+v, want it to be believed once", name, r.result.Failure)
		}
		r = begun(t)
		hear(t, r, m, m)
		if f := r.result.Failure; f == nil || !strings.Contains(f.What, name+" twice") {
			t.Errorf("%s twice: got %+v", name, f)
		}
	}
	// Nobody has asked the ranks to be stopped: this process is not stopped either.
	hear(t, begun(t), &pb.FromAgent{Kind: &pb.FromAgent_Suspended{Suspended: &pb.Suspended{}}})
}

// S28: an agent of another version is refused before any rank runs.
func TestS28AgentOfAnotherVersionIsRefused(t *testing.T) {
	tr, f := onHosts(t, 2, 2, "@leave")
	tr.job.Agent = []string{os.Args[0], "agent-but", "node2", "old"}
	runHostile(tr, f)
	want := fmt.Sprintf("the agent of host node2 speaks version %d of the launcher's protocol, this launcher speaks version %d", agent.Protocol-1, agent.Protocol)
	if tr.result.Code != ExitProtocol || tr.err == nil || !strings.Contains(tr.err.Error(), want) {
		t.Errorf("got code %d, error %v, want %d and %q", tr.result.Code, tr.err, ExitProtocol, want)
	}
	for _, x := range tr.result.Ranks {
		if x.PID != 0 {
			t.Errorf("rank %d was started: %+v", x.Rank, x)
		}
	}
}

// FuzzFromAgent gives a launcher what an agent could send, once both hosts of a job
// have begun.
func FuzzFromAgent(f *testing.F) {
	for how := range lies {
		data, err := proto.Marshal(lies[how].m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, data)
	}
	for _, m := range []*pb.FromAgent{
		{Kind: &pb.FromAgent_Joined{Joined: &pb.RankJoined{Rank: 1, Build: &pb.Build{}}}},
		{Kind: &pb.FromAgent_Started{Started: &pb.Started{Ranks: []*pb.RankProcess{{Rank: 1}}}}},
		{Kind: &pb.FromAgent_Reached{Reached: &pb.Reached{Stage: 7}}},
		{Kind: &pb.FromAgent_Suspended{Suspended: &pb.Suspended{}}},
		{Kind: &pb.FromAgent_Failure{Failure: &pb.Failure{Rank: -1, Code: 1 << 20, What: "\x1b]0;x\a"}}},
		{Kind: &pb.FromAgent_Listening{Listening: &pb.Listening{Addresses: []string{"10.0.0.1:1"}}}},
		{Kind: &pb.FromAgent_Need{Need: &pb.Need{Digests: [][]byte{nil}}}},
		{Kind: &pb.FromAgent_Done{Done: &pb.Done{Survivors: []int64{-1}}}},
	} {
		data, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, data)
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		var messages []*pb.FromAgent
		for _, data := range [][]byte{first, second, first} {
			m := new(pb.FromAgent)
			if proto.Unmarshal(data, m) == nil {
				messages = append(messages, m)
			}
		}
		hear(t, begun(t), messages...)
	})
}
