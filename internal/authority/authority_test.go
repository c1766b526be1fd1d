package authority

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"testing"
	"time"
)

const job = "00112233445566778899aabbccddeeff"

// verified returns the certificate of c, checked against the authority root at a time.
func verified(t *testing.T, root *Authority, c *x509.Certificate, at time.Time) error {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(root.PEM()) {
		t.Fatal("the authority's certificate does not parse")
	}
	for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth} {
		if _, err := c.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{usage}, CurrentTime: at}); err != nil {
			return err
		}
	}
	return nil
}

func make1(t *testing.T, lifetime time.Duration) *Authority {
	t.Helper()
	a, err := New(job, lifetime)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestACertificateNamesItsRankAndIsOfOneJob(t *testing.T) {
	mine, other := make1(t, time.Hour), make1(t, time.Hour)
	c, err := mine.Issue(7)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(c.Certificate, c.Key)
	if err != nil {
		t.Fatal(err)
	}
	leaf := pair.Leaf
	if len(leaf.URIs) != 1 || leaf.URIs[0].String() != "muster://"+job+"/7" {
		t.Errorf("the certificate names %v, want muster://%s/7", leaf.URIs, job)
	}
	if err := verified(t, mine, leaf, time.Now()); err != nil {
		t.Error(err)
	}
	if err := verified(t, other, leaf, time.Now()); err == nil {
		t.Error("another authority vouches for it, of a job of the same name")
	}
	if leaf.IsCA {
		t.Error("a rank's certificate can sign others")
	}
}

// Hosts' clocks may be some minutes apart; after the lifetime nothing is valid.
func TestClocksMayBeApart(t *testing.T) {
	a := make1(t, time.Hour)
	der, err := a.Certify(0, &key(t).PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	for off, valid := range map[time.Duration]bool{
		-10 * time.Minute: false, -4 * time.Minute: true, 0: true, 59 * time.Minute: true, 61 * time.Minute: false,
	} {
		if err := verified(t, a, leaf, time.Now().Add(off)); (err == nil) != valid {
			t.Errorf("by a clock that is %v off: %v, want valid to be %v", off, err, valid)
		}
	}
}

func TestS24AnAuthorityThatHasForgottenSignsNoMore(t *testing.T) {
	a := make1(t, time.Hour)
	a.Forget()
	if _, err := a.Certify(1, &key(t).PublicKey); !errors.Is(err, ErrForgotten) {
		t.Errorf("Certify: %v, want ErrForgotten", err)
	}
	if _, err := a.Issue(1); !errors.Is(err, ErrForgotten) {
		t.Errorf("Issue: %v, want ErrForgotten", err)
	}
}

func key(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}
