package launcher

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	pb "github.com/muster-mpi/muster/proto"
)

// A program goes from the launcher to a few hosts at once, and from each that has it to a
// few others, so that the launcher's line carries it a few times however many hosts lack
// it. Where hosts have no ports, all get it from the launcher.

// blobBytes is how much of a program is sent in one message.
const blobBytes = 512 << 10

// supply is how one program gets to the hosts that lack it. Whoever is free serves who has
// waited longest, so that the tree grows where the lines are fast.
type supply struct {
	waiting    []*hostAgent
	sources    []*hostAgent              // that have it, first the launcher, which is nil
	servedBy   map[*hostAgent]*hostAgent // who gets it from whom now; nil: from the launcher
	asked      map[*hostAgent]int        // how often each has asked for it
	byLauncher int                       // times that the launcher has sent it
	told       int                       // times that a host was told to fetch it from another
	failed     int                       // times that it did not come from there
}

func newSupply() *supply {
	return &supply{sources: []*hostAgent{nil}, servedBy: make(map[*hostAgent]*hostAgent), asked: make(map[*hostAgent]int)}
}

// next returns who is to get the program from whom next: of the sources that can serve one
// more, from that which serves fewest; the launcher's line is spared where a host does as well.
func (s *supply) next() (to, from *hostAgent, ok bool) {
	if len(s.waiting) == 0 {
		return nil, nil, false
	}
	serving := make(map[*hostAgent]int)
	for to, from := range s.servedBy {
		if !to.over() {
			serving[from]++
		}
	}
	fan := launcherFan
	for _, source := range s.sources {
		if n := serving[source]; n < fan && (source == nil || !source.over()) && (!ok || n <= serving[from]) {
			from, ok = source, true
		}
		fan = hostFan
	}
	if !ok {
		return nil, nil, false
	}
	to = s.waiting[0]
	s.waiting = s.waiting[1:]
	s.servedBy[to] = from
	return to, from, true
}

// onNeed is that a host lacks programs.
func (r *run) onNeed(a *hostAgent, m *pb.Need) {
	for _, digest := range m.GetDigests() {
		s := r.supplyOf(digest)
		if s.asked[a]++; s.asked[a] > 2 {
			r.onViolation(a, fmt.Errorf("it asks for one program %d times", s.asked[a]))
			return
		}
		switch {
		case m.GetFromLauncher():
			s.failed++
			if from := s.servedBy[a]; from != nil { // it may fail others as well
				s.sources = slices.DeleteFunc(s.sources, func(x *hostAgent) bool { return x == from })
			}
			s.servedBy[a] = nil
			r.give(s, a, digest)
		case r.plan.passOn:
			s.waiting = append(s.waiting, a)
		default:
			r.give(s, a, digest)
		}
		r.distribute(digest)
	}
}

// onStaged is that a host has programs in its store.
func (r *run) onStaged(a *hostAgent, m *pb.Staged) {
	for _, digest := range m.GetDigests() {
		s := r.supplyOf(digest)
		delete(s.servedBy, a)
		if len(a.listening) > 0 && !slices.Contains(s.sources, a) {
			s.sources = append(s.sources, a)
		}
		r.distribute(digest)
	}
}

func (r *run) supplyOf(digest []byte) *supply {
	s := r.supplies[string(digest)]
	if s == nil {
		s = newSupply()
		r.supplies[string(digest)] = s
	}
	return s
}

// distribute gives the program to as many of those who wait as can be served now.
func (r *run) distribute(digest []byte) {
	s := r.supplyOf(digest)
	for {
		to, from, ok := s.next()
		switch {
		case !ok:
			return
		case from == nil:
			r.give(s, to, digest)
		default:
			s.told++
			to.send(&pb.ToAgent{Kind: &pb.ToAgent_Fetch{Fetch: &pb.Fetch{Digest: digest, From: &pb.HostAddresses{
				Host: int32(from.number), Name: from.host.Name, Addresses: from.listening,
			}}}})
		}
	}
}

// supplied tells from where hosts got programs that they lacked.
func (r *run) supplied() string {
	var launcher, hosts int
	for _, s := range r.supplies {
		launcher += s.byLauncher
		hosts += max(s.told-s.failed, 0)
	}
	switch {
	case launcher+hosts == 0:
		return ""
	case hosts == 0:
		return fmt.Sprintf("muster:   hosts got programs %s from here\n", count(launcher, "time"))
	}
	return fmt.Sprintf("muster:   hosts got programs %s from here and %d from each other\n", count(launcher, "time"), hosts)
}

// give has the launcher send the program to a host.
func (r *run) give(s *supply, to *hostAgent, digest []byte) {
	s.byLauncher++
	if to.owed = append(to.owed, digest); len(to.owed) == 1 {
		go r.provide(to, digest)
	}
}

// provide sends a host a program, from a goroutine of its own, and then the next one that
// it is owed.
func (r *run) provide(a *hostAgent, digest []byte) {
	err := r.sendProgram(a, digest)
	r.post(func() {
		if err != nil {
			r.failHost(a, ExitSpawn, "cannot send the program to host %s: %v", a.host.Name, err)
		}
		if a.owed = a.owed[1:]; len(a.owed) > 0 {
			go r.provide(a, a.owed[0])
		}
	})
}

func (r *run) sendProgram(a *hostAgent, digest []byte) error {
	f, err := os.Open(r.plan.programOf(digest))
	if err != nil {
		return err
	}
	defer f.Close()
	for {
		data := make([]byte, blobBytes)
		n, err := io.ReadFull(f, data)
		last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !last {
			return err
		}
		sent := make(chan struct{})
		m := &pb.Blob{Digest: digest, Data: data[:n], Last: last}
		if !a.out.Put(outgoing{&pb.ToAgent{Kind: &pb.ToAgent_Blob{Blob: m}}, sent}) || last {
			return nil
		}
		<-sent // one piece at a time, so that other messages find their way
	}
}

// programOf returns the file that has a digest; "" if it is none of the job's.
func (p *jobPlan) programOf(digest []byte) string {
	for name, program := range p.programs {
		if string(program.GetDigest()) == string(digest) {
			return name
		}
	}
	return ""
}
