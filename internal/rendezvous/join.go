package rendezvous

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/muster-mpi/muster/internal/authority"
	"github.com/muster-mpi/muster/internal/knock"
	"github.com/muster-mpi/muster/internal/queue"
	pb "github.com/muster-mpi/muster/proto"
)

// protocolName is what TLS connections to rank 0 are for.
const protocolName = "muster/1"

// lifetime is how long certificates are valid: longer than a job runs. The key that
// signs them exists until all ranks have joined.
const lifetime = 366 * 24 * time.Hour

// Join joins the job in which the process has place p, and returns when all its ranks
// have. hello is what this process says of itself; the Welcome is as an agent's.
func Join(ctx context.Context, p *Place, hello *pb.Hello) (*Conn, *pb.Welcome, error) {
	j := &joining{Place: p, hello: hello, network: machine, newest: 2, stranger: strangerFor, say: func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, "muster: "+format+"\n", args...)
	}}
	if p.pmiFD != 0 {
		var err error
		if j.pmi, err = inheritedSocket(p.pmiFD); err != nil {
			return nil, nil, fmt.Errorf("PMI_FD=%d: %w", p.pmiFD, err)
		}
	}
	return j.join(ctx)
}

// joining is one process's way into its job. Tests make their own.
type joining struct {
	*Place
	hello   *pb.Hello
	network network
	pmi     pmiConn // nil: there is none
	newest  int     // version of PMI
	say     func(format string, args ...any)

	// How long another job in the place of rank 0 is borne with, if PMI has not said
	// where that is.
	stranger time.Duration
}

func (j *joining) join(ctx context.Context) (*Conn, *pb.Welcome, error) {
	if j.Rank == 0 {
		return j.first(ctx)
	}
	return j.other(ctx)
}

// entry is what this process says of itself. It is reached at addresses.
func (j *joining) entry(s secret, addresses []string) (*pb.Entry, error) {
	public, err := x509.MarshalPKIXPublicKey(&s.key.PublicKey)
	if err != nil {
		return nil, err
	}
	incarnation := make([]byte, 4)
	rand.Read(incarnation)
	e := &pb.Entry{
		Rank: int32(j.Rank), Size: int32(j.Size), Hello: j.hello, Host: j.host, Domain: j.domain,
		Addresses: addresses, PublicKey: public, Cpus: usableCores(),
	}
	for _, b := range incarnation {
		e.Incarnation = e.Incarnation<<8 | uint64(b)
	}
	e.Incarnation |= 1 // none is 0
	if !validHost(e.Host) {
		return nil, fmt.Errorf("this host's name is %q, want letters, digits, dots and dashes", e.Host)
	}
	return e, nil
}

// first is rank 0's way: it makes the job and waits for the others.
func (j *joining) first(ctx context.Context) (*Conn, *pb.Welcome, error) {
	token := make([]byte, tokenBytes)
	rand.Read(token)
	var wanted uint16
	if j.pmi == nil {
		var err error
		if token, err = readToken(j.tokenFile); err != nil {
			return nil, nil, err
		}
		if _, wanted, err = splitAddress(j.rendezvous); err != nil {
			return nil, nil, err
		}
	}
	s, err := newSecret(token, j.run)
	if err != nil {
		return nil, nil, err
	}
	own, err := j.network.addresses(ctx, j.Place)
	if err != nil {
		return nil, nil, err
	}
	listeners, err := listen(own, wanted)
	if err != nil {
		return nil, nil, err
	}
	c := &coordinator{
		place: j.Place, secret: s, linkKey: make([]byte, 32), start: time.Now(), own: queue.New[item](), say: j.say,
		full: make(chan struct{}), over: gate{ch: make(chan struct{})},
		told: gate{ch: make(chan struct{})}, seats: make([]seat, j.Size), release: protect(),
	}
	rand.Read(c.linkKey)
	conn := &Conn{in: c.own, coordinator: c}
	fail := func(err error) (*Conn, *pb.Welcome, error) {
		c.fail(exitLost, "rank 0 cannot join: %v", err)
		c.release()
		if conn.port != nil {
			conn.Close()
		} else {
			for _, l := range listeners {
				l.Close()
			}
		}
		return nil, nil, err
	}
	if wanted != 0 {
		for _, l := range listeners {
			if got := l.Addr().(*net.TCPAddr).Port; got != int(wanted) {
				return fail(fmt.Errorf("port %d, which %s names, is taken on %s", wanted, EnvRendezvous, j.host))
			}
		}
	}
	if c.authority, err = authority.New(hex.EncodeToString(s.job[:]), lifetime); err != nil {
		return fail(err)
	}
	if c.seats[0].certificate, err = c.authority.Certify(0, &s.key.PublicKey); err != nil {
		return fail(err)
	}
	if c.seats[0].entry, err = j.entry(s, listening(listeners)); err != nil {
		return fail(err)
	}
	c.seats[0].phase = joined
	c.joined = 1
	conn.port = openPort(listeners, s.job, s.knockKey(), c.admit, func(f *knock.Foreign) { c.turnAway("%v", f) })
	if j.pmi != nil {
		fingerprint := sha256.Sum256(c.authority.DER())
		i := invitation{token: token, fingerprint: fingerprint[:], addresses: listening(listeners)}
		if _, err := exchange(ctx, j.pmi, j.Place, j.newest, i.text()); err != nil {
			return fail(err)
		}
	}
	if err := c.await(ctx); err != nil {
		c.lastWord(ctx)
		conn.Close()
		c.release()
		return nil, nil, err
	}
	it, err := c.own.Next()
	if err != nil || it.admission == nil {
		return fail(fmt.Errorf("the job has ended before it began: %w", err))
	}
	w, err := conn.begin(j.Place, s, it.admission)
	if err != nil {
		return fail(err)
	}
	return conn, w, nil
}

