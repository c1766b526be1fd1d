package rendezvous

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/muster-mpi/muster/internal/authority"
	"github.com/muster-mpi/muster/internal/queue"
	pb "github.com/muster-mpi/muster/proto"
	"google.golang.org/protobuf/proto"
)

// Conn is a rank's conversation with the job: what one with an agent is elsewhere, with
// the same messages. Rank 0's process answers those that concern all, and this
// one's makes the links itself. Send is safe for concurrent use; Recv is for one
// goroutine at a time.
type Conn struct {
	in    *queue.Queue[item]
	port  *port
	links *links

	// Of rank 0.
	coordinator *coordinator

	// Of the others.
	conn    *tls.Conn
	writing sync.Mutex
}

// item is something that has come.
type item struct {
	message   *pb.ToRank
	file      *os.File
	admission *pb.Admission
}

// Ended is the error of Recv once the job has ended before all ranks have left.
type Ended struct {
	Code int    // with which this process is to exit
	Text string // what it is to say; empty: another one says it
}

func (e *Ended) Error() string {
	if e.Text == "" {
		return "the job has ended"
	}
	return e.Text
}

// Send says m, a FromRank other than Hello. When it returns what was said outlives this
// process.
func (c *Conn) Send(m proto.Message, files ...*os.File) error {
	from, ok := m.(*pb.FromRank)
	if !ok || len(files) > 0 {
		return fmt.Errorf("rendezvous: send %T with %d descriptors, want a FromRank without", m, len(files))
	}
	if k, ok := from.GetKind().(*pb.FromRank_Connect); ok {
		return c.links.want(int(k.Connect.GetPeer()), k.Connect.GetNumber())
	}
	if c.coordinator != nil {
		return c.coordinator.onRank(0, from)
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	return write(c.conn, from)
}

// Recv waits for the next ToRank and puts it into m. The descriptors that come with it
// are the caller's to close. It returns an *Ended once the job has ended, os.ErrClosed
// after Close.
func (c *Conn) Recv(m proto.Message) ([]*os.File, error) {
	to, ok := m.(*pb.ToRank)
	if !ok {
		return nil, fmt.Errorf("rendezvous: receive into %T, want a ToRank", m)
	}
	it, err := c.in.Next()
	if err != nil {
		return nil, err
	}
	proto.Reset(to)
	proto.Merge(to, it.message)
	if it.file == nil {
		return nil, nil
	}
	return []*os.File{it.file}, nil
}

// closeTime is how long rank 0 waits for the others to be done, once it is.
const closeTime = 10 * time.Second

// Close ends the conversation; a blocked Recv returns. At rank 0, if it has left, Close
// waits until the others have as well, since they need its process for that.
func (c *Conn) Close() error {
	if c.coordinator != nil {
		c.coordinator.close()
	}
	c.in.Close(os.ErrClosed)
	c.port.close()
	if c.conn != nil {
		c.conn.Close()
	}
	for { // links that nobody took
		it, err := c.in.Next()
		if err != nil {
			return nil
		}
		if it.file != nil {
			it.file.Close()
		}
	}
}

// begin starts a rank's life after a was received.
func (c *Conn) begin(p *Place, s secret, a *pb.Admission) (*pb.Welcome, error) {
	w := a.GetWelcome()
	if int(w.GetRank()) != p.Rank || len(a.GetMembers()) != int(w.GetSize()) {
		return nil, fmt.Errorf("%w: rank %d of %d, %d members", errMessage, w.GetRank(), w.GetSize(), len(a.GetMembers()))
	}
	var err error
	w.Credentials, err = authority.Credentials(w.GetCredentials().GetAuthority(), w.GetCredentials().GetCertificate(), s.key)
	if err != nil {
		return nil, err
	}
	c.links = newLinks(p.Rank, s.job, a.GetLinkKey(), a.GetMembers(), c.deliver)
	c.port.begin(c.links)
	return w, nil
}

// deliver hands a link to whoever receives.
func (c *Conn) deliver(l *pb.LinkUp, file *os.File) {
	if !c.in.Put(item{message: &pb.ToRank{Kind: &pb.ToRank_Link{Link: l}}, file: file}) && file != nil {
		file.Close()
	}
}

// follow hears what rank 0 says until it ends. lost is said if it ends unexpectedly.
func (c *Conn) follow(first *pb.Member, spokesman bool) {
	for {
		m := new(pb.ToMember)
		if err := read(c.conn, m, memberBytes); err != nil {
			end := &Ended{Code: exitLost}
			if spokesman {
				end.Text = fmt.Sprintf("rank 0 (host %s, pid %d) %s", first.GetHost(), first.GetPid(), fate(err))
			}
			c.in.Close(end)
			return
		}
		switch k := m.GetKind().(type) {
		case *pb.ToMember_Rank:
			c.in.Put(item{message: k.Rank})
		case *pb.ToMember_End:
			c.in.Close(&Ended{Code: int(k.End.GetCode())})
			return
		}
	}
}

// spokesman reports whether this rank is the one that speaks for its host when rank 0
// cannot: the lowest but rank 0.
func spokesman(w *pb.Welcome) bool {
	number := func(rank int32) int32 {
		for _, h := range w.GetHosts() {
			if rank < h.GetFirst()+h.GetCount() {
				return h.GetHost()
			}
		}
		return -1
	}
	for r := int32(1); r < w.GetRank(); r++ {
		if number(r) == number(w.GetRank()) {
			return false
		}
	}
	return true
}

// asTCP calls f with the connection that conn is.
func asTCP(conn net.Conn, f func(*net.TCPConn) error) error {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return fmt.Errorf("%T is no TCP connection", conn)
	}
	return f(tcp)
}
