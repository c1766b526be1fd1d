package agent

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/muster-mpi/muster/internal/knock"
	pb "github.com/muster-mpi/muster/proto"
	"golang.org/x/sys/unix"
)

// What two agents say to each other on a connection that is measured, in heads of 16
// bytes: a ping comes back as it is; a transfer has its bounds, bytes and time, behind it
// and then bytes until the other end has enough and says how many came in what time.
const (
	headBytes    = 16
	headPing     = 'p'
	headTransfer = 't'
)

const (
	mostPings = 200
	pingsFor  = 100 * time.Millisecond
	// answerWithin is how long one end waits for a word of the other.
	answerWithin = 2 * time.Second
	// transferMost bounds what a transfer may ask of the one who takes it.
	transferMost     = 1 << 30
	transferMostTime = 10 * time.Second
)

// expectations is the port that other hosts measure the way to.
type expectations struct {
	mu        sync.Mutex
	listeners []*knock.Listener
	conns     map[net.Conn]bool
	closed    bool
}

// Expect opens the port. It stays open until the connection to the launcher ends.
func (s *server) Expect(_ context.Context, m *pb.ExpectPeers) (*pb.Expecting, error) {
	e := &s.expects
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(m.GetJob()) != 16 || len(m.GetLinkKey()) == 0 {
		return nil, errors.New("peers are expected without a job's name of 16 bytes and its key")
	}
	if e.closed || len(e.listeners) > 0 {
		return nil, errors.New("an agent expects peers once")
	}
	inner, err := listenFacing(m.GetPeers(), m.GetNetworks())
	if err != nil {
		return nil, err
	}
	answer := new(pb.Expecting)
	key := m.GetLinkKey()
	for _, l := range inner {
		d := &pb.Door{Address: l.Addr().String()}
		d.Interface, d.Mtu = interfaceOf(l.Addr())
		answer.Doors = append(answer.Doors, d)
		k := knock.Listen(l, knock.Config{Job: [16]byte(m.GetJob()), Key: func(knock.Knock) []byte { return key }})
		e.listeners = append(e.listeners, k)
		go e.accept(k)
	}
	return answer, nil
}

func (e *expectations) accept(l *knock.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		e.mu.Lock()
		if e.closed {
			e.mu.Unlock()
			c.Close()
			return
		}
		if e.conns == nil {
			e.conns = make(map[net.Conn]bool)
		}
		e.conns[c] = true
		e.mu.Unlock()
		go func() {
			if c.Answer(knock.Accepted) == nil {
				beMeasured(c)
			}
			c.Close()
			e.mu.Lock()
			delete(e.conns, c)
			e.mu.Unlock()
		}()
	}
}

// close closes the port and all that came by it.
func (e *expectations) close() {
	e.mu.Lock()
	e.closed = true
	listeners := e.listeners
	for c := range e.conns {
		c.Close()
	}
	e.mu.Unlock()
	for _, l := range listeners {
		l.Close()
	}
}

// beMeasured answers the one who measures, until that closes conn or is silent.
func beMeasured(conn net.Conn) error {
	var head [headBytes]byte
	for {
		conn.SetDeadline(time.Now().Add(answerWithin))
		if _, err := io.ReadFull(conn, head[:]); err != nil {
			return err
		}
		switch head[0] {
		case headPing:
			if _, err := conn.Write(head[:]); err != nil {
				return err
			}
		case headTransfer:
			return takeTransfer(conn)
		default:
			return fmt.Errorf("a measurement begins with %q, expected %q or %q", head[0], headPing, headTransfer)
		}
	}
}

// takeTransfer takes what comes, and says what came in which time. The clock begins with the
// first byte: so neither the head's time on the way counts, nor what the sender's kernel holds.
func takeTransfer(conn net.Conn) error {
	var bounds [headBytes]byte
	if _, err := io.ReadFull(conn, bounds[:]); err != nil {
		return err
	}
	most := min(binary.LittleEndian.Uint64(bounds[:]), transferMost)
	longest := min(time.Duration(binary.LittleEndian.Uint64(bounds[8:])), transferMostTime)
	buf := make([]byte, 256<<10)
	var taken uint64
	var began time.Time
	for taken < most {
		n, err := conn.Read(buf[:min(uint64(len(buf)), most-taken)])
		if n > 0 && taken == 0 {
			began = time.Now()
			conn.SetReadDeadline(began.Add(longest))
		}
		taken += uint64(n)
		if errors.Is(err, os.ErrDeadlineExceeded) || taken > 0 && time.Since(began) >= longest {
			break
		}
		if err != nil {
			return err
		}
	}
	var elapsed time.Duration
	if taken > 0 {
		elapsed = time.Since(began)
	}
	var said [headBytes]byte
	binary.LittleEndian.PutUint64(said[:], taken)
	binary.LittleEndian.PutUint64(said[8:], uint64(elapsed))
	conn.SetDeadline(time.Now().Add(answerWithin))
	if _, err := conn.Write(said[:]); err != nil {
		return err
	}
	// What is still on its way is thrown away: closing now would reset the connection,
	// which might overtake the answer.
	for {
		if _, err := conn.Read(buf); err != nil {
			return nil
		}
	}
}

