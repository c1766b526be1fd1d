package rendezvous

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-mpi/muster/internal/authority"
	"github.com/muster-mpi/muster/internal/knock"
	pb "github.com/muster-mpi/muster/proto"
)

// trial is a job of n ranks that are goroutines of the test.
type trial struct {
	t       testing.TB
	n       int
	manager *manager // by PMI; or nil
	port    int
	token   string

	mu   sync.Mutex
	said []string // by ranks, on standard error
}

const testToken = "0123456789abcdef0123456789abcdef"

func newTrial(t testing.TB, n int, pmi bool) *trial {
	t.Helper()
	tr := &trial{t: t, n: n, token: filepath.Join(t.TempDir(), "token")}
	if pmi {
		tr.manager = newManager(n, 2)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Skipf("no TCP over loopback: %v", err)
	}
	tr.port = l.Addr().(*net.TCPAddr).Port
	l.Close()
	if err := os.WriteFile(tr.token, []byte(testToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return tr
}

// joining is rank's way into the job. Its process has the number 1000 + rank.
func (tr *trial) joining(rank int) *joining {
	loopback := netip.MustParseAddr("127.0.0.1")
	j := &joining{
		Place: &Place{
			Rank: rank, Size: tr.n, host: fmt.Sprint("h", rank/2), domain: fmt.Sprint(rank / 2),
			starter: "a test", patience: 20 * time.Second, run: "1",
		},
		hello: &pb.Hello{Protocol: 2, Pid: int64(1000 + rank), Build: &pb.Build{Program: "p", ByteOrder: "little", IntBytes: 8, Arch: "amd64"}},
		network: network{
			own:     func() ([]netip.Addr, error) { return []netip.Addr{loopback}, nil },
			resolve: func(context.Context, string) ([]netip.Addr, error) { return []netip.Addr{loopback}, nil },
			route:   func(string) (netip.Addr, error) { return loopback, nil },
		},
		newest: 2,
		say: func(format string, args ...any) {
			tr.mu.Lock()
			defer tr.mu.Unlock()
			tr.said = append(tr.said, fmt.Sprintf(format, args...))
		},
	}
	if tr.manager != nil {
		j.pmi = tr.manager.socket(rank)
	} else {
		j.rendezvous = fmt.Sprintf("rank0:%d", tr.port)
		j.tokenFile = tr.token
	}
	return j
}

// heard returns what was said so far.
func (tr *trial) heard() []string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return slices.Clone(tr.said)
}

// ranks are the conversations of a job that has begun.
type ranks struct {
	conns    []*Conn
	welcomes []*pb.Welcome
}

// start has all ranks join.
func (tr *trial) start() *ranks {
	tr.t.Helper()
	r := &ranks{make([]*Conn, tr.n), make([]*pb.Welcome, tr.n)}
	errs := make([]error, tr.n)
	var all sync.WaitGroup
	for i := range tr.n {
		all.Go(func() { r.conns[i], r.welcomes[i], errs[i] = tr.joining(i).join(context.Background()) })
	}
	all.Wait()
	for i, err := range errs {
		if err != nil {
			tr.t.Fatalf("rank %d of %d: %v", i, tr.n, err)
		}
	}
	tr.t.Cleanup(func() {
		for _, c := range slices.Backward(r.conns) {
			c.Close()
		}
	})
	return r
}

// hear returns the next message to a rank, or the error.
func (r *ranks) hear(t testing.TB, rank int) (*pb.ToRank, []*os.File, error) {
	t.Helper()
	type heard struct {
		m     *pb.ToRank
		files []*os.File
		err   error
	}
	c := make(chan heard, 1)
	go func() {
		m := new(pb.ToRank)
		files, err := r.conns[rank].Recv(m)
		c <- heard{m, files, err}
	}()
	select {
	case h := <-c:
		return h.m, h.files, h.err
	case <-time.After(20 * time.Second):
		t.Fatalf("rank %d has heard nothing for 20 s", rank)
		return nil, nil, nil
	}
}

// want fails unless the next message to rank is of the kind.
func want[K any](t testing.TB, r *ranks, rank int) (k K) {
	t.Helper()
	m, files, err := r.hear(t, rank)
	for _, f := range files {
		f.Close()
	}
	if err != nil {
		t.Fatalf("rank %d: %v, want %T", rank, err, k)
	}
	k, ok := m.GetKind().(K)
	if !ok {
		t.Fatalf("rank %d hears %v, want %T", rank, m, k)
	}
	return k
}

func (r *ranks) say(t testing.TB, rank int, m *pb.FromRank) {
	t.Helper()
	if err := r.conns[rank].Send(m); err != nil {
		t.Fatalf("rank %d says %v: %v", rank, m, err)
	}
}

var (
	sayLeaving = &pb.FromRank{Kind: &pb.FromRank_Leaving{Leaving: &pb.Leaving{}}}
	sayDrained = &pb.FromRank{Kind: &pb.FromRank_Drained{Drained: &pb.Drained{}}}
	sayLeft    = &pb.FromRank{Kind: &pb.FromRank_Left{Left: &pb.Left{}}}
)

func sayConnect(peer int, number uint32) *pb.FromRank {
	return &pb.FromRank{Kind: &pb.FromRank_Connect{Connect: &pb.Connect{Peer: int32(peer), Number: number}}}
}

// leave is the end of a job in which all goes well.
func (r *ranks) leave(t testing.TB) {
	t.Helper()
	for i := range r.conns {
		r.say(t, i, sayLeaving)
	}
	for i := range r.conns {
		want[*pb.ToRank_AllLeaving](t, r, i)
	}
	for i := range r.conns {
		r.say(t, i, sayDrained)
	}
	for i := range r.conns {
		want[*pb.ToRank_AllDrained](t, r, i)
	}
	var all sync.WaitGroup
	for i, c := range r.conns {
		r.say(t, i, sayLeft)
		all.Go(func() { c.Close() })
	}
	all.Wait()
}

func TestRanksMeetAndLeave(t *testing.T) {
	for _, pmi := range []bool{true, false} {
		for _, n := range []int{2, 3, 9} {
			tr := newTrial(t, n, pmi)
			r := tr.start()
			for i, w := range r.welcomes {
				if int(w.Rank) != i || int(w.Size) != n || len(w.Job) != 16 || !bytes.Equal(w.Job, r.welcomes[0].Job) || w.Incarnation == 0 {
					t.Errorf("rank %d of %d is welcomed as %d of %d, job %x", i, n, w.Rank, w.Size, w.Job)
				}
				if w.Settings.Transport != "tcp" || w.Settings.RanksPerCoreHundredths == 0 && len(usableCores()) > 0 {
					t.Errorf("settings: %v", w.Settings)
				}
				covered := int32(0)
				for k, h := range w.Hosts {
					if h.First != covered || int(h.Host) != k || h.Name != fmt.Sprint("h", k) {
						t.Errorf("host %d of rank %d's is %v", k, i, h)
					}
					covered += h.Count
				}
				if int(covered) != n {
					t.Errorf("the hosts hold %d ranks of %d", covered, n)
				}
				pair, err := tls.X509KeyPair(w.Credentials.Certificate, w.Credentials.Key)
				if err != nil {
					t.Fatal(err)
				}
				if got, want := pair.Leaf.URIs[0].String(), fmt.Sprintf("muster://%x/%d", w.Job, i); got != want {
					t.Errorf("rank %d shows the certificate of %s, want %s", i, got, want)
				}
			}
			if _, err := r.conns[0].coordinator.authority.Certify(1, nil); !errors.Is(err, authority.ErrForgotten) {
				t.Errorf("rank 0 still has the authority's key: %v", err)
			}
			r.leave(t)
			if said := tr.heard(); len(said) > 0 {
				t.Errorf("said in a job without faults: %q", said)
			}
		}
	}
}

// A rank's runs on a host need not be neighbours.
func TestHostsAreToldApartByTheirDomain(t *testing.T) {
	c := &coordinator{seats: make([]seat, 5)}
	for r, d := range []string{"a", "b", "a", "b", "b"} {
		c.seats[r].entry = &pb.Entry{Host: "same", Domain: d, Cpus: []int32{int32(r), 9}}
	}
	runs, shares := c.hosts()
	var got []string
	for _, h := range runs {
		got = append(got, fmt.Sprintf("%d+%d@%d", h.First, h.Count, h.Host))
	}
	if text := strings.Join(got, " "); text != "0+1@0 1+1@1 2+1@0 3+2@1" {
		t.Errorf("runs are %s", text)
	}
	if want := []share{{2, 3}, {3, 4}, {2, 3}, {3, 4}, {3, 4}}; !slices.Equal(shares, want) {
		t.Errorf("shares are %v, want %v", shares, want)
	}
}

// link has both ends of a link in hand.
func (r *ranks) link(t testing.TB, a, b int) (net.Conn, net.Conn, uint32) {
	t.Helper()
	var ends [2]net.Conn
	var numbers [2]uint32
	for i, self := range []int{a, b} {
		m, files, err := r.hear(t, self)
		if err != nil {
			t.Fatalf("rank %d: %v", self, err)
		}
		up := m.GetLink()
		if up == nil || len(files) != 1 || int(up.Peer) != []int{b, a}[i] {
			t.Fatalf("rank %d hears %v with %d descriptors, want a link to %d", self, m, len(files), []int{b, a}[i])
		}
		numbers[i] = up.Number
		if ends[i], err = net.FileConn(files[0]); err != nil {
			t.Fatal(err)
		}
		files[0].Close()
		t.Cleanup(func() { ends[i].Close() })
	}
	if numbers[0] != numbers[1] {
		t.Fatalf("rank %d has link %d, rank %d link %d", a, numbers[0], b, numbers[1])
	}
	return ends[0], ends[1], numbers[0]
}

// echo checks that two connections are two ends of one.
func echo(t testing.TB, a, b net.Conn) {
	t.Helper()
	for _, c := range []struct{ from, to net.Conn }{{a, b}, {b, a}} {
		b := make([]byte, 1)
		if _, err := c.from.Write([]byte{7}); err != nil {
			t.Fatal(err)
		}
		c.to.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.ReadFull(c.to, b); err != nil || b[0] != 7 {
			t.Fatalf("the link's ends do not belong together: %v", err)
		}
	}
}

// Either end may ask for a link, or both at once: they get the same, and the next has
// the next number.
func TestBothEndsOfALinkGetTheSame(t *testing.T) {
	tr := newTrial(t, 3, false)
	r := tr.start()
	for number := range uint32(60) {
		for _, p := range [][2]int{{0, 1}, {1, 2}, {2, 0}} {
			switch number % 3 {
			case 0:
				r.say(t, p[0], sayConnect(p[1], number))
			case 1:
				r.say(t, p[1], sayConnect(p[0], number))
			case 2:
				var both sync.WaitGroup
				for i := range 2 {
					both.Go(func() { r.say(t, p[i], sayConnect(p[1-i], number)) })
				}
				both.Wait()
			}
			a, b, got := r.link(t, p[0], p[1])
			if got != number {
				t.Fatalf("link %d between %d and %d has number %d", number, p[0], p[1], got)
			}
			echo(t, a, b)
			r.say(t, p[0], sayConnect(p[1], number)) // asked for late: it has it
		}
	}
	r.leave(t)
}

func TestLinksThatNobodyWantsAreRefused(t *testing.T) {
	tr := newTrial(t, 3, false)
	r := tr.start()
	l := r.conns[1].links
	good := knock.Knock{Job: l.job, From: 2, To: 1, Number: 0, Incarnation: l.members[2].Incarnation}
	for _, c := range []struct {
		name   string
		change func(*knock.Knock, *[]byte)
		want   error
	}{
		{"to another rank", func(k *knock.Knock, _ *[]byte) { k.To = 0 }, knock.ErrRefused},
		{"from the rank itself", func(k *knock.Knock, _ *[]byte) { k.From = 1 }, knock.ErrRefused},
		{"from no rank", func(k *knock.Knock, _ *[]byte) { k.From = 3 }, knock.ErrRefused},
		{"from another process", func(k *knock.Knock, _ *[]byte) { k.Incarnation++ }, knock.ErrRefused},
		{"with another key", func(_ *knock.Knock, key *[]byte) { *key = []byte("none") }, knock.ErrStranger},
		{"of another job", func(k *knock.Knock, _ *[]byte) { k.Job[0]++ }, knock.ErrStranger},
		{"to join", func(k *knock.Knock, _ *[]byte) { k.Number = joinNumber }, knock.ErrStranger},
		{"as it should be", func(*knock.Knock, *[]byte) {}, nil},
		{"the same again", func(*knock.Knock, *[]byte) {}, knock.ErrSuperseded},
	} {
		k, key := good, l.key
		c.change(&k, &key)
		conn, err := knock.Dial(context.Background(), l.members[1].Addresses, key, k)
		if !errors.Is(err, c.want) || (c.want == nil) != (err == nil) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if err == nil {
			conn.Close()
		}
	}
	want[*pb.ToRank_Link](t, r, 1)
	for _, m := range []*pb.FromRank{sayConnect(1, 0), sayConnect(3, 0), sayConnect(-1, 0)} {
		if err := r.conns[1].Send(m); err == nil {
			t.Errorf("rank 1 of 3 says %v, and nobody minds", m)
		}
	}
}

func TestWhoDoesNotFitIsRefusedByName(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*joining)
		want   []string
		ends   bool // the job cannot begin without it
	}{
		{"another token", func(j *joining) { j.tokenFile = write1(j, strings.Repeat("z", 32)) },
			[]string{"it says that it belongs to job", "this is job", "is this process's token another one?"}, false},
		{"another run", func(j *joining) { j.run = "2" }, []string{"it says that it belongs to job", "this is job"}, false},
		{"another size", func(j *joining) { j.Size = 5 }, []string{"process 1002 of host h1 says that the job has 5 ranks, rank 0 that it has 3"}, false},
		{"a rank too large", func(j *joining) { j.Rank = 3 }, []string{"says that it is rank 3 of 3"}, false},
		{"another version", func(j *joining) { j.hello.Protocol = 1 }, []string{"rank 2 speaks version 1 of the control protocol, rank 0 version 2"}, true},
		{"another program", func(j *joining) { j.hello.Build.Program = "q" }, []string{"rank 2 runs build q of the program, rank 0 runs build p"}, true},
		{"another processor", func(j *joining) { j.hello.Build.Arch = "arm64" }, []string{"rank 2 is arm64, little-endian, int of 8 bytes; rank 0 is amd64, little-endian"}, true},
		{"another order of bytes", func(j *joining) { j.hello.Build.ByteOrder = "big" }, []string{"rank 2 is amd64, big-endian"}, true},
		{"a host that is none", func(j *joining) { j.host = "a\x1b[2J" }, []string{`this host's name is "a\x1b[2J"`}, false},
		{"no token", func(j *joining) { j.tokenFile = write1(j, "short") }, []string{"has 5 characters, want 16 or more"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr := newTrial(t, 3, false)
			ctx := context.Background()
			r := &ranks{make([]*Conn, 3), make([]*pb.Welcome, 3)}
			errs := make([]error, 3)
			var all sync.WaitGroup
			for _, i := range []int{0, 1} {
				all.Go(func() { r.conns[i], r.welcomes[i], errs[i] = tr.joining(i).join(ctx) })
			}
			wrong := tr.joining(2)
			c.change(wrong)
			_, _, err := wrong.join(ctx)
			for _, part := range c.want {
				if err == nil || !strings.Contains(err.Error(), part) {
					t.Errorf("the one who does not fit hears %v, want %q", err, part)
				}
			}
			if c.ends {
				all.Wait()
				for i, err := range errs[:2] {
					var ended *Ended
					if !errors.As(err, &ended) || ended.Code != exitProtocol || !strings.Contains(err.Error(), c.want[0]) {
						t.Errorf("rank %d hears %v, want the same and code %d", i, err, exitProtocol)
					}
				}
				return
			}
			// The job goes on as if nothing had been.
			r.conns[2], r.welcomes[2], errs[2] = tr.joining(2).join(ctx)
			all.Wait()
			if err := errors.Join(errs...); err != nil {
				t.Fatal(err)
			}
			r.leave(t)
		})
	}
}

