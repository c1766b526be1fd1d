package boot

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	pb "github.com/muster-mpi/muster/proto"
	"google.golang.org/protobuf/proto"
)

func TestAnyNumberOfHostsReachesARank(t *testing.T) {
	create := func() (*os.File, error) { return os.Create(filepath.Join(t.TempDir(), "hosts")) }
	for _, n := range []int{1, 1000, 65536} {
		var hosts []*pb.HostRun
		for i := range n {
			hosts = append(hosts, &pb.HostRun{Name: fmt.Sprintf("node%d", i%64), Host: int32(i % 64), First: int32(i), Count: 1})
		}
		var w pb.Welcome
		f, err := SetPlaces(&w, hosts, create)
		if err != nil {
			t.Fatal(err)
		}
		if size := proto.Size(&w); size > MaxMessage {
			t.Errorf("%d runs: a message of %d bytes", n, size)
		}
		if (f != nil) != w.HostsApart {
			t.Fatalf("%d runs: a file %v, the message says %v", n, f != nil, w.HostsApart)
		}
		if f != nil {
			if err := ReadPlaces(&w, f); err != nil {
				t.Fatal(err)
			}
			f.Close()
		}
		if len(w.Hosts) != n || !proto.Equal(w.Hosts[n-1], hosts[n-1]) {
			t.Errorf("%d runs: %d came, the last is %v", n, len(w.Hosts), w.Hosts[len(w.Hosts)-1])
		}
	}
}

func TestPlacesThatAreNoneAreAnError(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "hosts"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	f.WriteString("no message")
	if err := ReadPlaces(new(pb.Welcome), f); !errors.Is(err, ErrMessage) {
		t.Errorf("got %v, want ErrMessage", err)
	}
}
