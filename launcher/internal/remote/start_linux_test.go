package remote

import (
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"github.com/muster-mpi/muster/launcher/internal/agent"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "agent" {
		os.Exit(agent.Main(os.Args[2:]...))
	}
	os.Exit(m.Run())
}

// local is a remote shell whose every host is this one, with an environment of its own
// and a login shell. What is said in its place comes first.
func local(env []string, login string) Shell {
	argv := append([]string{"env"}, env...)
	return Custom(append(argv, "sh", "-c", login, "{host}"))
}

const plainLogin = `exec sh -c "$1"`

func start(t *testing.T, o Options) (*Session, error) {
	t.Helper()
	s, err := Start(t.Context(), o)
	if err != nil {
		var e *Error
		if !errors.As(err, &e) || e.Host != o.Host {
			t.Errorf("error %v is no *Error of host %s", err, o.Host)
		}
		return nil, err
	}
	t.Cleanup(s.Kill)
	return s, nil
}

// serves checks that an agent's gRPC answers at the other end.
func serves(t *testing.T, s *Session) {
	t.Helper()
	s.Conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := s.Conn.Write([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")); err != nil {
		t.Fatalf("writing to the agent: %v", err)
	}
	var frame [9]byte
	if _, err := io.ReadFull(s.Conn, frame[:]); err != nil {
		t.Fatalf("reading from the agent: %v (%s)", err, s.DeathText())
	}
	if frame[3] != 4 {
		t.Fatalf("the agent's first frame is %x, expected SETTINGS", frame)
	}
	s.Conn.SetDeadline(time.Time{})
}

func TestAgentIsStagedOnce(t *testing.T) {
	cache := t.TempDir()
	for _, cached := range []bool{false, true} {
		s, err := start(t, Options{Host: "a", Shell: local([]string{"XDG_CACHE_HOME=" + cache}, plainLogin)})
		if err != nil {
			t.Fatal(err)
		}
		serves(t, s)
		if s.Info.Cached != cached {
			t.Errorf("cached is %v, want %v", s.Info.Cached, cached)
		}
		t.Logf("%+v %v", s.Info, s.Timing)
		s.Close()
		t.Log(s.DeathText())
	}
}