// lastWord waits for those who are about to join, so that they hear why they cannot.
func (c *coordinator) lastWord(ctx context.Context) {
	late := time.NewTimer(flushTime)
	defer late.Stop()
	select {
	case <-c.told.ch:
	case <-late.C:
	case <-ctx.Done():
	}
}

// close ends the coordinator, after a while if rank 0 has left and others have not.
func (c *coordinator) close() {
	c.mu.Lock()
	wait := c.seats[0].phase == left && c.ended == nil
	c.mu.Unlock()
	if wait {
		late := time.NewTimer(closeTime)
		defer late.Stop()
		select {
		case <-c.over.ch:
		case <-late.C:
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for r := range c.seats {
		if m := c.seats[r].member; m != nil {
			m.out.Close(io.EOF)
			m.conn.Close()
		}
	}
}

// other is the way of all but rank 0.
func (j *joining) other(ctx context.Context) (*Conn, *pb.Welcome, error) {
	i, err := j.invited(ctx)
	if err != nil {
		return nil, nil, err
	}
	s, err := newSecret(i.token, j.run)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	raw, err := j.reach(ctx, i, s)
	if err != nil {
		return nil, nil, fmt.Errorf("rank %d of %d cannot reach rank 0: %w", j.Rank, j.Size, err)
	}
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	c, w, err := j.converse(raw, i, s)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		raw.Close()
		if c != nil && c.port != nil {
			c.port.close()
		}
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, nil, err
	}
	return c, w, nil
}

// invited returns how rank 0 is reached.
func (j *joining) invited(ctx context.Context) (invitation, error) {
	if j.pmi != nil {
		text, err := exchange(ctx, j.pmi, j.Place, j.newest, "")
		if err != nil {
			return invitation{}, err
		}
		return parseInvitation(text)
	}
	token, err := readToken(j.tokenFile)
	return invitation{token: token, addresses: []string{j.rendezvous}}, err
}

// How long ranks try to reach rank 0: where it is known to be there, and where they
// meet another job in its place. The first try is short, since rank 0 may be about to
// open its port while another address of its name leads nowhere.
const (
	reachFor    = 10 * time.Second
	strangerFor = 20 * time.Second
	reachTry    = 250 * time.Millisecond
	reachPause  = time.Second
)

// reach connects to rank 0. Where PMI has said where it is, it is there; else it may be
// about to start, and its name may still stand for another pod.
func (j *joining) reach(ctx context.Context, i invitation, s secret) (net.Conn, error) {
	limit, stranger := j.patience, min(j.patience, j.stranger)
	if j.pmi != nil {
		limit, stranger = min(j.patience, reachFor), 0
	}
	k := knock.Knock{Job: s.job, From: uint32(j.Rank), Number: joinNumber}
	begin := time.Now()
	limitOfTry := reachTry
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, reachPause) {
		conn, err := j.try(ctx, limitOfTry, i, s, k)
		limitOfTry = min(2*limitOfTry, knock.Patience)
		if err == nil {
			return conn, nil
		}
		past := time.Since(begin)
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case errors.Is(err, knock.ErrStranger) && past >= stranger:
			return nil, fmt.Errorf("%w (a job's number comes from its token: is this process's token another one?)", err)
		case past >= limit:
			return nil, fmt.Errorf("%w; tried for %v", err, past.Round(time.Second))
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// try connects to rank 0 once, over all its addresses.
func (j *joining) try(ctx context.Context, limit time.Duration, i invitation, s secret, k knock.Knock) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var all []string
	for _, a := range i.addresses {
		host, port, err := splitAddress(a)
		if err != nil {
			return nil, err
		}
		if _, err := netip.ParseAddr(host); err == nil {
			all = append(all, a)
			continue
		}
		list, err := j.network.resolve(ctx, host)
		if err != nil {
			return nil, err
		}
		for _, ip := range list {
			all = append(all, netip.AddrPortFrom(ip.Unmap(), port).String())
		}
	}
	return knock.Dial(ctx, all, s.knockKey(), k)
}

// converse joins over a connection to rank 0.
func (j *joining) converse(raw net.Conn, i invitation, s secret) (*Conn, *pb.Welcome, error) {
	if err := asTCP(raw, watch); err != nil {
		return nil, nil, err
	}
	raw.SetDeadline(time.Now().Add(handshakeTime))
	conn, signer, err := secured(raw, i, s)
	if err != nil {
		return nil, nil, fmt.Errorf("joining at rank 0 (%v): %w", raw.RemoteAddr(), err)
	}
	here := raw.LocalAddr().(*net.TCPAddr).AddrPort().Addr()
	var wanted uint16
	if j.pmi == nil {
		_, wanted, _ = splitAddress(j.rendezvous) // the one port that a policy has to permit
	}
	listeners, err := listen([]netip.Addr{here}, wanted)
	if err != nil {
		return nil, nil, err
	}
	e, err := j.entry(s, listening(listeners))
	if err != nil {
		listeners[0].Close()
		return nil, nil, err
	}
	c := &Conn{in: queue.New[item](), conn: conn}
	c.port = openPort(listeners, s.job, nil, nil, nil)
	e.Proof = s.proof(conn.ConnectionState(), proofOfEntry)
	if err := write(conn, e); err != nil {
		return c, nil, fmt.Errorf("joining at rank 0 (%v): %w", raw.RemoteAddr(), err)
	}
	raw.SetDeadline(time.Time{}) // rank 0 limits the time that joining takes
	var m pb.ToMember
	if err := read(conn, &m, memberBytes); err != nil {
		return c, nil, fmt.Errorf("waiting for the other ranks to join: rank 0 %s", fate(err))
	}
	switch k := m.GetKind().(type) {
	case *pb.ToMember_Refused:
		return c, nil, fmt.Errorf("refused: %s", k.Refused.GetReason())
	case *pb.ToMember_End:
		return c, nil, fmt.Errorf("the job has ended before all ranks have joined: %w", &Ended{Code: int(k.End.GetCode()), Text: k.End.GetText()})
	case *pb.ToMember_Admission:
		if !bytes.Equal(k.Admission.GetWelcome().GetCredentials().GetAuthority(), signer.Raw) {
			return c, nil, errors.New("rank 0's authority is not the one that it has shown before")
		}
		w, err := c.begin(j.Place, s, k.Admission)
		if err != nil {
			return c, nil, err
		}
		go c.follow(k.Admission.GetMembers()[0], spokesman(w))
		return c, w, nil
	}
	return c, nil, fmt.Errorf("%w: rank 0 answered %T", errMessage, m.GetKind())
}

// secured makes raw, which leads to rank 0, safe: when it returns, the other end has
// shown the certificate of rank 0 of this job, by an authority that is the one
// announced if one was, and has proven that it holds the token.
func secured(raw net.Conn, i invitation, s secret) (*tls.Conn, *x509.Certificate, error) {
	var signer *x509.Certificate
	conn := tls.Client(raw, &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{protocolName},
		// The standard check asks for a host name; this one asks for rank 0.
		InsecureSkipVerify: true,
		VerifyConnection: func(state tls.ConnectionState) (err error) {
			signer, err = verifyFirst(state, i.fingerprint, s.job)
			return err
		},
	})
	if err := conn.Handshake(); err != nil {
		return nil, nil, err
	}
	var p pb.Proof
	if err := read(conn, &p, strangerBytes); err != nil {
		return nil, nil, err
	}
	if !hmac.Equal(p.GetMac(), s.proof(conn.ConnectionState(), proofOfFirst).GetMac()) {
		return nil, nil, errors.New("what answers does not hold the job's token")
	}
	return conn, signer, nil
}

// verifyFirst checks the certificate of rank 0 and returns its authority's.
func verifyFirst(state tls.ConnectionState, fingerprint []byte, job [16]byte) (*x509.Certificate, error) {
	if state.NegotiatedProtocol != protocolName {
		return nil, fmt.Errorf("it speaks %q, want %q", state.NegotiatedProtocol, protocolName)
	}
	if len(state.PeerCertificates) != 2 {
		return nil, fmt.Errorf("it shows %d certificates, want its own and its authority's", len(state.PeerCertificates))
	}
	leaf, signer := state.PeerCertificates[0], state.PeerCertificates[1]
	if sum := sha256.Sum256(signer.Raw); fingerprint != nil && !bytes.Equal(sum[:], fingerprint) {
		return nil, fmt.Errorf("its authority is %x, rank 0 has announced %x", sum[:8], fingerprint[:8])
	}
	pool := x509.NewCertPool()
	pool.AddCert(signer)
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}); err != nil {
		return nil, err
	}
	want := fmt.Sprintf("muster://%x/0", job)
	if len(leaf.URIs) != 1 || leaf.URIs[0].String() != want {
		return nil, fmt.Errorf("its certificate names %v, want %s", leaf.URIs, want)
	}
	return signer, nil
}
