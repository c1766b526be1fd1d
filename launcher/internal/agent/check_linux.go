package agent

import (
	"crypto/sha256"
	"fmt"

	pb "github.com/muster-mpi/muster/proto"
)

// maxRanks is how many ranks a job may have.
const maxRanks = 1 << 16

// checkStart says what of a job makes no sense: whatever else the agent does with it
// relies on this.
func checkStart(s *pb.Start) error {
	switch {
	case len(s.GetJob()) != 16:
		return fmt.Errorf("a job's identifier of %d bytes, want 16", len(s.GetJob()))
	case s.GetSize() < 1 || s.GetSize() > maxRanks:
		return fmt.Errorf("a job of %d ranks, want 1 to %d", s.GetSize(), maxRanks)
	case s.GetStdinRank() < stdinAll || s.GetStdinRank() >= s.GetSize():
		return fmt.Errorf("standard input for rank %d of %d", s.GetStdinRank(), s.GetSize())
	case s.GetOutputWindow() < 1:
		return fmt.Errorf("an output window of %d bytes", s.GetOutputWindow())
	case len(s.GetPeers()) > 0 && !s.GetByLauncher() && len(s.GetLinkKey()) != sha256.Size:
		return fmt.Errorf("a link key of %d bytes, want %d", len(s.GetLinkKey()), sha256.Size)
	}
	here, err := checkHosts(s)
	if err != nil {
		return err
	}
	if n := len(s.GetCredentials()); n != 0 && n != len(here) {
		return fmt.Errorf("credentials of %d ranks, this host has %d", n, len(here))
	}
	return checkApps(s, here)
}

// checkHosts checks which ranks are where, and returns those that are here.
func checkHosts(s *pb.Start) (here map[int64]bool, err error) {
	here = make(map[int64]bool)
	next := int64(0)
	for _, run := range s.GetHosts() {
		first, count := int64(run.GetFirst()), int64(run.GetCount())
		if first != next || count < 1 || run.GetHost() < 0 || run.GetHost() >= s.GetSize() {
			return nil, fmt.Errorf("host %d with %d ranks from %d on, after %d ranks", run.GetHost(), count, first, next)
		}
		if next += count; next > int64(s.GetSize()) {
			break
		}
		for r := first; r < next && run.GetHost() == s.GetHost(); r++ {
			here[r] = true
		}
	}
	if next != int64(s.GetSize()) {
		return nil, fmt.Errorf("hosts with %d ranks, of %d", next, s.GetSize())
	}
	return here, nil
}

// checkApps checks the programs of the ranks that are here.
func checkApps(s *pb.Start, here map[int64]bool) error {
	total, next := int64(0), int64(0)
	for i, app := range s.GetApps() {
		first, count := int64(app.GetFirst()), int64(app.GetCount())
		switch {
		case first < next || count < 1 || first+count > int64(s.GetSize()):
			return fmt.Errorf("program %d has %d ranks from %d on, of %d", i, count, first, s.GetSize())
		case len(app.GetArgv()) == 0:
			return fmt.Errorf("program %d has no name", i)
		}
		next = first + count
		for r := first; r < next; r++ {
			if !here[r] {
				return fmt.Errorf("program %d has rank %d, which is of another host than %d", i, r, s.GetHost())
			}
		}
		total += count
		programs := []*pb.Program{app.GetProgram()}
		for _, f := range app.GetFiles() {
			if f.GetContent() == nil {
				return fmt.Errorf("program %d has a file without content, %q", i, f.GetVariable())
			}
			programs = append(programs, f.GetContent())
		}
		for _, p := range programs {
			if p != nil && (len(p.GetDigest()) != sha256.Size || p.GetBytes() < 0) {
				return fmt.Errorf("program %d has a SHA-256 of %d bytes and a length of %d", i, len(p.GetDigest()), p.GetBytes())
			}
		}
	}
	if total != int64(len(here)) {
		return fmt.Errorf("programs of %d ranks, this host has %d", total, len(here))
	}
	return nil
}
