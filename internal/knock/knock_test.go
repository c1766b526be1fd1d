package knock

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var (
	job   = [16]byte{1, 2, 3}
	key   = []byte("the key of the job, 32 bytes.....")
	legal = Knock{Job: job, From: 3, To: 5, Number: 7, Incarnation: 1 << 40}
)

func keyOf(Knock) []byte { return key }

// exchange lets both ends meet on a pipe: write on one, Read on the other, answered
// with v.
func exchange(t *testing.T, v Verdict, write func(net.Conn) error) (writeErr error, got *Caller, readErr error) {
	t.Helper()
	a, b := net.Pipe()
	var both sync.WaitGroup
	done := make(chan struct{})
	both.Go(func() { writeErr = write(a); a.Close(); close(done) })
	both.Go(func() {
		defer func() {
			if readErr == nil {
				<-done
			}
			b.Close()
		}()
		if got, readErr = Read(b, job, keyOf); readErr == nil {
			got.Answer(v)
		}
	})
	both.Wait()
	return writeErr, got, readErr
}

func TestAKnockArrivesAsItWasSaid(t *testing.T) {
	for v, want := range map[Verdict]error{Accepted: nil, Refused: ErrRefused, Superseded: ErrSuperseded} {
		err, c, readErr := exchange(t, v, func(conn net.Conn) error { return Write(conn, key, legal) })
		if readErr != nil || c.Knock != legal {
			t.Errorf("verdict %d: read %+v, %v; want %+v", v, c, readErr, legal)
		}
		if !errors.Is(err, want) || (want == nil) != (err == nil) {
			t.Errorf("verdict %d: the one who knocks gets %v, want %v", v, err, want)
		}
	}
}

func TestAnotherJobAndAnotherKeyAreNamed(t *testing.T) {
	other := legal
	other.Job = [16]byte{0xee}
	for _, c := range []struct {
		knock              Knock
		key                []byte
		atDialler, atOwner string
	}{
		{other, key, "it says that it belongs to job 0102030000", "knocks as rank 3 of job ee0000"},
		{legal, []byte("wrong"), "belongs to job 01020300000000000000000000000000 too, but has another key", "knocks as rank 3 of this job, but has another key"},
	} {
		err, _, readErr := exchange(t, Accepted, func(conn net.Conn) error { return Write(conn, c.key, c.knock) })
		if !errors.Is(err, ErrStranger) || !strings.Contains(err.Error(), c.atDialler) {
			t.Errorf("who knocks hears %v, want %q", err, c.atDialler)
		}
		var f *Foreign
		if !errors.As(readErr, &f) || !strings.Contains(f.Error(), c.atOwner) {
			t.Errorf("the owner hears %v, want %q", readErr, c.atOwner)
		}
	}
}

// recorder keeps what is written on a connection.
type recorder struct {
	net.Conn
	said bytes.Buffer
}

func (r *recorder) Write(b []byte) (int, error) {
	r.said.Write(b)
	return r.Conn.Write(b)
}

func TestARecordedKnockOpensNothing(t *testing.T) {
	r := new(recorder)
	if err, _, _ := exchange(t, Accepted, func(c net.Conn) error { r.Conn = c; return Write(r, key, legal) }); err != nil {
		t.Fatal(err)
	}
	if r.said.Len() != knockBytes {
		t.Fatalf("a knock has %d bytes, want %d", r.said.Len(), knockBytes)
	}
	_, _, err := exchange(t, Accepted, func(c net.Conn) error {
		io.ReadFull(c, make([]byte, challengeBytes))
		c.Write(r.said.Bytes())
		_, err := io.ReadFull(c, make([]byte, verdictBytes))
		return err
	})
	if f := (*Foreign)(nil); !errors.As(err, &f) {
		t.Errorf("the same bytes again: %v, want a *Foreign", err)
	}
}

func TestAnAlteredKnockOpensNothing(t *testing.T) {
	for i := range knockBytes {
		_, _, err := exchange(t, Accepted, func(c net.Conn) error {
			return Write(altered{c, i}, key, legal)
		})
		if err == nil {
			t.Errorf("a knock whose byte %d is altered is accepted", i)
		}
	}
}

// altered flips a bit of byte at of each message written.
type altered struct {
	net.Conn
	at int
}

func (a altered) Write(b []byte) (int, error) {
	b = bytes.Clone(b)
	if a.at < len(b) {
		b[a.at] ^= 0x10
	}
	return a.Conn.Write(b)
}

