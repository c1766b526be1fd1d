package stream_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/transport"
	"github.com/muster-mpi/muster/internal/transport/stream"
	"github.com/muster-mpi/muster/internal/transport/stream/streamtest"
	"github.com/muster-mpi/muster/internal/wire"
)

// linkEnd is a link between two ranks, and a goroutine that waits as a rank does.
type linkEnd struct {
	p     pattern
	conn  *stream.Conn
	peer  int
	done  chan struct{} // a batch, or its answer, is here
	wake  chan struct{}
	want  int64 // bytes of a batch or of an answer
	bytes int64
	held  atomic.Int64
	lost  atomic.Bool
	into  []byte
	out   wire.Header
	from  layout.Buffer
}

func newLinkEnd(conn net.Conn, near bool, p pattern) (end, error) {
	return linkOver(conn, near, p, nil)
}

func linkOver(conn net.Conn, near bool, p pattern, cfg func(int, bool) *tls.Config) (end, error) {
	e := &linkEnd{p: p, done: make(chan struct{}, 1), wake: make(chan struct{}, 1)}
	self, sends, receives := 1, 8, p.size
	e.want = int64(p.size) * int64(p.batch)
	if near {
		self, sends, receives, e.want = 0, p.size, 8, 8
	}
	e.peer = 1 - self
	e.into = make([]byte, receives)
	e.out = wire.Header{Kind: wire.Eager, Bytes: uint64(sends)}
	if sends > 64<<10 {
		e.out.Kind = wire.Bulk
	}
	e.from = layout.Of(make([]byte, sends))
	e.conn = stream.New(stream.Config{Self: self, Size: 2, TLS: cfg, Spin: 100 * time.Microsecond, Connect: func(int) error { return nil }}, e)
	e.conn.Attach(e.peer, 1, conn)
	return e, nil
}

func (e *linkEnd) Deliver(_ int, h *wire.Header, payload layout.Buffer) {
	off := 0
	if h.Kind == wire.Bulk {
		off = int(h.Arg)
	}
	payload.ReadAt(e.into[off:off+payload.Len()], 0)
	if e.bytes += int64(payload.Len()); e.bytes == e.want {
		e.bytes = 0
		e.done <- struct{}{}
	}
}

func (e *linkEnd) Sent(int, uint64) { e.held.Add(-1); e.signal() }
func (e *linkEnd) Writable(int)     { e.signal() }
func (e *linkEnd) Idle()            {}
func (e *linkEnd) Lost(int, error) {
	e.lost.Store(true)
	e.signal()
	select {
	case e.done <- struct{}{}:
	default:
	}
}

func (e *linkEnd) signal() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

func (e *linkEnd) send() error {
	for {
		res, err := e.conn.Send(e.peer, &e.out, e.from, 1)
		switch {
		case err != nil:
			return err
		case res == transport.Held:
			for e.held.Add(1) > 4 && !e.lost.Load() {
				e.held.Add(-1)
				<-e.wake
			}
			return nil
		case res == transport.Taken:
			return nil
		}
		<-e.wake
	}
}

func (e *linkEnd) batch() error {
	for range e.p.batch {
		if err := e.send(); err != nil {
			return err
		}
	}
	<-e.done
	if e.lost.Load() {
		return errors.New("link lost")
	}
	return nil
}

func (e *linkEnd) serve() error {
	for {
		<-e.done
		if e.lost.Load() {
			return nil
		}
		if err := e.send(); err != nil {
			return err
		}
	}
}

// rawEnd is the connection and nothing else.
type rawEnd struct {
	conn io.ReadWriter
	p    pattern
	buf  []byte
}

func newRawEnd(conn net.Conn, _ bool, p pattern) (end, error) {
	return &rawEnd{conn, p, make([]byte, p.size)}, nil
}

func (e *rawEnd) batch() error {
	for range e.p.batch {
		for b := e.buf; len(b) > 0; b = b[min(len(b), 256<<10):] {
			if _, err := e.conn.Write(b[:min(len(b), 256<<10)]); err != nil {
				return err
			}
		}
	}
	_, err := io.ReadFull(e.conn, e.buf[:8])
	return err
}

func (e *rawEnd) serve() error {
	for {
		for range e.p.batch {
			if _, err := io.ReadFull(e.conn, e.buf); err != nil {
				return err
			}
		}
		if _, err := e.conn.Write(e.buf[:8]); err != nil {
			return err
		}
	}
}

// polling reads and writes without ever sleeping.
type polling struct {
	conn net.Conn // keeps fd open
	fd   int
}

func newPollingEnd(conn net.Conn, _ bool, p pattern) (end, error) {
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return nil, err
	}
	c := polling{conn: conn}
	if err := raw.Control(func(fd uintptr) { c.fd = int(fd) }); err != nil {
		return nil, err
	}
	return &rawEnd{c, p, make([]byte, p.size)}, nil
}