func TestASecondOfARankIsRefused(t *testing.T) {
	tr := newTrial(t, 3, false)
	r := tr.start()
	second := tr.joining(1)
	second.hello.Pid = 77
	_, _, err := second.join(context.Background())
	const text = "process 77 of host h0 cannot join as rank 1: process 1001 of host h0 has done so before it"
	if err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("it hears %v, want %q", err, text)
	}
	if said := tr.heard(); len(said) != 1 || said[0] != text {
		t.Errorf("rank 0 says %q, want %q", said, text)
	}
	r.leave(t)
}

func write1(j *joining, token string) string {
	path := j.tokenFile + "x"
	os.WriteFile(path, []byte(token), 0o600)
	return path
}

func TestTheEndOfARankIsEverybodysEnd(t *testing.T) {
	tr := newTrial(t, 4, false)
	r := tr.start()
	r.conns[2].conn.NetConn().Close() // as the kernel does for a dead process
	for _, i := range []int{0, 1, 3} {
		_, _, err := r.hear(t, i)
		if e := (*Ended)(nil); !errors.As(err, &e) || e.Code != exitLost || e.Text != "" {
			t.Errorf("rank %d hears %#v, want the end with code %d and nothing to say", i, err, exitLost)
		}
	}
	if said := tr.heard(); len(said) != 1 || said[0] != "rank 2 (host h1, pid 1002) ended without leaving the job" {
		t.Errorf("said: %q; want one line that names the rank", said)
	}
}

