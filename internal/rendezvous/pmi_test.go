package rendezvous

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// manager is the other side of PMI for n processes.
type manager struct {
	n int
	// newest is the version it knows; picky makes it refuse others instead of
	// offering its own.
	newest int
	picky  bool

	mu     sync.Mutex
	values map[string]string
	inside int
	fences chan struct{}
}

func newManager(n, newest int) *manager {
	return &manager{n: n, newest: newest, values: make(map[string]string), fences: make(chan struct{})}
}

// socket returns rank's end of a conversation.
func (m *manager) socket(rank int) pmiConn {
	a, b := net.Pipe()
	go func() {
		defer b.Close()
		m.serve(b, bufio.NewReader(b), rank)
	}()
	return a
}

func (m *manager) serve(w io.Writer, r *bufio.Reader, rank int) {
	version := 0
	for {
		line, err := request(r, version)
		if err != nil {
			return
		}
		between := map[int]string{0: " ", 1: " ", 2: ";"}[version]
		args := make(map[string]string)
		for pair := range strings.SplitSeq(line, between) {
			k, v, _ := strings.Cut(pair, "=")
			args[k] = v
		}
		say := func(pairs ...string) {
			text := strings.Join(pairs, between)
			if version == 2 {
				fmt.Fprintf(w, "%-6d%s;", len(text)+1, text)
			} else {
				fmt.Fprintf(w, "%s\n", text)
			}
		}
		switch args["cmd"] {
		case "init":
			switch {
			case args["pmi_version"] == "2" && m.newest < 2 && m.picky:
				say("cmd=response_to_init", "rc=-1")
			case args["pmi_version"] == "2" && m.newest == 2:
				say("cmd=response_to_init", "rc=0", "pmi_version=2", "pmi_subversion=0")
				version = 2
			default:
				say("cmd=response_to_init", "rc=0", "pmi_version=1", "pmi_subversion=1")
				version = 1
			}
		case "get_my_kvsname":
			say("cmd=my_kvsname", "rc=0", "kvsname=space")
		case "fullinit":
			say("cmd=fullinit-response", "rc=0", fmt.Sprint("rank=", rank), fmt.Sprint("size=", m.n))
		case "put", "kvs-put":
			if version == 1 && args["kvsname"] != "space" {
				say("cmd=put_result", "rc=1", "msg=unknown_space")
				break
			}
			m.mu.Lock()
			m.values[args["key"]] = args["value"]
			m.mu.Unlock()
			say(map[int]string{1: "cmd=put_result", 2: "cmd=kvs-put-response"}[version], "rc=0")
		case "barrier_in", "kvs-fence":
			m.mu.Lock()
			if m.inside++; m.inside == m.n {
				close(m.fences)
			}
			m.mu.Unlock()
			<-m.fences
			say(map[int]string{1: "cmd=barrier_out", 2: "cmd=kvs-fence-response"}[version], "rc=0")
		case "get", "kvs-get":
			m.mu.Lock()
			v, ok := m.values[args["key"]]
			m.mu.Unlock()
			switch {
			case version == 2:
				say("cmd=kvs-get-response", "rc=0", "found="+map[bool]string{true: "TRUE", false: "FALSE"}[ok], "value="+v)
			case ok:
				say("cmd=get_result", "rc=0", "msg=success", "value="+v)
			default:
				say("cmd=get_result", "rc=1", "msg=key_not_found")
			}
		case "finalize":
			say(map[int]string{1: "cmd=finalize_ack", 2: "cmd=finalize-response"}[version], "rc=0")
			return
		default:
			say("cmd=what", "rc=1")
		}
	}
}

// request reads one request.
func request(r *bufio.Reader, version int) (string, error) {
	if version < 2 {
		line, err := r.ReadString('\n')
		return strings.TrimSuffix(line, "\n"), err
	}
	var n int
	head := make([]byte, 6)
	if _, err := io.ReadFull(r, head); err != nil {
		return "", err
	}
	fmt.Sscan(string(head), &n)
	body := make([]byte, n)
	_, err := io.ReadFull(r, body)
	return strings.TrimSuffix(string(body), ";"), err
}