func (c polling) Read(b []byte) (int, error) {
	for {
		n, err := rawRead(c.fd, b)
		switch {
		case n > 0:
			return n, nil
		case err == nil:
			return 0, io.EOF
		case err != syscall.EAGAIN:
			return 0, err
		}
	}
}

func (c polling) Write(b []byte) (int, error) {
	for done := 0; ; {
		n, err := rawWrite(c.fd, b[done:])
		if n > 0 {
			done += n
		} else if err != syscall.EAGAIN {
			return done, err
		}
		if done == len(b) {
			return done, nil
		}
	}
}

func newTLSEnd(conn net.Conn, near bool, p pattern) (end, error) {
	cfg, err := benchTLS(near)
	if err != nil {
		return nil, err
	}
	if near {
		cfg.InsecureSkipVerify = true
		return &rawEnd{tls.Client(conn, cfg), p, make([]byte, p.size)}, nil
	}
	return &rawEnd{tls.Server(conn, cfg), p, make([]byte, p.size)}, nil
}

func newLinkTLSEnd(conn net.Conn, near bool, p pattern) (end, error) {
	cfg, err := benchTLS(near)
	if err != nil {
		return nil, err
	}
	return linkOver(conn, near, p, func(int, bool) *tls.Config { return cfg })
}

// grpcEnd is a gRPC stream of protobuf messages with default options.
type grpcEnd struct {
	p      pattern
	stream interface {
		SendMsg(m any) error
		RecvMsg(m any) error
	}
	out    *wrapperspb.BytesValue
	failed chan error
}

var benchDesc = grpc.StreamDesc{StreamName: "Frames", ServerStreams: true, ClientStreams: true}

func newGRPCEnd(conn net.Conn, near bool, p pattern) (end, error) {
	e := &grpcEnd{p: p, out: &wrapperspb.BytesValue{Value: make([]byte, p.size)}, failed: make(chan error, 1)}
	most := grpc.MaxCallRecvMsgSize(5 << 20)
	if near {
		cc, err := grpc.NewClient("passthrough:///peer", grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return conn, nil }), grpc.WithDefaultCallOptions(most))
		if err != nil {
			return nil, err
		}
		e.stream, err = cc.NewStream(context.Background(), &benchDesc, "/bench/Frames")
		return e, err
	}
	e.out.Value = make([]byte, 8)
	srv := grpc.NewServer(grpc.MaxRecvMsgSize(5 << 20))
	desc := benchDesc
	desc.Handler = func(_ any, s grpc.ServerStream) error {
		e.stream = s
		e.failed <- e.answer()
		return nil
	}
	srv.RegisterService(&grpc.ServiceDesc{ServiceName: "bench", HandlerType: (*any)(nil), Streams: []grpc.StreamDesc{desc}}, nil)
	srv.Serve(stream.OneConn(conn))
	return e, nil
}

func (e *grpcEnd) batch() error {
	for range e.p.batch {
		if err := e.stream.SendMsg(e.out); err != nil {
			return err
		}
	}
	return e.stream.RecvMsg(new(wrapperspb.BytesValue))
}

func (e *grpcEnd) serve() error { return <-e.failed }

func (e *grpcEnd) answer() error {
	for {
		for range e.p.batch {
			if err := e.stream.RecvMsg(new(wrapperspb.BytesValue)); err != nil {
				return err
			}
		}
		if err := e.stream.SendMsg(e.out); err != nil {
			return err
		}
	}
}

func rawRead(fd int, b []byte) (int, error) {
	n, _, errno := syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	if errno != 0 {
		return -1, errno
	}
	return int(n), nil
}

func rawWrite(fd int, b []byte) (int, error) {
	n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	if errno != 0 {
		return -1, errno
	}
	return int(n), nil
}

// envTLS carries the far end's certificate and key, and the authority's, as hex.
const envTLS = "STREAM_BENCH_TLS"

var minted = sync.OnceValues(func() ([]*tls.Config, error) {
	ids, err := streamtest.Certificates([16]byte{}, 2)
	if err != nil {
		return nil, err
	}
	key, err := x509.MarshalPKCS8PrivateKey(ids[1].Certificates[0].PrivateKey)
	if err != nil {
		return nil, err
	}
	chain := ids[1].Certificates[0].Certificate
	return ids, os.Setenv(envTLS, fmt.Sprintf("%x %x %x", chain[0], key, chain[1]))
})

// benchTLS returns this end's configuration.
func benchTLS(near bool) (*tls.Config, error) {
	if near {
		ids, err := minted()
		if err != nil {
			return nil, err
		}
		return ids[0].Clone(), nil
	}
	var der [3][]byte
	if _, err := fmt.Sscanf(os.Getenv(envTLS), "%x %x %x", &der[0], &der[1], &der[2]); err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(der[1])
	if err != nil {
		return nil, err
	}
	authority, err := x509.ParseCertificate(der[2])
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(authority)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der[0]}, PrivateKey: key}}, RootCAs: pool, ClientCAs: pool}, nil
}
