package agent

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"time"

	"github.com/muster-mpi/muster/internal/authority"
	"github.com/muster-mpi/muster/internal/knock"
	streams "github.com/muster-mpi/muster/internal/transport/stream"
	pb "github.com/muster-mpi/muster/proto"
)

// The launcher tells a host that lacks a program from which other it can have it
// (launcher/provide_linux.go). The host that fetches knocks at the other's port, both
// show the certificates of their agents, the one names a digest, and the other writes
// what it has in its store under that. What comes is taken for the program only if it has
// its digest, so the other host is trusted with nothing; if it does not come, the launcher
// sends it.

// mostGuests bounds the connections on which an agent gives programs at once, whoever asks.
// The launcher sends two hosts for each program; who finds no place gets it from the launcher.
const mostGuests = 16

const (
	// fetchBytes is how much of a program goes through memory at a time.
	fetchBytes = 256 << 10
	// leastBytes has to come, and to go, within the time that a silent host is given: on a
	// line of 1 Mbit/s ten times as much does so.
	leastBytes = 16 << 10
)

// fetched is a program that another host was to give. path is "" if it did not come:
// then the launcher sends it, so it does not matter why.
type fetched struct {
	program *pb.Program
	path    string
}

// fetch gets p from another host, and delivers what has come of it.
func (h *host) fetch(ctx context.Context, s *store, p *pb.Program, from *pb.HostAddresses) {
	path, _ := h.fetchFrom(ctx, s, p, from) // "" if it did not come
	h.news.Put(programNews{fetched: &fetched{p, path}})
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
	for next := int64(0); in.bytes < p.GetBytes(); {
		if in.bytes >= next {
			conn.SetReadDeadline(time.Now().Add(h.silence()))
			next = in.bytes + leastBytes
		}
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
		Job: [16]byte(h.start.GetJob()), From: uint32(h.start.GetHost()), To: knock.ToAgent,
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
	switch {
	case h.net.tls != nil:
	case h.start.GetSettings().GetInsecureWire():
		return conn, nil
	default:
		return nil, errors.New("this host has no certificate")
	}
	return streams.Secure(conn, h.net.tls, client, authority.HostIdentity([16]byte(h.start.GetJob()), host), fetchBytes)
}

// guestsRoom is how many descriptors those take who fetch programs here.
func (h *host) guestsRoom() int {
	if !h.hasPort() || h.start.GetHostCredentials() == nil {
		return 0
	}
	return 2 * mostGuests // the connection and the file
}

// onGuest is a connection that another host's agent asks for.
func (h *host) onGuest(c *knock.Caller) {
	from := int(c.Knock.From)
	welcome := h.store != nil && !h.ending && h.net.guests < mostGuests && from != int(h.start.GetHost()) && h.runOf(from) != nil
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
	if errors.Is(err, streams.ErrRefused) && h.net.open.Err() == nil {
		h.note("host %s: a connection from host %s: %v", h.hostName(), h.nameOf(guest), err)
	}
	if err != nil {
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
		for part := range slices.Chunk(piece[:n], leastBytes) {
			conn.SetWriteDeadline(time.Now().Add(h.silence()))
			if _, err := conn.Write(part); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
