package stream

import (
	"crypto/tls"
	"fmt"
	"runtime"
	"time"
)

// Config says who this process is, how it gets connections, and how much memory
// and time links may use. Zero tunables mean the defaults named beside them.
// Both ends of a link may differ in every tunable.
type Config struct {
	Self, Size  int
	Job         [16]byte
	Incarnation uint64

	// Connect asks whoever hands out connections for one more to peer. It comes
	// as Attach, on both sides, at any later time. Connect may block; an error
	// counts as one failed try.
	Connect func(peer int) error

	// TLS returns the configuration for a connection to peer; nil means plain
	// connections. Certificates, RootCAs, ClientCAs and Time are read from it; that
	// both sides show a certificate for Identity(Job, rank) is seen to here.
	TLS func(peer int, client bool) *tls.Config

	// AfterFunc is the clock; nil means time.AfterFunc.
	AfterFunc func(d time.Duration, f func()) (stop func() bool)

	Copy   int // payloads up to this many bytes are copied by Send and packed, longer ones are Held: 16 KiB
	Packet int // most payload of one packet, at most 1 MiB: 256 KiB
	Window int // bytes sent to a peer and not yet acknowledged: 2 MiB
	Queue  int // bytes taken for a peer and not yet sent: 1 MiB
	Buffer int // most that one system call reads or writes: 256 KiB

	// Spin is how long a reader looks for more before it sleeps: DefaultSpin if the
	// job's ranks are no more than the cores this process may use; else, and if
	// negative, not at all.
	Spin time.Duration

	AckDelay     time.Duration // how long an acknowledgement may wait for a packet to travel on: 20 ms
	Tries        int           // connections asked for in a row without progress before a peer is lost: 5
	Backoff      time.Duration // pause before asking again, doubled each time: 25 ms
	Timeout      time.Duration // for a connection to arrive, and again for its handshake: 10 s
	CloseTimeout time.Duration // for Close to write what was taken: 10 s
}

// DefaultSpin is what Config.Spin is where each rank can have a core.
const DefaultSpin = 100 * time.Microsecond

// Identity is the URI that the certificate of a rank must carry as subject
// alternative name.
func Identity(job [16]byte, rank int) string { return fmt.Sprintf("muster://%x/%d", job, rank) }

func (c Config) withDefaults() Config {
	setInt := func(p *int, v int) {
		if *p <= 0 {
			*p = v
		}
	}
	setTime := func(p *time.Duration, v time.Duration) {
		if *p <= 0 {
			*p = v
		}
	}
	setInt(&c.Copy, 16<<10)
	setInt(&c.Packet, 256<<10)
	c.Packet = min(c.Packet, 1<<20)
	c.Copy = min(c.Copy, c.Packet)
	setInt(&c.Window, 2<<20)
	setInt(&c.Queue, 1<<20)
	setInt(&c.Buffer, 256<<10)
	setInt(&c.Tries, 5)
	setTime(&c.AckDelay, 20*time.Millisecond)
	setTime(&c.Backoff, 25*time.Millisecond)
	setTime(&c.Timeout, 10*time.Second)
	setTime(&c.CloseTimeout, 10*time.Second)
	switch {
	case c.Spin < 0 || c.Spin == 0 && c.Size > runtime.NumCPU():
		c.Spin = 0
	case c.Spin == 0:
		c.Spin = DefaultSpin
	}
	if c.AfterFunc == nil {
		c.AfterFunc = func(d time.Duration, f func()) func() bool { return time.AfterFunc(d, f).Stop }
	}
	return c
}
