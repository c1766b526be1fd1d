package launcher

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/url"
	"time"

	pb "github.com/muster-mpi/muster/proto"
)

const (
	validFor  = 24 * time.Hour
	clockSkew = 5 * time.Minute // hosts' clocks may be apart
)

// credentials makes an authority for one job and a certificate for each of its
// ranks. The authority's key is forgotten on return: nobody can join later, and
// nothing is ever written to a disk. A rank is known by the URI in its
// certificate, muster://JOB/RANK.
func credentials(job string, ranks int) ([]*pb.Credentials, error) {
	now := time.Now()
	authorityKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making the job's keys: %w", err)
	}
	authority := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "muster job " + job},
		NotBefore:             now.Add(-clockSkew),
		NotAfter:              now.Add(validFor),
		KeyUsage:              x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	der, err := x509.CreateCertificate(rand.Reader, authority, authority, &authorityKey.PublicKey, authorityKey)
	if err != nil {
		return nil, fmt.Errorf("making the job's authority: %w", err)
	}
	authorityPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	all := make([]*pb.Credentials, ranks)
	for rank := range all {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, fmt.Errorf("making the key of rank %d: %w", rank, err)
		}
		leaf := &x509.Certificate{
			SerialNumber: big.NewInt(int64(rank) + 2),
			Subject:      pkix.Name{CommonName: fmt.Sprintf("rank %d", rank)},
			NotBefore:    authority.NotBefore,
			NotAfter:     authority.NotAfter,
			KeyUsage:     x509.KeyUsageDigitalSignature,
			ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
			URIs:         []*url.URL{{Scheme: "muster", Host: job, Path: fmt.Sprintf("/%d", rank)}},
		}
		der, err := x509.CreateCertificate(rand.Reader, leaf, authority, &key.PublicKey, authorityKey)
		if err != nil {
			return nil, fmt.Errorf("making the certificate of rank %d: %w", rank, err)
		}
		secret, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return nil, fmt.Errorf("encoding the key of rank %d: %w", rank, err)
		}
		all[rank] = &pb.Credentials{
			Authority:   authorityPEM,
			Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
			Key:         pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}),
		}
	}
	return all, nil
}
