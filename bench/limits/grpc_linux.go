package main

import (
	"context"
	"errors"
	"io"
	"net"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const method = "/muster.bench.Plain/Stream"

// maxMessage lets a message of 4 MiB pass, which with its header is over the
// default. Everything else is as gRPC has it.
const maxMessage = 8 << 20

// overGRPC is what a program gets that just uses gRPC: a stream both ways over
// TCP with default options, a BytesValue a message.
func overGRPC(ctx context.Context, o *options) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		return err
	}
	wait, err := second(ctx, "grpc", f)
	f.Close()
	l.Close() // the second process has it
	if err != nil {
		return err
	}
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)))
	if err != nil {
		return err
	}
	defer conn.Close()
	s, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method)
	if err != nil {
		return err
	}
	in := new(wrapperspb.BytesValue)
	for _, size := range o.sizes() {
		out := wrapperspb.Bytes(touched(size))
		each, messages := 1, 2
		if o.test == "bw" {
			each, messages = o.WindowOf(size), o.WindowOf(size)
		}
		err := o.repeat(size, messages, func(n int) error {
			for range n {
				for range each {
					if err := s.SendMsg(out); err != nil {
						return err
					}
				}
				if o.test == "bw" { // an empty message asks for the acknowledgement
					if err := s.SendMsg(new(wrapperspb.BytesValue)); err != nil {
						return err
					}
				}
				if err := s.RecvMsg(in); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if err := s.CloseSend(); err != nil {
		return err
	}
	if err := s.RecvMsg(in); !errors.Is(err, io.EOF) {
		return err
	}
	return wait()
}

// serveGRPC serves one stream on the listener f.
func serveGRPC(f *os.File, o *options) error {
	l, err := net.FileListener(f)
	if err != nil {
		return err
	}
	server := grpc.NewServer(grpc.MaxRecvMsgSize(maxMessage))
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "muster.bench.Plain",
		HandlerType: (*any)(nil),
		Streams: []grpc.StreamDesc{{
			StreamName: "Stream", ClientStreams: true, ServerStreams: true,
			Handler: func(_ any, s grpc.ServerStream) error {
				defer func() { go server.GracefulStop() }()
				return answer(s, o.test == "bw")
			},
		}},
	}, nil)
	return server.Serve(l)
}

// answer echoes messages; of a bandwidth test, only the empty ones.
func answer(s grpc.ServerStream, bandwidth bool) error {
	for {
		m := new(wrapperspb.BytesValue)
		if err := s.RecvMsg(m); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if bandwidth && len(m.GetValue()) > 0 {
			continue
		}
		if err := s.SendMsg(m); err != nil {
			return err
		}
	}
}
