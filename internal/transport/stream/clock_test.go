package stream_test

import (
	"errors"
	"net"
	"testing"
	"time"

	"github.com/muster-mpi/muster/internal/transport/stream"
	"github.com/muster-mpi/muster/internal/transport/stream/streamtest"
)

// TestCertificatesAreJudgedByTheJobsClock has two ends whose clocks are days apart: with
// clocks of the job's they know each other, without they do not.
func TestCertificatesAreJudgedByTheJobsClock(t *testing.T) {
	job := [16]byte{7}
	configs, err := streamtest.Certificates(job, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		clock func() time.Time
		valid bool
	}{
		{"the job's", time.Now, true},
		{"before the certificates", func() time.Time { return time.Now().Add(-48 * time.Hour) }, false},
		{"after them", func() time.Time { return time.Now().Add(48 * time.Hour) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := net.Pipe()
			errs := make(chan error, 2)
			for rank, conn := range []net.Conn{a, b} {
				cfg := configs[rank].Clone()
				cfg.Time = c.clock
				go func() {
					err := stream.Handshake(conn, cfg, rank == 0, stream.Identity(job, 1-rank))
					if err != nil {
						conn.Close()
					}
					errs <- err
				}()
			}
			refused := false
			for range 2 {
				err := <-errs
				refused = refused || errors.Is(err, stream.ErrRefused)
				if (err == nil) != c.valid {
					t.Errorf("one end: got %v, valid %v", err, c.valid)
				}
			}
			if refused == c.valid {
				t.Errorf("an end refused: %v, valid %v", refused, c.valid)
			}
		})
	}
}