// The verdict must not be forged either: not by one without the key, not by flipping
// a refusal, not by sending back the dialler's own proof.
func TestAForgedVerdictIsNoVerdict(t *testing.T) {
	for what, forge := range map[string]func(challenge, knock, verdict []byte) []byte{
		"no proof":      func(_, _, v []byte) []byte { return append(v[:17:17], make([]byte, sha256.Size)...) },
		"flipped":       func(_, _, v []byte) []byte { v[0] = byte(Accepted); return v },
		"the knock's":   func(_, k, v []byte) []byte { return append(v[:17:17], k[magicBytes+fieldBytes:]...) },
		"other job":     func(_, _, v []byte) []byte { v[3] ^= 1; return v },
		"another magic": func(_, k, _ []byte) []byte { return k },
	} {
		a, b := net.Pipe()
		go func() {
			defer b.Close()
			challenge := append([]byte(challengeMagic), make([]byte, 16)...)
			b.Write(challenge)
			k := make([]byte, knockBytes)
			io.ReadFull(b, k)
			c := Caller{Conn: discard{}, Knock: legal, own: job, key: key, challenge: challenge[magicBytes:]}
			sent := new(recorder)
			sent.Conn, c.Conn = discard{}, sent
			c.Answer(Refused)
			b.Write(forge(challenge, k, sent.said.Bytes()))
		}()
		if err := Write(a, key, legal); !errors.Is(err, ErrStranger) {
			t.Errorf("%s: %v, want ErrStranger", what, err)
		}
		a.Close()
	}
}

type discard struct{ net.Conn }

func (discard) Write(b []byte) (int, error)   { return len(b), nil }
func (discard) SetDeadline(t time.Time) error { return nil }

func TestWhoSaysNothingIsLeftAfterPatience(t *testing.T) {
	for _, said := range []string{"", "mus", challengeMagic + "half"} {
		synctest.Test(t, func(t *testing.T) {
			a, b := net.Pipe()
			defer a.Close()
			defer b.Close()
			go io.WriteString(b, said)
			go io.Copy(io.Discard, b)
			begin := time.Now()
			err := Write(a, key, legal)
			if d := time.Since(begin); err == nil || d != Patience {
				t.Errorf("who dials and hears %q: %v after %v, want %v", said, err, d, Patience)
			}
		})
	}
	for _, said := range []string{"", "mus", knockMagic + "half"} {
		synctest.Test(t, func(t *testing.T) {
			a, b := net.Pipe()
			defer a.Close()
			defer b.Close()
			go io.WriteString(b, said)
			go io.Copy(io.Discard, b)
			begin := time.Now()
			_, err := Read(a, job, keyOf)
			if d := time.Since(begin); err == nil || d != Patience {
				t.Errorf("who accepts and hears %q: %v after %v, want %v", said, err, d, Patience)
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Add(append([]byte(knockMagic), make([]byte, knockBytes)...))
	f.Fuzz(func(t *testing.T, said []byte) {
		a, b := net.Pipe()
		go io.Copy(io.Discard, b)
		go func() { b.Write(said); b.Close() }()
		if c, err := Read(a, job, keyOf); err == nil {
			t.Errorf("%q is taken for %+v", said, c.Knock)
		}
		a.Close()
	})
}

// FuzzWrite has something else than a port of the job at the other end.
func FuzzWrite(f *testing.F) {
	f.Add([]byte("SSH-2.0-OpenSSH_9.2p1\r\n"))
	f.Add(append([]byte(challengeMagic), make([]byte, 16+verdictBytes)...))
	f.Add(append(append([]byte(challengeMagic), make([]byte, 16)...), append([]byte{byte(Accepted)}, job[:]...)...))
	f.Fuzz(func(t *testing.T, said []byte) {
		a, b := net.Pipe()
		go io.Copy(io.Discard, b)
		go func() { b.Write(said); b.Close() }()
		if err := Write(a, key, legal); err == nil {
			t.Errorf("%q is taken for the job's port", said)
		}
		a.Close()
	})
}

func TestDialPassesOverWhatLeadsNowhere(t *testing.T) {
	port := open(t, Config{Job: job, Key: keyOf})
	wrong := open(t, Config{Job: [16]byte{9}, Key: keyOf})
	go serve(wrong, Accepted)
	dead := tcp(t)
	dead.Close()
	mute := tcp(t)
	defer mute.Close()
	go serve(port, Accepted)
	all := []string{dead.Addr().String(), wrong.Addr().String(), mute.Addr().String(), port.Addr().String()}
	conn, err := Dial(context.Background(), all, key, legal)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got := conn.RemoteAddr().String(); got != all[3] {
		t.Errorf("connected to %s, want %s", got, all[3])
	}
	if _, err := Dial(context.Background(), all[:2], key, legal); err == nil ||
		!strings.Contains(err.Error(), all[0]) || !strings.Contains(err.Error(), all[1]+": what answered is not of this job") {
		t.Errorf("where no address leads to the job: %v; want both addresses named", err)
	}
}

func TestDialHearsThatItIsSuperseded(t *testing.T) {
	port := open(t, Config{Job: job, Key: keyOf})
	go serve(port, Superseded)
	if _, err := Dial(context.Background(), []string{port.Addr().String()}, key, legal); !errors.Is(err, ErrSuperseded) {
		t.Errorf("%v, want ErrSuperseded", err)
	}
}

func TestDialEndsWithItsContext(t *testing.T) {
	mute := tcp(t)
	defer mute.Close()
	ctx, cancel := context.WithTimeoutCause(context.Background(), 20*time.Millisecond, errors.New("enough"))
	defer cancel()
	begin := time.Now()
	if _, err := Dial(ctx, []string{mute.Addr().String()}, key, legal); err == nil || time.Since(begin) > Patience/2 {
		t.Errorf("%v after %v", err, time.Since(begin))
	}
}
