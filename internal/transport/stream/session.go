package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/experimental"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"

	"github.com/muster-mpi/muster/internal/wire"
	"github.com/muster-mpi/muster/proto"
)

// attachment is a connection that can be closed by several parties and says
// when it was.
type attachment struct {
	net.Conn
	once   sync.Once
	closed chan struct{}
}

func newAttachment(conn net.Conn) *attachment {
	return &attachment{Conn: conn, closed: make(chan struct{})}
}

func (a *attachment) Close() error {
	err := net.ErrClosed
	a.once.Do(func() {
		err = a.Conn.Close()
		close(a.closed)
	})
	return err
}

// session is one connection in use: a gRPC client or server with one stream.
type session struct {
	a      *attachment
	polled *polled // what a carries, if it polls
	plain  bool    // no TLS lies over it
	stream packets
	sums   bool // the packets sent carry a checksum
	checks bool // and so do the packets received
	up     bool // the handshake is over; guarded by link.mu
	shut   []func()
	err    error // why it ended; guarded by link.mu
}

// packets is what grpc.ClientStream and grpc.ServerStream have in common.
type packets interface {
	SendMsg(m any) error
	RecvMsg(m any) error
}

// breakLocked ends the session; the first cause stands. The link's mu is held.
func (s *session) breakLocked(cause error) {
	if s.err == nil {
		s.err = cause
	}
	s.a.Close()
}

// close stops everything the session started. When it returns, gRPC's writer
// has ended and will not read again what it was given to send: the server's
// because Stop waits for it, the client's because gRPC closes a connection
// only after it.
func (s *session) close() {
	s.a.Close()
	for i := len(s.shut) - 1; i >= 0; i-- {
		s.shut[i]()
	}
	s.shut = nil
}

// window is HTTP/2's flow control window. It only has to be larger than what a
// link has under way, which is bounded by Config.Window of the sender; fixed,
// so that gRPC does not estimate it with pings.
const window = 16 << 20

// maxHeaders bounds the headers of the one call that a connection carries.
const maxHeaders = 8 << 10

// ready is a connection that gRPC reads by ReadOnReady.
type ready struct {
	net.Conn
	socket *polled
}

func (r ready) ReadOnReady(size int, pool mem.BufferPool) (*[]byte, int, error) {
	return r.socket.ReadOnReady(size, pool)
}

// open makes the stream: TLS if configured, then gRPC. It blocks until the peer
// has done its half or the attachment is closed.
func (s *session) open(l *link) error {
	cfg := &l.c.cfg
	client := cfg.Self < l.peer
	conn, read := net.Conn(s.a), cfg.Buffer
	s.polled, _ = s.a.Conn.(*polled)
	s.plain = true
	if cfg.TLS != nil {
		var err error
		if conn, err = Secure(s.a, cfg.TLS(l.peer, client), client, Identity(cfg.Job, l.peer), cfg.Buffer); err != nil {
			return err
		}
		s.plain, read = false, recordBytes
	}
	if client {
		return s.dial(conn, read, cfg.Buffer)
	}
	return s.serve(conn, read, cfg.Buffer)
}

// onto returns conn, which is or wraps the session's, as gRPC is to read it.
func (s *session) onto(conn net.Conn) net.Conn {
	if s.polled != nil && s.plain {
		return ready{conn, s.polled}
	}
	return conn
}

// unchecked tells whether nothing below the link notices changed bytes better
// than TCP's 16-bit sum.
func unchecked(cfg *Config, conn net.Conn) bool {
	return cfg.TLS == nil && conn.LocalAddr() != nil && strings.HasPrefix(conn.LocalAddr().Network(), "tcp")
}

func (s *session) dial(conn net.Conn, read, write int) error {
	once := make(chan net.Conn, 1)
	given := newAttachment(conn)
	once <- s.onto(given)
	cc, err := grpc.NewClient("passthrough:///peer",
		grpc.WithTransportCredentials(insecure.NewCredentials()), // conn is secured already, or need not be
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
			select {
			case conn := <-once:
				return conn, nil
			default:
				return nil, errors.New("the connection was used up")
			}
		}),
		grpc.WithNoProxy(),
		grpc.WithDisableServiceConfig(),
		grpc.WithDisableRetry(),
		grpc.WithIdleTimeout(0),
		grpc.WithStaticStreamWindowSize(window),
		grpc.WithStaticConnWindowSize(window),
		grpc.WithMaxHeaderListSize(maxHeaders),
		grpc.WithReadBufferSize(read),
		grpc.WithWriteBufferSize(write),
		experimental.WithBufferPool(buffers),
		grpc.WithDefaultCallOptions(
			grpc.ForceCodecV2(rawCodec{}),
			grpc.MaxCallRecvMsgSize(maxPacket),
			grpc.MaxCallSendMsgSize(maxPacket),
			grpc.MaxRetryRPCBufferSize(0),
		))
	if err != nil {
		return fmt.Errorf("gRPC client: %w", err)
	}
	s.shut = append(s.shut, func() {
		cc.Close()
		select {
		case <-once: // gRPC never had it
		case <-given.closed:
		}
	})
	ctx, cancel := context.WithCancel(context.Background())
	s.shut = append(s.shut, cancel)
	stream, err := proto.NewLinkClient(cc).Frames(ctx)
	if err != nil {
		return fmt.Errorf("gRPC stream: %w", err)
	}
	s.stream = stream
	return nil
}