func TestTheEndOfRankZeroIsSeenByAll(t *testing.T) {
	tr := newTrial(t, 5, false)
	r := tr.start()
	c := r.conns[0].coordinator
	c.mu.Lock() // so that it tells nobody, as a dead process
	for i := range c.seats {
		if m := c.seats[i].member; m != nil {
			m.conn.NetConn().Close()
		}
	}
	c.mu.Unlock()
	for i := 1; i < 5; i++ {
		_, _, err := r.hear(t, i)
		text := ""
		if i != 3 { // rank 2 is of the same host
			text = "rank 0 (host h0, pid 1000) ended without leaving the job"
		}
		if e := (*Ended)(nil); !errors.As(err, &e) || e.Code != exitLost || e.Text != text {
			t.Errorf("rank %d hears %#v, want the end with code %d and %q", i, err, exitLost, text)
		}
	}
}

func TestAnAbortEndsAllWithItsCode(t *testing.T) {
	for _, aborts := range []int{0, 1, 3} {
		tr := newTrial(t, 4, false)
		r := tr.start()
		r.say(t, aborts, &pb.FromRank{Kind: &pb.FromRank_Abort{Abort: &pb.Abort{Code: 5, Text: "no more"}}})
		for i := range 4 {
			_, _, err := r.hear(t, i)
			if e := (*Ended)(nil); !errors.As(err, &e) || e.Code != 5 || e.Text != "" {
				t.Errorf("rank %d hears %#v, want the end with code 5", i, err)
			}
		}
		if said, want := tr.heard(), fmt.Sprintf("rank %d (host h%d, pid %d) aborted the job: no more", aborts, aborts/2, 1000+aborts); len(said) != 1 || said[0] != want {
			t.Errorf("said: %q; want %q", said, want)
		}
	}
}