func TestRanksGetWhatTheFirstHasPut(t *testing.T) {
	for _, c := range []struct {
		name           string
		server, client int
		picky          bool
	}{
		{"Slurm and Hydra", 2, 2, false},
		{"version 1 wanted", 2, 1, false},
		{"an older manager that says so", 1, 2, false},
		{"an older manager that refuses", 1, 2, true},
	} {
		const n = 5
		m := newManager(n, c.server)
		m.picky = c.picky
		var all sync.WaitGroup
		for r := range n {
			all.Go(func() {
				own := ""
				if r == 0 {
					own = "1/aa/bb/10.0.0.1:7"
				}
				p := &Place{Rank: r, Size: n, pmiJob: "7.0", patience: time.Minute}
				got, err := exchange(context.Background(), m.socket(r), p, c.client, own)
				if err != nil || got != "1/aa/bb/10.0.0.1:7" {
					t.Errorf("%s: rank %d: %q, %v", c.name, r, got, err)
				}
			})
		}
		all.Wait()
	}
}

// lines answers each request with the next line.
type lines struct {
	net.Conn
	next []string
	out  strings.Reader
}

func (l *lines) Write(b []byte) (int, error) {
	if len(l.next) > 0 {
		l.out.Reset(l.next[0])
		l.next = l.next[1:]
	}
	return len(b), nil
}
func (l *lines) Read(b []byte) (int, error)  { return l.out.Read(b) }
func (l *lines) SetDeadline(time.Time) error { return nil }
func (l *lines) Close() error                { return nil }

func TestWhatIsNoPMIIsNamed(t *testing.T) {
	const two = "cmd=response_to_init rc=0 pmi_version=2 pmi_subversion=0\n"
	for _, c := range []struct{ name, says, want string }{
		{"closed", "", "PMI init: the connection is closed: a process takes part once"},
		{"refused", "cmd=response_to_init rc=14\n|cmd=response_to_init rc=14\n", "PMI init: refused with code 14"},
		{"another answer", "cmd=hello\n|cmd=hello\n", `PMI init: the answer is "hello", want "response_to_init"`},
		{"endless", strings.Repeat("x", 2*maxAnswer), "an answer of more than 8192 bytes"},
		{"no length", two + "|abcdef", `an answer of "abcdef" bytes`},
		{"a length too large", two + "|99999 cmd", `an answer of "99999 " bytes`},
		{"half an answer", two + "|50    cmd=full", "PMI fullinit"},
		{"another rank", two + "|45    cmd=fullinit-response;rc=0;rank=2;size=3;xxxx", "PMI says that this is rank 2 of 3, the environment says rank 1 of 3"},
	} {
		conn := &lines{next: strings.Split(c.says, "|")}
		_, err := exchange(context.Background(), conn, &Place{Rank: 1, Size: 3, patience: time.Minute}, 2, "")
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want an error that says %q", c.name, err, c.want)
		}
	}
}

func TestWhoDoesNotComeToTheFenceIsNotWaitedForForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(2, 2)
		defer close(m.fences)
		begin := time.Now()
		_, err := exchange(context.Background(), m.socket(1), &Place{Rank: 1, Size: 2, starter: "Slurm step 7.0", patience: time.Minute}, 2, "")
		if err == nil || !strings.Contains(err.Error(), "not all of the 2 processes of Slurm step 7.0 have come to join the job within 1m0s (MUSTER_START_TIMEOUT)") || time.Since(begin) != time.Minute {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		m := newManager(2, 2)
		defer close(m.fences)
		enough := errors.New("enough")
		ctx, cancel := context.WithTimeoutCause(context.Background(), time.Second, enough)
		defer cancel()
		if _, err := exchange(ctx, m.socket(1), &Place{Rank: 1, Size: 2, patience: time.Minute}, 2, ""); !errors.Is(err, enough) {
			t.Errorf("%v, want the context's cause", err)
		}
	})
}

func FuzzAnswer(f *testing.F) {
	f.Add(2, []byte("12    cmd=x;rc=0;;"))
	f.Add(1, []byte("cmd=x rc=0\n"))
	f.Fuzz(func(t *testing.T, version int, said []byte) {
		c := &pmi{answers: bufio.NewReaderSize(strings.NewReader(string(said)), maxAnswer), version: version}
		for range 4 {
			if _, err := c.answer(); err != nil {
				return
			}
		}
	})
}
