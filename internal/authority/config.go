package authority

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	pb "github.com/muster-mpi/muster/proto"
)

// Config returns how the holder of c speaks TLS, as client and as server. Who the other
// end is to be is for the caller to check: see stream.Secure. The clock of the certificates
// starts at the call: call it once for each credentials, when they have come.
func Config(c *pb.Credentials) (*tls.Config, error) {
	pair, err := tls.X509KeyPair(c.GetCertificate(), c.GetKey())
	if err != nil {
		return nil, fmt.Errorf("credentials: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(c.GetAuthority()) {
		return nil, errors.New("credentials: the authority's certificate does not parse")
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return nil, fmt.Errorf("credentials: %w", err)
	}
	begun := time.Now()
	return &tls.Config{
		// The clocks of the job's hosts may differ, by more than certificates allow. All
		// certificates became valid at one moment, from which each holder counts on its
		// own clock.
		Time: func() time.Time { return leaf.NotBefore.Add(time.Since(begun)) },

		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair},
		RootCAs: pool, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert,
	}, nil
}