func TestUnderPolicyReturnTheOthersGoOn(t *testing.T) {
	tr := newTrial(t, 4, true)
	r := &ranks{make([]*Conn, 4), make([]*pb.Welcome, 4)}
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			j := tr.joining(i)
			j.returns = true
			var err error
			if r.conns[i], r.welcomes[i], err = j.join(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if t.Failed() {
		return
	}
	if !r.welcomes[3].Settings.ReturnFailures {
		t.Error("the policy is not in the settings")
	}
	r.say(t, 3, sayLeaving)
	r.conns[1].conn.NetConn().Close()
	for _, i := range []int{0, 2, 3} {
		if k := want[*pb.ToRank_Failed](t, r, i); k.Failed.Rank != 1 || !strings.Contains(k.Failed.Cause, "rank 1 (host h0, pid 1001) ended") {
			t.Errorf("rank %d hears %v", i, k.Failed)
		}
	}
	for _, i := range []int{0, 2} {
		r.say(t, i, sayLeaving)
	}
	for _, i := range []int{0, 2, 3} {
		want[*pb.ToRank_AllLeaving](t, r, i)
		r.say(t, i, sayDrained)
	}
	for _, i := range []int{0, 2, 3} {
		want[*pb.ToRank_AllDrained](t, r, i)
		r.say(t, i, sayLeft)
	}
}

func TestRanksThatDoNotComeAreNamed(t *testing.T) {
	tr := newTrial(t, 4, false)
	errs := make([]error, 2)
	var all sync.WaitGroup
	for i, rank := range []int{0, 2} {
		all.Go(func() {
			j := tr.joining(rank)
			if rank == 0 {
				j.patience = 500 * time.Millisecond
			}
			_, _, errs[i] = j.join(context.Background())
		})
	}
	all.Wait()
	for i, err := range errs {
		var ended *Ended
		if !errors.As(err, &ended) || ended.Code != exitSpawn || !strings.Contains(err.Error(), "ranks 1, 3 of 4 have not joined within 500ms (MUSTER_START_TIMEOUT)") {
			t.Errorf("rank %d: %v, want the absent ranks' names and code %d", 2*i, err, exitSpawn)
		}
	}
}

func TestARankThatEndsBeforeAllHaveComeIsNamed(t *testing.T) {
	tr := newTrial(t, 3, false)
	errs := make(chan error, 1)
	go func() { _, _, err := tr.joining(0).join(context.Background()); errs <- err }()
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	if _, _, err := tr.joining(1).join(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("rank 1 gave up: %v, want its context's cause", err)
	}
	if err := <-errs; err == nil || !strings.Contains(err.Error(), "rank 1 (host h0, pid 1001) ended without leaving the job") {
		t.Errorf("rank 0: %v, want rank 1's end", err)
	}
}

func TestRankZeroThatIsNotThereIsNamed(t *testing.T) {
	tr := newTrial(t, 2, false)
	j := tr.joining(1)
	j.patience = 50 * time.Millisecond
	_, _, err := j.join(context.Background())
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("rank 1 of 2 cannot reach rank 0: 127.0.0.1:%d: ", tr.port)) {
		t.Errorf("%v, want rank 0's address", err)
	}
}