func (s *session) serve(conn net.Conn, read, write int) error {
	srv := grpc.NewServer(
		grpc.ForceServerCodecV2(rawCodec{}),
		grpc.MaxConcurrentStreams(1),
		grpc.MaxHeaderListSize(maxHeaders),
		grpc.StaticStreamWindowSize(window),
		grpc.StaticConnWindowSize(window),
		grpc.ReadBufferSize(read),
		grpc.WriteBufferSize(write),
		experimental.BufferPool(buffers),
		grpc.MaxRecvMsgSize(maxPacket),
		grpc.MaxSendMsgSize(maxPacket),
		grpc.WaitForHandlers(true),
	)
	svc := &linkServer{streams: make(chan packets, 1), done: make(chan struct{})}
	proto.RegisterLinkServer(srv, svc)
	s.shut = append(s.shut, srv.Stop, func() { close(svc.done) })
	srv.Serve(&oneConn{conn: s.onto(conn)}) // returns at once: its listener has one connection
	select {
	case s.stream = <-svc.streams:
		return nil
	case <-s.a.closed:
		return errors.New("gRPC stream: connection closed before the peer opened it")
	}
}

// linkServer hands the connection's one stream over and keeps it open.
type linkServer struct {
	proto.UnimplementedLinkServer
	streams chan packets
	done    chan struct{}
	once    sync.Once
}

func (s *linkServer) Frames(stream grpc.BidiStreamingServer[proto.Packet, proto.Packet]) error {
	err := status.Error(codes.ResourceExhausted, "a connection has one stream")
	s.once.Do(func() {
		s.streams <- stream
		<-s.done
		err = nil
	})
	return err
}

// oneConn is a net.Listener that accepts one connection.
type oneConn struct{ conn net.Conn }

func (o *oneConn) Accept() (net.Conn, error) {
	if o.conn == nil {
		return nil, io.EOF
	}
	conn := o.conn
	o.conn = nil
	return conn, nil
}

func (o *oneConn) Close() error   { return nil }
func (o *oneConn) Addr() net.Addr { return peerAddr{} }

type peerAddr struct{}

func (peerAddr) Network() string { return "muster" }
func (peerAddr) String() string  { return "peer" }

// greet exchanges the handshake and returns what the peer said.
func (s *session) greet(l *link) (*hello, error) {
	cfg := &l.c.cfg
	l.mu.Lock()
	s.sums = unchecked(cfg, s.a)
	mine := hello{
		protocol: wire.Protocol, from: uint32(cfg.Self), to: uint32(l.peer), size: uint32(cfg.Size),
		job: cfg.Job, incarnation: cfg.Incarnation, received: l.received, checks: s.sums,
	}
	l.mu.Unlock()
	out := newOutgoing(mine.encode(), nil)
	// The server answers, so a client that has an answer knows that its own
	// handshake has arrived, and both ends can name what differs.
	client := cfg.Self < l.peer
	if client {
		if err := s.stream.SendMsg(out); err != nil {
			return nil, fmt.Errorf("handshake: %w", err)
		}
	}
	var in incoming
	if err := s.stream.RecvMsg(&in); err != nil {
		return nil, fmt.Errorf("handshake: %w", err)
	}
	defer in.bufs.Free()
	if !client {
		if err := s.stream.SendMsg(out); err != nil {
			return nil, fmt.Errorf("handshake: %w", err)
		}
	}
	c := newCursor(in.bufs)
	var scratch []byte
	var theirs hello
	err := theirs.parse(c.take(min(c.left, helloBytes+1), &scratch))
	if err == nil {
		err = theirs.agrees(&mine)
	}
	if err != nil {
		return nil, err
	}
	s.checks = theirs.checks
	return &theirs, nil
}
