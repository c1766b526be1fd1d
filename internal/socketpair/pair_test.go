package socketpair

import (
	"errors"
	"io"
	"net"
	"testing"
)

func TestEndsAreConnected(t *testing.T) {
	for name, pair := range map[string]func() (net.Conn, net.Conn, error){"unix": Unix, "tcp": TCP} {
		a, b, err := pair()
		if errors.Is(err, errors.ErrUnsupported) {
			t.Logf("%s: %v", name, err)
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		for _, ends := range [][2]net.Conn{{a, b}, {b, a}} {
			if _, err := ends[0].Write([]byte("hello")); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, 5)
			if _, err := io.ReadFull(ends[1], got); err != nil || string(got) != "hello" {
				t.Errorf("%s: got %q, %v", name, got, err)
			}
		}
		a.Close()
		if n, err := b.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("%s: read %d, %v from a closed connection, want EOF", name, n, err)
		}
		b.Close()
	}
}
