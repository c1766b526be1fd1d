package stream

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// Secure does the TLS handshake on conn. Both sides show a certificate that
// the other's pool vouches for and that carries identity, the peer's URI, as
// subject alternative name; host names mean nothing here. A peer that shows
// another is an ErrRefused that names both. cfg.Time, if there is one, is the clock for
// the certificates' validity. buffer is how much goes through the
// kernel at a time.
func Secure(conn net.Conn, cfg *tls.Config, client bool, identity string, buffer int) (net.Conn, error) {
	if cfg == nil {
		return nil, fmt.Errorf("%w: no TLS configuration for %s", ErrRefused, identity)
	}
	cfg = cfg.Clone()
	cfg.MinVersion = tls.VersionTLS13
	cfg.NextProtos = []string{"h2"}
	cfg.SessionTicketsDisabled = true
	roots, usage := cfg.RootCAs, x509.ExtKeyUsageServerAuth
	if !client {
		roots, usage = cfg.ClientCAs, x509.ExtKeyUsageClientAuth
	}
	// The standard check asks for a host name, so it is replaced on both sides
	// by one that asks for the identity.
	cfg.InsecureSkipVerify = true
	cfg.ClientAuth = tls.RequireAnyClientCert
	cfg.VerifyPeerCertificate = nil
	cfg.VerifyConnection = func(s tls.ConnectionState) error {
		return verify(s.PeerCertificates, roots, usage, identity, cfg.Time)
	}
	// A client learns the server's verdict on its certificate with the first
	// byte only, so there is one.
	verdict := []byte{1}
	under := newBatched(conn, buffer)
	if !client {
		t := tls.Server(under, cfg)
		err := t.Handshake()
		if err == nil {
			_, err = t.Write(verdict)
		}
		return &secured{t, under}, classify(err)
	}
	t := tls.Client(under, cfg)
	err := t.Handshake()
	if err == nil {
		_, err = io.ReadFull(t, verdict)
	}
	return &secured{t, under}, classify(err)
}

// classify makes refusals out of verdicts on certificates, the peer's on ours
// included; what is left are broken connections.
func classify(err error) error {
	var op *net.OpError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrRefused):
		return fmt.Errorf("TLS: %w", err)
	case errors.As(err, &op) && op.Op == "remote error": // an alert
		return fmt.Errorf("TLS: %w: %w", ErrRefused, err)
	}
	return fmt.Errorf("TLS: %w", err)
}

func verify(chain []*x509.Certificate, roots *x509.CertPool, usage x509.ExtKeyUsage, identity string, clock func() time.Time) error {
	if len(chain) == 0 || roots == nil {
		return fmt.Errorf("%w: no certificate or no pool to check it against, want one for %s", ErrRefused, identity)
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	leaf := chain[0]
	options := x509.VerifyOptions{Roots: roots, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{usage}}
	if clock != nil {
		options.CurrentTime = clock()
	}
	_, err := leaf.Verify(options)
	if err != nil {
		return fmt.Errorf("%w: certificate for %s: %w", ErrRefused, identity, err)
	}
	for _, uri := range leaf.URIs {
		if uri.String() == identity {
			return nil
		}
	}
	return fmt.Errorf("%w: certificate names %v, want %s", ErrRefused, leaf.URIs, identity)
}
