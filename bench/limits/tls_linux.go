package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"time"
)

// withTLS is Go's crypto/tls on c with its defaults. Each end makes a certificate
// of its own and none is checked: it is the cost of the records that is measured.
func withTLS(c net.Conn, client bool) (io.ReadWriter, error) {
	config := &tls.Config{InsecureSkipVerify: true}
	if client {
		t := tls.Client(c, config)
		return t, t.Handshake()
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	config.Certificates = []tls.Certificate{{Certificate: [][]byte{certificate}, PrivateKey: key}}
	t := tls.Server(c, config)
	return t, t.Handshake()
}
