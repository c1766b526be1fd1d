// Package knock is how a connection to a port of a job proves that it comes from
// the job, before anything is spent on it.
//
// The one who accepts says a challenge of random bytes. The one who dials answers
// with a Knock, which says between which ranks the connection is to be, or which host
// wants the agent of another, and proves
// by a keyed hash over challenge and Knock that it holds the job's key. The one who
// accepts answers with a verdict and proves the same. Each message has a fixed
// length, the first bytes of each say that it is one, and all must be over within
// Patience: so junk costs a few hundred bytes for at most that long, and a Listener
// bounds how many there are at once.
//
// A recorded knock is of no use, since the challenge is another each time; a legal
// one that is late is told from the current by its Number. What a knock does not do
// is protect what follows: someone between the two ends may pass it on and then speak
// himself. Links do TLS on the connection for that.
package knock

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// Patience is how long each end waits for the other in all.
const Patience = 3 * time.Second

// Knock is what a connection is for.
type Knock struct {
	Job         [16]byte
	From, To    uint32 // ranks; if To is ToAgent, From is a host
	Number      uint32 // of the pair's connections: lower than one already accepted is late
	Incarnation uint64 // of rank From's process; 0 of a host
}

// ToAgent is the To of a knock that is for no rank but for the agent.
const ToAgent = 1<<32 - 1

// Verdict is the answer to a knock.
type Verdict byte

const (
	// Accepted: the connection is the one asked for.
	Accepted Verdict = 1 + iota
	// Refused: no such connection is wanted here, now or later.
	Refused
	// Superseded: the two ranks have, or are about to have, another connection of
	// this number or a later one.
	Superseded
)

// Errors of the one who dials, inside what Write and Dial return.
var (
	ErrRefused    = errors.New("refused")
	ErrSuperseded = errors.New("superseded by another connection of the two")
	// ErrStranger: what answered does not hold the key, or speaks something else.
	ErrStranger = errors.New("what answered is not of this job")

	// errClosed: it may have been closed to make room; Dial tries again.
	errClosed = errors.New("the connection was closed during the handshake")
)

// The messages. Both ends check the first bytes before they wait for more.
//
//	challenge  "muster?1" random[16]
//	knock      "muster!1" job[16] from[4] to[4] number[4] incarnation[8] proof[32]
//	verdict    verdict[1] job[16] proof[32]
const (
	magicBytes     = 8
	challengeMagic = "muster?1"
	knockMagic     = "muster!1"

	challengeBytes = magicBytes + 16
	fieldBytes     = 16 + 4 + 4 + 4 + 8
	knockBytes     = magicBytes + fieldBytes + sha256.Size
	verdictBytes   = 1 + 16 + sha256.Size
)

// fields encodes k.
func (k Knock) fields() []byte {
	b := make([]byte, 0, fieldBytes)
	b = append(b, k.Job[:]...)
	b = binary.LittleEndian.AppendUint32(b, k.From)
	b = binary.LittleEndian.AppendUint32(b, k.To)
	b = binary.LittleEndian.AppendUint32(b, k.Number)
	return binary.LittleEndian.AppendUint64(b, k.Incarnation)
}

func parse(b []byte) (k Knock) {
	copy(k.Job[:], b)
	k.From = binary.LittleEndian.Uint32(b[16:])
	k.To = binary.LittleEndian.Uint32(b[20:])
	k.Number = binary.LittleEndian.Uint32(b[24:])
	k.Incarnation = binary.LittleEndian.Uint64(b[28:])
	return k
}

