package tcpwatch

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unsafe"
)

const head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"

// line is a connection from 10.77.0.11:5000 to 10.77.0.12:6000 with a timer of that
// kind and so many retransmissions.
func line(timer, retransmits string) string {
	local, remote := "0B004D0A:1388", "0C004D0A:1770"
	if x := uint16(1); *(*byte)(unsafe.Pointer(&x)) == 0 {
		local, remote = "0A4D000B:1388", "0A4D000C:1770" // a big-endian kernel
	}
	return "   0: " + local + " " + remote + " 01 00000040:00000000 " + timer + ":00000014 " + retransmits +
		"     0        0 4242 2 0000000000000000 20 4 30 10 -1\n"
}

func TestConnectionIsStalledFromFirstRetransmissionToNextAnswer(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tcp")
	w := New()
	w.tables = []string{file}
	all := func(Conn) bool { return true }
	want := Conn{netip.MustParseAddrPort("10.77.0.11:5000"), netip.MustParseAddrPort("10.77.0.12:6000")}
	for _, look := range []struct {
		at          time.Duration
		line        string
		stalled     bool
		since       time.Duration
		retransmits int
	}{
		{0, line("00", "00000000"), false, 0, 0},
		{1, line("01", "00000000"), false, 0, 0}, // data on the way
		{2, line("01", "00000001"), true, 2, 1},
		{5, line("01", "00000003"), true, 2, 3},
		{6, line("01", "00000001"), true, 6, 1}, // answered in between, and lost again
		{8, line("01", "00000001"), true, 6, 1},
		{9, line("04", "00000002"), false, 0, 0}, // the window is closed, which is an answer
		{10, line("01", "00000002"), true, 10, 2},
		{11, "", false, 0, 0},
	} {
		if err := os.WriteFile(file, []byte(head+look.line), 0o600); err != nil {
			t.Fatal(err)
		}
		got := w.Look(look.at, all)
		if !look.stalled {
			if len(got) != 0 {
				t.Errorf("at %d: got %v, want nothing", look.at, got)
			}
			continue
		}
		if len(got) != 1 || got[0] != (Stall{want, look.at - look.since, look.retransmits}) {
			t.Errorf("at %d: got %v, want %v for %v with %d retransmissions", look.at, got, want, look.at-look.since, look.retransmits)
		}
	}
	if got := w.Look(12, func(Conn) bool { return false }); len(got) != 0 {
		t.Errorf("no connection matches: got %v", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(line("01", "00000003"))
	f.Add("   1: 00000000000000000000000001000000:1F90 0000000000000000FFFF00000100007F:9C40 01 00000000:00000000 02:00000A 00000000 0")
	f.Fuzz(func(t *testing.T, text string) {
		c, n, ok := parse(text)
		if ok && (n < 0 || !c.Local.IsValid() || !c.Remote.IsValid() || !strings.Contains(text, ":")) {
			t.Fatalf("%q: got %v, %d", text, c, n)
		}
	})
}
