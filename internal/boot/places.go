package boot

import (
	"fmt"
	"io"
	"os"

	pb "github.com/muster-mpi/muster/proto"
	"google.golang.org/protobuf/proto"
)

// placesInMessage is how long the encoded hosts of a job may be to go with Welcome
// itself.
const placesInMessage = MaxMessage / 2

// SetPlaces puts the hosts of a job into w: themselves, or, where they are too many for a
// message, as a file that has to be the next one sent with it. The caller closes that. create
// makes a memory file.
func SetPlaces(w *pb.Welcome, hosts []*pb.HostRun, create func() (*os.File, error)) (*os.File, error) {
	places := &pb.Places{Hosts: hosts}
	if proto.Size(places) <= placesInMessage {
		w.Hosts = hosts
		return nil, nil
	}
	data, err := proto.Marshal(places)
	if err != nil {
		return nil, fmt.Errorf("boot: hosts: %w", err)
	}
	f, err := create()
	if err != nil {
		return nil, fmt.Errorf("boot: memory for %d runs of hosts: %w", len(hosts), err)
	}
	if _, err := f.WriteAt(data, 0); err != nil {
		f.Close()
		return nil, fmt.Errorf("boot: hosts: %w", err)
	}
	w.HostsApart = true
	return f, nil
}

// ReadPlaces completes w from the file that SetPlaces has made.
func ReadPlaces(w *pb.Welcome, f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("boot: hosts: %w", err)
	}
	data, err := io.ReadAll(io.NewSectionReader(f, 0, info.Size())) // whose position ranks may share
	if err != nil {
		return fmt.Errorf("boot: hosts: %w", err)
	}
	places := new(pb.Places)
	if err := proto.Unmarshal(data, places); err != nil {
		return fmt.Errorf("boot: hosts: %w: %w", ErrMessage, err)
	}
	w.Hosts = places.GetHosts()
	return nil
}
