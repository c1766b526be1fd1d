package agent

import (
	"net"
	"strings"
	"testing"
	"time"

	pb "github.com/muster-mpi/muster/proto"
)

// doors has an agent expect peers, which are reached on loopback.
func doors(t *testing.T, s *server, key string) []string {
	t.Helper()
	m := &pb.ExpectPeers{Job: make([]byte, 16), LinkKey: []byte(key), Peers: []*pb.HostAddresses{{Host: 1, Addresses: []string{"127.0.0.1"}}}}
	answer, err := s.Expect(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	var addresses []string
	for _, d := range answer.Doors {
		if d.Interface != "lo" || d.Mtu < 1280 {
			t.Errorf("got door %v", d)
		}
		addresses = append(addresses, d.Address)
	}
	if _, err := s.Expect(t.Context(), m); err == nil {
		t.Error("a second port was opened")
	}
	return addresses
}

func TestWayIsMeasured(t *testing.T) {
	t.Setenv("SSH_CONNECTION", "")
	s := new(server)
	addresses := doors(t, s, "key")
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	m := &pb.MeasureWay{
		Job: make([]byte, 16), LinkKey: []byte("key"), From: 1, Addresses: append([]string{closed.Addr().String()}, addresses...),
		PatienceNanos: int64(5 * time.Second), TransferBytes: 4 << 20, TransferNanos: int64(5 * time.Second),
	}
	got, err := new(server).Measure(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	if got.Error != "" || got.Address != addresses[0] || got.RoundTripNanos <= 0 || got.TransferredBytes != 4<<20 || got.TransferredNanos <= 0 || got.PathMtu < 1280 {
		t.Errorf("got %v", got)
	}
	if r := got.Roads; len(r) != 2 || r[0].Error != "connection refused" || r[1].Error != "" || r[1].Interface != "lo" {
		t.Errorf("got %v", r)
	}

	m.LinkKey = []byte("another")
	if got, err = new(server).Measure(t.Context(), m); err != nil || got.Address != "" || !strings.Contains(got.Roads[1].Error, "not of this job") {
		t.Errorf("with another key: %v, %v", got, err)
	}

	s.end()
	m.LinkKey = []byte("key")
	if got, err = new(server).Measure(t.Context(), m); err != nil || got.Address != "" || got.Roads[1].Error != "connection refused" {
		t.Errorf("after the end: %v, %v", got, err)
	}
}

func TestWayThatIsSilentIsGivenUp(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	began := time.Now()
	got, err := new(server).Measure(t.Context(), &pb.MeasureWay{
		Job: make([]byte, 16), LinkKey: []byte("key"), Addresses: []string{silent.Addr().String()}, PatienceNanos: int64(time.Second),
	})
	if err != nil || got.Address != "" || got.Roads[0].Error != "nothing comes back" {
		t.Errorf("got %v, %v", got, err)
	}
	if d := time.Since(began); d > 2500*time.Millisecond {
		t.Errorf("it took %v", d)
	}
}

func TestJunkOnAMeasuredConnectionEndsIt(t *testing.T) {
	for _, said := range []string{"GET / HTTP/1.1\r\n\r\n", strings.Repeat("\x00", headBytes), "t"} {
		near, far := net.Pipe()
		ended := make(chan error, 1)
		go func() {
			ended <- beMeasured(far)
			far.Close()
		}()
		near.SetDeadline(time.Now().Add(5 * time.Second))
		near.Write([]byte(said)[:min(len(said), headBytes)])
		if len(said) < headBytes {
			near.Close()
		}
		if err := <-ended; err == nil {
			t.Errorf("%q was taken for a measurement", said)
		}
		near.Close()
	}
}

func TestTransferEndsWithItsTime(t *testing.T) {
	t.Setenv("SSH_CONNECTION", "")
	s := new(server)
	defer s.end()
	addresses := doors(t, s, "key")
	got, err := new(server).Measure(t.Context(), &pb.MeasureWay{
		Job: make([]byte, 16), LinkKey: []byte("key"), Addresses: addresses, TransferBytes: 1 << 40, TransferNanos: int64(20 * time.Millisecond),
	})
	if err != nil || got.Error != "" || got.TransferredBytes == 0 || got.TransferredNanos < int64(20*time.Millisecond) || got.TransferredNanos > int64(time.Second) {
		t.Errorf("got %v, %v", got, err)
	}
}
