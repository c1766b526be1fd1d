package agent

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"io/fs"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/muster-mpi/muster/internal/authority"
	"github.com/muster-mpi/muster/internal/knock"
	"github.com/muster-mpi/muster/internal/queue"
	streams "github.com/muster-mpi/muster/internal/transport/stream"
	pb "github.com/muster-mpi/muster/proto"
)

// hostsOfOneJob are the agents of n hosts, each with a rank and a store of its own, and
// what a rank of the job shows.
func hostsOfOneJob(t *testing.T, n int) (hosts []*host, ofRank *pb.Credentials) {
	t.Helper()
	a, err := authority.New("00112233445566778899aabbccddeeff", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	job := []byte("\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff")
	var runs []*pb.HostRun
	for i := range n {
		runs = append(runs, &pb.HostRun{Host: int32(i), First: int32(i), Count: 1})
	}
	for i := range n {
		c, err := a.IssueHost(i)
		if err != nil {
			t.Fatal(err)
		}
		t.Setenv("XDG_CACHE_HOME", t.TempDir())
		s, err := openStore()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.close)
		network := newNetwork()
		if network.tls, err = authority.Config(c); err != nil {
			t.Fatal(err)
		}
		hosts = append(hosts, &host{
			start: &pb.Start{
				Job: job, Host: int32(i), Hosts: runs, HostCredentials: c, LinkKey: bytes.Repeat([]byte{7}, 32),
			},
			store: s, net: network, outbox: queue.New[*pb.FromAgent](), news: queue.New[programNews](),
		})
	}
	if ofRank, err = a.Issue(1); err != nil {
		t.Fatal(err)
	}
	return hosts, ofRank
}

// stored puts a program into a store.
func stored(t *testing.T, s *store, text string) *pb.Program {
	t.Helper()
	sum := sha256.Sum256([]byte(text))
	p := &pb.Program{Digest: sum[:], Bytes: int64(len(text))}
	in, err := s.begin(p)
	if err == nil {
		err = in.write([]byte(text))
	}
	if err == nil {
		_, err = s.end(in)
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAHostGivesProgramsToHostsOfTheJobOnly(t *testing.T) {
	hosts, ofRank := hostsOfOneJob(t, 3)
	text := strings.Repeat("program ", 200_000)
	p := stored(t, hosts[0].store, text)
	ask := func(c *pb.Credentials, digest []byte) (string, error) {
		ours, theirs := net.Pipe()
		defer ours.Close()
		go hosts[0].serve(theirs, hosts[0].store, 1)
		conn := net.Conn(ours)
		if c != nil {
			config, err := authority.Config(c)
			if err != nil {
				t.Fatal(err)
			}
			if conn, err = streams.Secure(ours, config, true, authority.HostIdentity([16]byte(hosts[0].start.GetJob()), 0), 1<<16); err != nil {
				return "", err
			}
		}
		if _, err := conn.Write(digest); err != nil {
			return "", err
		}
		got, err := io.ReadAll(conn)
		return string(got), err
	}
	if got, err := ask(hosts[1].start.GetHostCredentials(), p.GetDigest()); got != text {
		t.Errorf("the host that is expected got %d bytes, %v, want %d", len(got), err, len(text))
	}
	if got, _ := ask(hosts[1].start.GetHostCredentials(), make([]byte, sha256.Size)); got != "" {
		t.Errorf("for what is not there: got %d bytes, want 0", len(got))
	}
	strangers, _ := hostsOfOneJob(t, 2)
	for who, c := range map[string]*pb.Credentials{
		"another host": hosts[2].start.GetHostCredentials(), "a rank": ofRank, "one who speaks no TLS": nil,
		"a host of a job of the same name": strangers[1].start.GetHostCredentials(),
	} {
		if got, err := ask(c, p.GetDigest()); strings.Contains(got, "program ") {
			t.Errorf("%s got %d bytes, %v, want none", who, len(got), err)
		}
	}
}

func TestWhatIsFetchedIsTheProgramOrNothing(t *testing.T) {
	hosts, _ := hostsOfOneJob(t, 2)
	giver, taker := hosts[0], hosts[1]
	text := strings.Repeat("program ", 100_000)
	p := stored(t, giver.store, text)
	for what, give := range map[string]func(conn net.Conn){
		"the program":     nil, // as an agent does
		"short":           func(conn net.Conn) { io.WriteString(conn, text[1:]) },
		"long":            func(conn net.Conn) { io.WriteString(conn, text+"and more") },
		"another program": func(conn net.Conn) { io.WriteString(conn, strings.ToUpper(text)) },
		"nothing":         func(net.Conn) {},
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		k := knock.Listen(l, knock.Config{
			Job: [16]byte(giver.start.GetJob()), Key: func(knock.Knock) []byte { return giver.start.GetLinkKey() }, Room: knock.NewRoom(4),
		})
		go func() {
			c, err := k.Accept()
			if err != nil || c.Answer(knock.Accepted) != nil {
				return
			}
			if give == nil {
				giver.serve(c, giver.store, 1)
				return
			}
			defer c.Close()
			if conn, err := giver.secure(c, false, 1); err == nil {
				io.ReadFull(conn, make([]byte, sha256.Size))
				give(conn)
			}
		}()
		_, err = taker.fetchFrom(t.Context(), taker.store, p, &pb.HostAddresses{Host: 0, Addresses: []string{l.Addr().String()}})
		k.Close()
		if (err == nil) != (give == nil) {
			t.Errorf("%s: got %v, want an error: %v", what, err, give != nil)
		}
		entries, e := fs.ReadDir(taker.store.root.FS(), ".")
		if e != nil {
			t.Fatal(e)
		}
		want := 0
		if give == nil {
			want = 1
			taker.store.root.Remove(programName(p.GetDigest()))
		}
		if len(entries) != want {
			t.Errorf("%s: the store has %v, want %d entries", what, entries, want)
		}
	}
}

// A job that ends waits for nobody who gives programs.
func TestFetchingEndsWithTheJob(t *testing.T) {
	hosts, _ := hostsOfOneJob(t, 2)
	l, err := net.Listen("tcp", "127.0.0.1:0") // accepts and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := hosts[1].fetchFrom(ctx, hosts[1].store, new(pb.Program), &pb.HostAddresses{Addresses: []string{l.Addr().String()}})
		ended <- err
	}()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	cancel()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("a program came from nowhere")
		}
	case <-time.After(5 * time.Second):
		t.Error("still fetching")
	}
}
