package rendezvous

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"

	pb "github.com/muster-mpi/muster/proto"
)

// secret is what a process of the job has: the token, which they all hold and nobody
// else, and a key of its own.
type secret struct {
	token []byte
	job   [16]byte // named after the token: so another token is another job
	key   *ecdsa.PrivateKey
}

const tokenBytes = 32

func newSecret(token []byte, run string) (secret, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return secret{}, fmt.Errorf("making this rank's key: %w", err)
	}
	s := secret{token: token, key: key}
	s.job = [16]byte(s.derive("muster job\n", []byte(run)))
	return s, nil
}

// derive returns what only holders of the token can compute.
func (s secret) derive(what string, from []byte) []byte {
	h := hmac.New(sha256.New, s.token)
	h.Write([]byte(what))
	h.Write(from)
	return h.Sum(nil)
}

// knockKey is the key of knocks at rank 0's port by those who want to join.
func (s secret) knockKey() []byte { return s.derive("muster knock key\n", nil) }

// What a proof is of; that of one side is not one of the other.
const (
	proofOfFirst = "muster proof of rank 0\n"
	proofOfEntry = "muster proof of an entry\n"
)

// proof shows that this end of a TLS connection holds the token. It is of use on this
// connection only, whose ends know a secret that nobody between them can.
func (s secret) proof(state tls.ConnectionState, what string) *pb.Proof {
	bound, err := state.ExportKeyingMaterial("EXPORTER-muster-rendezvous", nil, sha256.Size)
	if err != nil {
		// Not with TLS 1.3. What follows proves nothing.
		bound = make([]byte, sha256.Size)
		rand.Read(bound)
	}
	return &pb.Proof{Mac: s.derive(what, bound)}
}

// readToken returns the token in a file, as the mounted Secret of a pod.
func readToken(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the job's token: %w", err)
	}
	token := strings.TrimSpace(string(b))
	if len(token) < 16 {
		return nil, fmt.Errorf("the job's token in %s has %d characters, want 16 or more that nobody can guess", path, len(token))
	}
	return []byte(token), nil
}

// invitation is what a rank has to know to join.
type invitation struct {
	token       []byte
	fingerprint []byte // SHA-256 of the authority's certificate; nil: not known beforehand
	addresses   []string
}

// text is what rank 0 hands to the others: no secret goes another way than the
// scheduler's own. It holds none of the characters that separate in PMI.
func (i invitation) text() string {
	return fmt.Sprintf("1/%x/%x/%s", i.token, i.fingerprint, strings.Join(i.addresses, ","))
}

var errInvitation = errors.New("what rank 0 has put is no invitation to the job")

func parseInvitation(text string) (i invitation, err error) {
	parts := strings.Split(text, "/")
	if len(parts) != 4 || parts[0] != "1" {
		return i, fmt.Errorf("%w: %d parts of version %.8q, want 4 of \"1\"", errInvitation, len(parts), parts[0])
	}
	for k, p := range []*[]byte{&i.token, &i.fingerprint} {
		if *p, err = hex.DecodeString(parts[1+k]); err != nil || len(*p) != tokenBytes {
			return i, fmt.Errorf("%w: its part %d is not %d bytes in hexadecimal", errInvitation, 1+k, tokenBytes)
		}
	}
	i.addresses = strings.Split(parts[3], ",")
	for _, a := range i.addresses {
		if _, err := netip.ParseAddrPort(a); err != nil {
			return i, fmt.Errorf("%w: %q is no address and port", errInvitation, a)
		}
	}
	return i, nil
}