// Someone between a rank and rank 0 may pass the knock on; what he cannot do is
// speak TLS with either in the other's name.
func TestWhoIsBetweenTheTwoLearnsNothing(t *testing.T) {
	tr := newTrial(t, 2, false)
	token := []byte(testToken)
	mine, err := newSecret(token, "1")
	if err != nil {
		t.Fatal(err)
	}
	own, err := authority.New(fmt.Sprintf("%x", mine.job), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := own.Certify(0, &key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	for _, announced := range []bool{false, true} {
		a, b := tcpPair(t)
		seen := make(chan []byte, 1)
		go func() { // holds a perfect certificate, and no token
			defer b.Close()
			conn := tls.Server(b, &tls.Config{
				MinVersion: tls.VersionTLS13, NextProtos: []string{protocolName},
				Certificates: []tls.Certificate{{Certificate: [][]byte{der, own.DER()}, PrivateKey: key}},
			})
			write(conn, &pb.Proof{Mac: make([]byte, sha256.Size)})
			all, _ := io.ReadAll(conn)
			seen <- all
		}()
		i := invitation{token: token}
		want := "does not hold the job's token"
		if announced {
			other := sha256.Sum256([]byte("another authority"))
			i.fingerprint, want = other[:], "its authority is"
		}
		_, _, err := secured(a, i, mine)
		a.Close()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("a false rank 0 is told by %v, want %q", err, want)
		}
		if all := <-seen; len(all) > 0 {
			t.Errorf("it was told %d bytes", len(all))
		}
	}
	// The other way round: whoever has passed on a legal knock has no proof to send.
	errs := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	go func() { _, _, err := tr.joining(0).join(ctx); errs <- err }()
	conn, err := knockAgain(tr, mine, 1)
	if err != nil {
		t.Fatal(err)
	}
	t1 := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{protocolName}})
	write(t1, &pb.Entry{Rank: 1, Size: 2, Host: "h", Addresses: []string{"127.0.0.1:1"}, Proof: &pb.Proof{Mac: make([]byte, 32)}})
	t1.SetDeadline(time.Now().Add(10 * time.Second))
	var p pb.Proof
	if err := read(t1, &p, strangerBytes); err != nil {
		t.Fatal(err)
	}
	if err := read(t1, new(pb.ToMember), strangerBytes); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("an entry without proof: %v, want the connection closed", err)
	}
	t1.Close()
	cancel()
	<-errs
	if said := tr.heard(); !slices.ContainsFunc(said, func(s string) bool { return strings.Contains(s, "it does not hold the token") }) {
		t.Errorf("said: %q", said)
	}
}