// Measure dials all addresses, each by itself, and measures the first road that stands.
func (s *server) Measure(ctx context.Context, m *pb.MeasureWay) (*pb.Measured, error) {
	if len(m.GetJob()) != 16 {
		return nil, errors.New("a way is measured without a job's name of 16 bytes")
	}
	addresses := m.GetAddresses()
	answer := &pb.Measured{Roads: make([]*pb.Road, len(addresses))}
	ctx, cancel := context.WithTimeout(ctx, max(time.Second, time.Duration(m.GetPatienceNanos())))
	defer cancel()
	conns := make([]net.Conn, len(addresses))
	first := make(chan int, len(addresses))
	var dials sync.WaitGroup
	for i, address := range addresses {
		dials.Go(func() {
			road := &pb.Road{Address: address}
			answer.Roads[i] = road
			k := knock.Knock{Job: [16]byte(m.GetJob()), From: uint32(m.GetFrom()), To: uint32(m.GetTo()), Number: uint32(i)}
			began := time.Now()
			conn, err := knock.Dial(ctx, []string{address}, m.GetLinkKey(), k)
			road.ConnectNanos = int64(time.Since(began))
			if err != nil {
				road.Error = roadError(ctx, address, err)
				return
			}
			road.Local = conn.LocalAddr().String()
			road.Interface, _ = interfaceOf(conn.LocalAddr())
			conns[i] = conn
			first <- i
		})
	}
	dials.Wait()
	defer func() {
		for _, c := range conns {
			if c != nil {
				c.(*net.TCPConn).SetLinger(0) // what is left of a transfer would go on
				c.Close()
			}
		}
	}()
	select {
	case i := <-first:
		answer.Address = addresses[i]
		if m.GetTransferBytes() > 0 {
			if err := measure(conns[i], m, answer); err != nil {
				answer.Error = err.Error()
			}
		}
	default:
	}
	return answer, nil
}

// roadError is what a dial has failed at, short enough to be shown.
func roadError(ctx context.Context, address string, err error) string {
	var errno unix.Errno
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(ctx.Err(), context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "nothing comes back"
	case errors.As(err, &errno):
		return errno.Error()
	}
	return strings.TrimPrefix(err.Error(), address+": ")
}

// measure measures the road that conn is.
func measure(conn net.Conn, m *pb.MeasureWay, answer *pb.Measured) error {
	median, err := pings(conn)
	answer.RoundTripNanos = int64(median)
	if err != nil {
		return err
	}
	err = transfer(conn, m, answer)
	if raw, e := conn.(*net.TCPConn).SyscallConn(); e == nil {
		raw.Control(func(fd uintptr) {
			if info, e := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); e == nil {
				answer.PathMtu, answer.Retransmits = int32(info.Pmtu), int64(info.Total_retrans)
			}
		})
	}
	return err
}

// pings returns the median of round trips, without the first, which finds caches cold.
func pings(conn net.Conn) (time.Duration, error) {
	var head, back [headBytes]byte
	var took []time.Duration
	begin := time.Now()
	for n := range mostPings {
		head = [headBytes]byte{headPing, byte(n)}
		sent := time.Now()
		conn.SetDeadline(sent.Add(answerWithin))
		if _, err := conn.Write(head[:]); err != nil {
			return 0, fmt.Errorf("a ping could not be sent: %w", err)
		}
		if _, err := io.ReadFull(conn, back[:]); err != nil {
			return 0, fmt.Errorf("a ping of %d bytes has not come back within %v: %w", headBytes, answerWithin, err)
		}
		if back != head {
			return 0, fmt.Errorf("a ping has come back changed: % x, want % x", back, head)
		}
		if n > 0 || time.Since(sent) > pingsFor {
			took = append(took, time.Since(sent))
		}
		if len(took) > 0 && time.Since(begin) > pingsFor {
			break
		}
	}
	slices.Sort(took)
	return took[len(took)/2], nil
}

// transfer sends until the other end has enough.
func transfer(conn net.Conn, m *pb.MeasureWay, answer *pb.Measured) error {
	head := make([]byte, 2*headBytes)
	head[0] = headTransfer
	binary.LittleEndian.PutUint64(head[headBytes:], uint64(m.GetTransferBytes()))
	binary.LittleEndian.PutUint64(head[headBytes+8:], uint64(m.GetTransferNanos()))
	conn.SetDeadline(time.Now().Add(2*answerWithin + time.Duration(m.GetTransferNanos())))
	if _, err := conn.Write(head); err != nil {
		return fmt.Errorf("a transfer could not begin: %w", err)
	}
	sender := make(chan struct{})
	go func() {
		defer close(sender)
		piece := make([]byte, 256<<10)
		for left := m.GetTransferBytes(); left > 0; {
			n, err := conn.Write(piece[:min(left, int64(len(piece)))])
			if err != nil {
				return
			}
			left -= int64(n)
		}
	}()
	var said [headBytes]byte
	_, err := io.ReadFull(conn, said[:])
	conn.SetWriteDeadline(time.Unix(1, 0)) // enough
	<-sender
	if err != nil {
		return fmt.Errorf("a transfer was not answered: %w", err)
	}
	answer.TransferredBytes = int64(binary.LittleEndian.Uint64(said[:]))
	answer.TransferredNanos = int64(binary.LittleEndian.Uint64(said[8:]))
	return nil
}

// interfaceOf returns name and MTU of the interface that has an address.
func interfaceOf(a net.Addr) (name string, mtu int32) {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return "", 0
	}
	all, err := net.Interfaces()
	if err != nil {
		return "", 0
	}
	for _, i := range all {
		addrs, err := i.Addrs()
		if err != nil {
			continue
		}
		for _, other := range addrs {
			// A whole network may lie on the loopback interface.
			if n, ok := other.(*net.IPNet); ok && (n.IP.Equal(tcp.IP) || i.Flags&net.FlagLoopback != 0 && n.Contains(tcp.IP)) {
				return i.Name, int32(i.MTU)
			}
		}
	}
	return "", 0
}
