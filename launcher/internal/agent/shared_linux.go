package agent

import (
	"fmt"
	"os"
	"strings"

	"github.com/muster-mpi/muster/internal/boot"
	"github.com/muster-mpi/muster/internal/hostmem"
	"github.com/muster-mpi/muster/internal/segment"
	"github.com/muster-mpi/muster/internal/transport/shm"
	"golang.org/x/sys/unix"
)

// Names of transports in Settings.
const (
	sharedMemory = "shm"
	unixSockets  = "unix"
)

// chooseTransport settles how the ranks of this host are linked: by shared memory
// unless the user named another way, and by sockets where probe finds that there
// is none to be had.
func (h *host) chooseTransport(probe func() error) error {
	s := h.start.Settings
	named := s.Transport != ""
	if named && s.Transport != sharedMemory {
		return nil
	}
	s.Transport = sharedMemory
	err := probe()
	if err == nil {
		return nil
	}
	why := strings.ReplaceAll(err.Error(), "\n", "; ")
	if named {
		return fmt.Errorf("%s (--transport %s does without)", why, unixSockets)
	}
	s.Transport = unixSockets
	h.note("the ranks are linked by Unix sockets, which are slower: %s", why)
	return nil
}

// sharedFile returns a descriptor of the memory that the ranks of this host share
// for collectives, made at the first call; nil if there can be none, which costs
// speed.
func (h *host) sharedFile() *os.File {
	if h.shared == nil && h.joined == 0 {
		f, err := hostmem.Create(fmt.Sprintf("muster-%.8s-host", h.jobName))
		if err != nil {
			h.note("collectives go by messages, which are slower: %v", err)
			return nil
		}
		h.shared = f
	}
	if h.shared == nil {
		return nil
	}
	fd, err := boot.Duplicate(h.shared)
	if err != nil {
		return nil
	}
	return os.NewFile(uintptr(fd), h.shared.Name())
}

// bell is the descriptor of a segment.Bell; 0 is none. The agent holds no
// os.File over it: the runtime would watch that, and every ring between two ranks
// would wake the agent too.
type bell int

// hangBell makes rank r's bell and returns it for the rank.
func (r *rankState) hangBell() (*os.File, error) {
	f, err := segment.NewBell()
	if err != nil {
		return nil, err
	}
	fd, err := boot.Duplicate(f)
	if err != nil {
		f.Close()
		return nil, err
	}
	r.bell = bell(fd)
	return f, nil
}

// file returns the bell as a message to a rank carries it.
func (b bell) file() (*os.File, error) {
	fd, err := unix.FcntlInt(uintptr(b), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, fmt.Errorf("bell: %w", os.NewSyscallError("fcntl", err))
	}
	return os.NewFile(uintptr(fd), "bell"), nil
}

// sharedPair makes the memory of a link between a and b, and returns it with each
// one's peer's bell.
func (h *host) sharedPair(a, b *rankState) (ends [2][]*os.File, err error) {
	p := pairOf(a.rank, b.rank)
	defer func() {
		if err != nil {
			err = fmt.Errorf("%d KiB of memory for ranks %d and %d to share: %w", shm.SegmentBytes>>10, p.lo, p.hi, err)
			closeAll(ends[0])
			closeAll(ends[1])
			ends = [2][]*os.File{}
		}
	}()
	memory, err := segment.Create(fmt.Sprintf("muster-%.8s-%d-%d", h.jobName, p.lo, p.hi), shm.SegmentBytes)
	if err != nil {
		return ends, err
	}
	ends[0] = []*os.File{memory}
	fd, err := boot.Duplicate(memory)
	if err != nil {
		return ends, err
	}
	ends[1] = []*os.File{os.NewFile(uintptr(fd), memory.Name())}
	for i, peer := range []*rankState{b, a} {
		f, err := peer.bell.file()
		if err != nil {
			return ends, err
		}
		ends[i] = append(ends[i], f)
	}
	return ends, nil
}

// vouched reports whether the process that joined as r is the agent's own child:
// nobody but the agent ends its claim to its number, so ranks may name it.
func (r *rankState) vouched() bool { return r.pid == r.proc.pid }