// knockAgain knocks at rank 0's port to join as rank.
func knockAgain(tr *trial, s secret, rank int) (net.Conn, error) {
	k := knock.Knock{Job: s.job, From: uint32(rank), Number: joinNumber}
	for begin := time.Now(); ; {
		conn, err := knock.Dial(context.Background(), []string{fmt.Sprint("127.0.0.1:", tr.port)}, s.knockKey(), k)
		if err == nil || time.Since(begin) > 10*time.Second {
			return conn, err
		}
	}
}

func tcpPair(t testing.TB) (net.Conn, net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return a, b
}

// What a rank is given never holds the authority's key, and rank 0 gives nobody's key
// away: each has made its own.
func TestKeysStayWhereTheyWereMade(t *testing.T) {
	tr := newTrial(t, 3, true)
	r := tr.start()
	seen := make(map[string]bool)
	for i, w := range r.welcomes {
		block, _ := pem.Decode(w.Credentials.Key)
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		public, err := x509.MarshalPKIXPublicKey(key.(*ecdsa.PrivateKey).Public())
		if err != nil {
			t.Fatal(err)
		}
		if seen[string(public)] {
			t.Errorf("rank %d has another rank's key", i)
		}
		seen[string(public)] = true
		if got := r.conns[0].coordinator.seats[i].entry.PublicKey; !bytes.Equal(got, public) {
			t.Errorf("rank %d holds another key than it has shown", i)
		}
	}
}

func TestJunkAtThePortLeavesAJobUnharmed(t *testing.T) {
	tr := newTrial(t, 3, false)
	var junk sync.WaitGroup
	stop := make(chan struct{})
	for k := range 4 {
		junk.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				conn, err := net.Dial("tcp", fmt.Sprint("127.0.0.1:", tr.port))
				if err != nil {
					continue // rank 0 is not there yet, or any more
				}
				switch (i + k) % 4 {
				case 0:
					io.WriteString(conn, "GET / HTTP/1.1\r\n\r\n")
				case 1:
					knock.Write(conn, []byte("guess"), knock.Knock{From: 1, Number: joinNumber})
				case 2:
					conn.(*net.TCPConn).SetLinger(0)
				}
				conn.Close()
			}
		})
	}
	r := tr.start()
	for number := range uint32(20) {
		r.say(t, 1, sayConnect(0, number))
		a, b, _ := r.link(t, 0, 1)
		echo(t, a, b)
	}
	r.leave(t)
	close(stop)
	junk.Wait()
	if said := tr.heard(); len(said) > 2 {
		t.Errorf("junk had %d lines said: %q", len(said), said)
	}
}