// proof is the keyed hash over parts of fixed lengths. what keeps a proof of one
// end from being one of the other.
func proof(key []byte, what string, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	io.WriteString(h, what)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

const (
	whatKnock   = "muster knock 1\n"
	whatVerdict = "muster verdict 1\n"
)

// Write knocks on conn, which was just dialled, and waits for the verdict. When it
// returns nil the one who accepted holds the key and has accepted k; conn has no
// deadline then. The error wraps ErrRefused, ErrSuperseded or ErrStranger where one
// of these is the cause. It never closes conn.
func Write(conn net.Conn, key []byte, k Knock) error {
	if err := conn.SetDeadline(time.Now().Add(Patience)); err != nil {
		return err
	}
	challenge := make([]byte, challengeBytes)
	if err := expect(conn, challenge, challengeMagic); err != nil {
		return err
	}
	fields := k.fields()
	message := append([]byte(knockMagic), fields...)
	message = append(message, proof(key, whatKnock, challenge[magicBytes:], fields)...)
	if _, err := conn.Write(message); err != nil {
		return closed(err)
	}
	var answer [verdictBytes]byte
	if _, err := io.ReadFull(conn, answer[:]); err != nil {
		return closed(err)
	}
	job := answer[1:17]
	if !hmac.Equal(answer[17:], proof(key, whatVerdict, challenge[magicBytes:], fields, answer[:17])) {
		if [16]byte(job) != k.Job {
			return fmt.Errorf("%w: it says that it belongs to job %x, this is job %x", ErrStranger, job, k.Job)
		}
		return fmt.Errorf("%w: it belongs to job %x too, but has another key", ErrStranger, job)
	}
	switch v := Verdict(answer[0]); v {
	case Accepted:
		return conn.SetDeadline(time.Time{})
	case Refused:
		return fmt.Errorf("%w: no connection from rank %d to rank %d is wanted there", ErrRefused, k.From, k.To)
	case Superseded:
		return ErrSuperseded
	default:
		return fmt.Errorf("verdict %d is none", v)
	}
}

// expect fills b, which must begin with magic, and looks at those bytes first.
func expect(conn net.Conn, b []byte, magic string) error {
	n, err := io.ReadFull(conn, b[:len(magic)])
	if string(b[:n]) != magic[:n] {
		return fmt.Errorf("%w: it begins with %q", ErrStranger, b[:n])
	}
	if err == nil {
		_, err = io.ReadFull(conn, b[len(magic):])
	}
	return closed(err)
}

// closed tells the end of a connection from other errors.
func closed(err error) error {
	var timeout net.Error
	if err == nil || errors.As(err, &timeout) && timeout.Timeout() {
		return err
	}
	return fmt.Errorf("%w: %w", errClosed, err)
}

// Caller is a connection whose knock is proven and not yet answered.
type Caller struct {
	net.Conn
	Knock Knock

	own       [16]byte
	key       []byte
	challenge []byte
}

// Foreign is the error of Read for a well-formed knock that proves nothing: of
// another job, or with another key.
type Foreign struct {
	Knock Knock // as claimed
	Own   [16]byte
	From  net.Addr
}

func (f *Foreign) Error() string {
	if f.Knock.Job != f.Own {
		return fmt.Sprintf("%v knocks as rank %d of job %x, this is job %x", f.From, f.Knock.From, f.Knock.Job, f.Own)
	}
	return fmt.Sprintf("%v knocks as rank %d of this job, but has another key", f.From, f.Knock.From)
}

// Read hears the knock on conn, which was just accepted, at a port of job. keyOf
// returns the key for a knock that nobody has proven yet, or nil where there is
// none. The one who knocks has Patience from now until the owner's Answer; a knock
// that is well formed and not proven is told so, everything else is left for the
// caller to close. It never closes conn.
func Read(conn net.Conn, job [16]byte, keyOf func(Knock) []byte) (*Caller, error) {
	if err := conn.SetDeadline(time.Now().Add(Patience)); err != nil {
		return nil, err
	}
	challenge := make([]byte, challengeBytes)
	rand.Read(challenge[copy(challenge, challengeMagic):])
	if _, err := conn.Write(challenge); err != nil {
		return nil, err
	}
	var message [knockBytes]byte
	if err := expect(conn, message[:], knockMagic); err != nil {
		return nil, err
	}
	fields := message[magicBytes : magicBytes+fieldBytes]
	c := &Caller{Conn: conn, Knock: parse(fields), own: job, challenge: challenge[magicBytes:]}
	if c.Knock.Job == job {
		c.key = keyOf(c.Knock)
	}
	if c.key == nil || !hmac.Equal(message[magicBytes+fieldBytes:], proof(c.key, whatKnock, c.challenge, fields)) {
		c.key = make([]byte, sha256.Size)
		rand.Read(c.key) // so the answer proves nothing to a stranger
		c.Answer(Refused)
		return nil, &Foreign{Knock: c.Knock, Own: job, From: conn.RemoteAddr()}
	}
	return c, nil
}

// Answer tells the one who knocked. After Accepted the connection has no deadline
// any more and is the owner's; otherwise the owner closes it.
func (c *Caller) Answer(v Verdict) error {
	answer := append([]byte{byte(v)}, c.own[:]...)
	answer = append(answer, proof(c.key, whatVerdict, c.challenge, c.Knock.fields(), answer)...)
	if _, err := c.Conn.Write(answer); err != nil {
		return err
	}
	if v != Accepted {
		return nil
	}
	return c.Conn.SetDeadline(time.Time{})
}
