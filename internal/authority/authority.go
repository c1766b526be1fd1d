// Package authority makes the certificates by which the ranks of one job, and its hosts'
// agents, know each other. Each job has an authority of its own, whose key exists only in the memory of
// the process that made it, and only until everybody has a certificate.
package authority

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"sync"
	"time"

	pb "github.com/muster-mpi/muster/proto"
)

// clockSkew is by how much hosts' clocks may be apart.
const clockSkew = 5 * time.Minute

// Authority signs certificates for one job's ranks and its hosts' agents. Its methods may be called
// concurrently.
type Authority struct {
	job         string
	certificate *x509.Certificate
	der         []byte

	mu  sync.Mutex
	key *ecdsa.PrivateKey // nil once forgotten
}

// New makes an authority for the job, named by 32 hexadecimal digits. What it signs
// is valid for lifetime from now on.
func New(job string, lifetime time.Duration) (*Authority, error) {
	now := time.Now()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making the job's keys: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "muster job " + job},
		NotBefore:             now.Add(-clockSkew),
		NotAfter:              now.Add(lifetime),
		KeyUsage:              x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("making the job's authority: %w", err)
	}
	return &Authority{job: job, certificate: template, der: der, key: key}, nil
}

// DER returns the authority's own certificate.
func (a *Authority) DER() []byte { return a.der }

// PEM returns the authority's own certificate.
func (a *Authority) PEM() []byte { return block("CERTIFICATE", a.der) }

// ErrForgotten is the error of an authority that signs no more.
var ErrForgotten = errors.New("the job's authority has signed for all and signs no more")

// Forget gives up the key: nobody can be certified any more. What lay in memory is left
// to the garbage collector, which does not overwrite it.
func (a *Authority) Forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.key = nil
}

// Certify returns a certificate, in DER, that says that whoever holds the key to
// public is this rank of the job: by the URI muster://JOB/RANK.
func (a *Authority) Certify(rank int, public crypto.PublicKey) ([]byte, error) {
	return a.certify(int64(rank)+2, fmt.Sprintf("rank %d", rank), fmt.Sprintf("/%d", rank), public)
}

// hostSerials is where the numbers of hosts' certificates begin, beyond those of ranks.
const hostSerials = 1 << 32

// HostIdentity is the URI that the certificate of a host's agent carries.
func HostIdentity(job [16]byte, host int) string {
	return fmt.Sprintf("muster://%x%s", job, hostPath(host))
}

func hostPath(host int) string { return fmt.Sprintf("/host/%d", host) }

// certify signs for the holder of the key to public, who is called name and has path in
// the job.
func (a *Authority) certify(serial int64, name, path string, public crypto.PublicKey) ([]byte, error) {
	a.mu.Lock()
	key := a.key
	a.mu.Unlock()
	if key == nil {
		return nil, ErrForgotten
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(serial),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    a.certificate.NotBefore,
		NotAfter:     a.certificate.NotAfter,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		URIs:         []*url.URL{{Scheme: "muster", Host: a.job, Path: path}},
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, a.certificate, public, key)
	if err != nil {
		return nil, fmt.Errorf("making the certificate of %s: %w", name, err)
	}
	return der, nil
}

// Issue makes a key for a rank and certifies it.
func (a *Authority) Issue(rank int) (*pb.Credentials, error) {
	return a.issue(fmt.Sprintf("rank %d", rank), func(public crypto.PublicKey) ([]byte, error) { return a.Certify(rank, public) })
}

// IssueHost makes a key for the agent of a host and certifies it: by HostIdentity.
func (a *Authority) IssueHost(host int) (*pb.Credentials, error) {
	name := fmt.Sprintf("host %d", host)
	return a.issue(name, func(public crypto.PublicKey) ([]byte, error) {
		return a.certify(hostSerials+int64(host), name, hostPath(host), public)
	})
}

func (a *Authority) issue(name string, certify func(crypto.PublicKey) ([]byte, error)) (*pb.Credentials, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making the key of %s: %w", name, err)
	}
	der, err := certify(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	return Credentials(a.der, der, key)
}

// Credentials joins what a rank shows and what it checks others by; the certificates
// are in DER.
func Credentials(authority, certificate []byte, key *ecdsa.PrivateKey) (*pb.Credentials, error) {
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encoding a key: %w", err)
	}
	return &pb.Credentials{
		Authority:   block("CERTIFICATE", authority),
		Certificate: block("CERTIFICATE", certificate),
		Key:         block("PRIVATE KEY", secret),
	}, nil
}

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
