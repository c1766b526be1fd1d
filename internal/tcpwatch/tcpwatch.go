// Package tcpwatch tells which TCP connections of this machine wait in vain for the
// other end's kernel to acknowledge what was sent.
//
// That is the one sign by which a peer that is cut off can be told from a peer that
// computes, or is stopped: the kernel of the latter acknowledges all the same. It is
// read where Linux shows it to everyone, in /proc/net/tcp, so that no descriptor of
// the connection is needed.
package tcpwatch

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"
)

// Conn names a connection by its ends.
type Conn struct {
	Local, Remote netip.AddrPort
}

// Stall is a connection whose data is not acknowledged.
type Stall struct {
	Conn
	For         time.Duration // since it was first seen to wait, at least
	Retransmits int           // of the oldest data, none answered
}

// Watch remembers what it saw at earlier looks. It is for one goroutine.
type Watch struct {
	tables []string // files to read; tests have their own
	since  map[Conn]sighting
}

type sighting struct {
	first       time.Duration
	retransmits int
}

// New returns a Watch over the connections of this process's network namespace.
func New() *Watch {
	return &Watch{tables: []string{"/proc/net/tcp", "/proc/net/tcp6"}, since: make(map[Conn]sighting)}
}

// Look returns those of the connections that match accepts which wait in vain now,
// and have done so since the look that first saw it. now is any clock that never goes
// back. A connection that got an answer between two looks, however lossy its road,
// begins anew.
func (w *Watch) Look(now time.Duration, match func(Conn) bool) []Stall {
	waiting := make(map[Conn]sighting)
	var stalls []Stall
	for _, name := range w.tables {
		data, err := os.ReadFile(name)
		if err != nil {
			continue // no IPv6, or no /proc: then nothing is known
		}
		for line := range strings.Lines(string(data)) {
			c, retransmits, ok := parse(line)
			if !ok || retransmits == 0 || !match(c) {
				continue
			}
			s, seen := w.since[c]
			if !seen || retransmits < s.retransmits {
				s.first = now
			}
			s.retransmits = retransmits
			waiting[c] = s
			stalls = append(stalls, Stall{Conn: c, For: now - s.first, Retransmits: retransmits})
		}
	}
	w.since = waiting
	return stalls
}

const (
	stateEstablished = 0x01
	timerRetransmit  = 1
)

// parse reads a line of /proc/net/tcp. retransmits is how often the oldest data was
// sent again since the last acknowledgement.
func parse(line string) (c Conn, retransmits int, ok bool) {
	f := strings.Fields(line)
	if len(f) < 7 || !strings.HasSuffix(f[0], ":") {
		return c, 0, false
	}
	var err error
	if c.Local, err = parseAddress(f[1]); err != nil {
		return c, 0, false
	}
	if c.Remote, err = parseAddress(f[2]); err != nil {
		return c, 0, false
	}
	state, err := strconv.ParseUint(f[3], 16, 8)
	if err != nil || state != stateEstablished {
		return c, 0, false
	}
	timer, _, _ := strings.Cut(f[5], ":")
	n, err := strconv.ParseUint(f[6], 16, 32)
	if err != nil {
		return c, 0, false
	}
	// Another timer runs when the peer has closed its window: it answers, then.
	if t, err := strconv.ParseUint(timer, 16, 8); err != nil || t != timerRetransmit {
		n = 0
	}
	return c, int(n), true
}

// parseAddress reads an address as the kernel prints it: words of the machine's byte
// order, in hexadecimal.
func parseAddress(s string) (netip.AddrPort, error) {
	host, port, _ := strings.Cut(s, ":")
	n, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return netip.AddrPort{}, err
	}
	if len(host) != 8 && len(host) != 32 {
		return netip.AddrPort{}, fmt.Errorf("address of %d digits", len(host))
	}
	b := make([]byte, 0, 16)
	for i := 0; i < len(host); i += 8 {
		word, err := strconv.ParseUint(host[i:i+8], 16, 32)
		if err != nil {
			return netip.AddrPort{}, err
		}
		b = binary.NativeEndian.AppendUint32(b, uint32(word))
	}
	a, _ := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(a.Unmap(), uint16(n)), nil
}
