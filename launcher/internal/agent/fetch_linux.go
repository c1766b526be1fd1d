package agent

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/muster-mpi/muster/internal/authority"
	"github.com/muster-mpi/muster/internal/knock"
	streams "github.com/muster-mpi/muster/internal/transport/stream"
	pb "github.com/muster-mpi/muster/proto"
)

// A program goes from the launcher to a few hosts, and from those that have it to the
// others, which the launcher tells where to fetch it: its line carries it a few times
// however many hosts there are. The host that fetches knocks at the other's port, both
// show the certificates of their agents, the one names a digest, and the other writes
// what it has in its store under that. What comes is taken for the program only if it has
// its digest, so the other host is trusted with nothing; if it does not come, the launcher
// sends it.

// toAgent in a knock is no rank but the agent; the knock is from a host then.
const toAgent = 1<<32 - 1

// mostGuests is how many hosts an agent gives programs to at once.
const mostGuests = 16

// fetchBytes is how much of a program goes through memory at a time.
const fetchBytes = 256 << 10

// fetched is a program that another host was to give. path is "" if it did not come:
// then the launcher sends it, so it does not matter why.
type fetched struct {
	program *pb.Program
	path    string
}

// fetch gets p from another host, and delivers what has come of it.
func (h *host) fetch(ctx context.Context, s *store, p *pb.Program, from *pb.HostAddresses) {
	path, err := h.fetchFrom(ctx, s, p, from)
	if err != nil {
		path = ""
	}
	h.deliveries.Put(delivery{fetched: &fetched{p, path}})
}

func (h *host) fetchFrom(ctx context.Context, s *store, p *pb.Program, from *pb.HostAddresses) (path string, err error) {
	conn, err := h.visit(ctx, from)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	conn.SetDeadline(time.Now().Add(h.silence()))
	if _, err := conn.Write(p.GetDigest()); err != nil {
		return "", err
	}
	in, err := s.begin(p)
	if err != nil {
		return "", err
	}
	piece := make([]byte, fetchBytes)
	for in.bytes < p.GetBytes() {
		conn.SetReadDeadline(time.Now().Add(h.silence()))
		n, err := conn.Read(piece)
		if e := in.write(piece[:n]); e != nil {
			err = e
		}
		if errors.Is(err, io.EOF) {
			if in.bytes == p.GetBytes() {
				break
			}
			err = fmt.Errorf("it ends after %d of %d bytes", in.bytes, p.GetBytes())
		}
		if err != nil {
			in.abandon()
			return "", err
		}
	}
	return s.end(in)
}

// visit connects to the agent of another host.
func (h *host) visit(ctx context.Context, to *pb.HostAddresses) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, h.silence())
	defer cancel()
	conn, err := knock.Dial(ctx, to.GetAddresses(), h.start.GetLinkKey(), knock.Knock{
		Job: [16]byte(h.start.GetJob()), From: uint32(h.start.GetHost()), To: toAgent, Incarnation: 1,
	})
	if err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	safe, err := h.secure(conn, true, int(to.GetHost()))
	if err != nil {
		conn.Close()
		return nil, err
	}
	return safe, nil
}

// secure does TLS with the agent of another host, unless the job does without.
func (h *host) secure(conn net.Conn, client bool, host int) (net.Conn, error) {
	c := h.start.GetHostCredentials()
	if c == nil && h.start.GetSettings().GetInsecureWire() {
		return conn, nil
	}
	config, err := authority.Config(c)
	if err != nil {
		return nil, err
	}
	return streams.Secure(conn, config, client, authority.HostIdentity([16]byte(h.start.GetJob()), host), fetchBytes)
}

// onGuest is a connection that another host's agent asks for.
func (h *host) onGuest(c *knock.Caller) {
	from := int(c.Knock.From)
	welcome := h.store != nil && !h.ending && h.net.guests < mostGuests && from != int(h.start.GetHost()) && h.hasHost(from)
	verdict := knock.Accepted
	if !welcome {
		verdict = knock.Refused
	}
	if err := c.Answer(verdict); err != nil || !welcome {
		c.Close()
		return
	}
	h.net.guests++
	go func() {
		h.serve(c, h.store, from)
		h.post(func() { h.net.guests-- })
	}()
}

// serve gives another host a program. It may ask for what is not here: then the
// connection ends.
func (h *host) serve(c net.Conn, s *store, guest int) {
	defer c.Close()
	defer context.AfterFunc(h.net.open, func() { c.Close() })()
	c.SetDeadline(time.Now().Add(h.silence()))
	conn, err := h.secure(c, false, guest)
	if err != nil {
		h.note("host %s: a connection from host %s: %v", h.hostName(), h.nameOf(guest), err)
		return
	}
	digest := make([]byte, sha256.Size)
	if _, err := io.ReadFull(conn, digest); err != nil {
		return
	}
	f, err := s.root.Open(programName(digest))
	if err != nil {
		return
	}
	defer f.Close()
	piece := make([]byte, fetchBytes)
	for {
		n, err := f.Read(piece)
		if n > 0 {
			conn.SetWriteDeadline(time.Now().Add(h.silence()))
			if _, err := conn.Write(piece[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// hasHost reports whether the job has ranks on a host of this number.
func (h *host) hasHost(host int) bool {
	for _, run := range h.start.GetHosts() {
		if int(run.GetHost()) == host {
			return true
		}
	}
	return false
}
