package rank

import (
	"bytes"
	"context"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"reflect"

	"google.golang.org/protobuf/proto"

	"github.com/muster-mpi/muster/internal/engine"
	"github.com/muster-mpi/muster/internal/record"
)

// Codec turns values into bytes and back, for messages that are no fixed-size
// elements. Sender and receiver must use the same, or the receive is ErrType: the
// name travels with the message, as a number. Both functions may be called by
// several goroutines at once.
type Codec struct {
	Name string
	// Marshal encodes the value that v, a pointer, points to.
	Marshal func(v any) ([]byte, error)
	// Unmarshal decodes b, which it must not keep, into what v points to.
	Unmarshal func(b []byte, v any) error
}

// The codecs that come with Muster. Gob encodes the concrete type of the value,
// JSON as package encoding/json, Proto a protocol buffer message. Without a
// choice a protocol buffer message goes by Proto and all else by Gob.
var (
	Gob = Codec{"gob",
		func(v any) ([]byte, error) {
			var b bytes.Buffer
			err := gob.NewEncoder(&b).Encode(v)
			return b.Bytes(), err
		},
		func(b []byte, v any) error { return gob.NewDecoder(bytes.NewReader(b)).Decode(v) },
	}
	JSON  = Codec{"json", func(v any) ([]byte, error) { return json.Marshal(v) }, json.Unmarshal}
	Proto = Codec{"proto",
		func(v any) ([]byte, error) {
			m, err := message(v, false)
			if err != nil {
				return nil, err
			}
			return proto.Marshal(m)
		},
		func(b []byte, v any) error {
			m, err := message(v, true)
			if err != nil {
				return err
			}
			return proto.Unmarshal(b, m)
		},
	}
)

// message returns the protocol buffer message that v points to: v itself, or
// the pointer in *v, which is made if it is nil and fresh is set.
func message(v any, fresh bool) (proto.Message, error) {
	if m, ok := v.(proto.Message); ok {
		return m, nil
	}
	p := reflect.ValueOf(v).Elem()
	if p.Kind() == reflect.Pointer {
		if fresh && p.IsNil() {
			p.Set(reflect.New(p.Type().Elem()))
		}
		if m, ok := p.Interface().(proto.Message); ok {
			return m, nil
		}
	}
	return nil, fmt.Errorf("%v is no protocol buffer message", p.Type())
}

// number is how c is named in a message.
func (c Codec) number() uint32 {
	for i, known := range []string{"gob", "json", "proto"} {
		if c.Name == known {
			return uint32(i + 1)
		}
	}
	h := fnv.New32a()
	h.Write([]byte(c.Name))
	return h.Sum32() | 1<<31
}

// codecName names a codec's number.
func codecName(n uint32) string {
	if n >= 1 && n <= 3 {
		return [...]string{"gob", "json", "proto"}[n-1]
	}
	return fmt.Sprintf("codec %#x", n)
}

// CodecFor returns the codec that calls on values of type T use when given codecs,
// of which there is one at most: that, or the default. Errors: ErrArgument for more
// than one; ErrCodec if T is an interface type.
func CodecFor[T any](codecs ...Codec) (Codec, error) {
	t := reflect.TypeFor[T]()
	switch {
	case len(codecs) > 1:
		return Codec{}, fmt.Errorf("%w: %d codecs given, at most one is used", ErrArgument, len(codecs))
	case len(codecs) == 1:
		return codecs[0], nil
	case t.Kind() == reflect.Interface:
		return Codec{}, fmt.Errorf("%w: %v is an interface type; send the concrete type", ErrCodec, t)
	}
	isMessage := reflect.TypeFor[proto.Message]()
	if t.Implements(isMessage) || reflect.PointerTo(t).Implements(isMessage) {
		return Proto, nil
	}
	return Gob, nil
}

// SendObject sends one value of any type that codec, or the default for T, can
// encode, as one message. It matches in order with all others, and RecvObject
// receives it. v is encoded before anything is sent, and only what it was then
// travels: gob and JSON leave out unexported fields. T must be a concrete type.
// Blocking and errors: as Send, and ErrCodec; ErrArgument for more than one codec.
func SendObject[T any](ctx context.Context, c *Comm, dest int, tag Tag, v T, codec ...Codec) error {
	p := object(&v, codec)
	return c.send(ctx, record.OpSend, engine.Standard, dest, tag, &p)
}

// IsendObject starts a SendObject; as Isend. v is encoded before it returns and
// may be changed at once.
func IsendObject[T any](c *Comm, dest int, tag Tag, v T, codec ...Codec) Request {
	p := object(&v, codec)
	return c.isend(record.OpIsend, engine.Standard, dest, tag, &p)
}

// object encodes *v.
func object[T any](v *T, codecs []Codec) payload {
	codec, err := CodecFor[T](codecs...)
	if err != nil {
		return payload{err: err}
	}
	b, err := codec.Marshal(v)
	if err != nil {
		return payload{err: fmt.Errorf("%w: %s of %v: %w", ErrCodec, codec.Name, reflect.TypeFor[T](), err)}
	}
	return packed(b, codec.number())
}

// RecvObject receives a value that SendObject sent, as Recv does; Status.Len counts
// encoded bytes. T is the sender's type, or another that the codec decodes its
// bytes into. From Null the value is zero. Errors: those of Recv without
// ErrTruncated; ErrType if the message is no object or of another codec; ErrCodec,
// naming type and source, if it does not decode. The message is gone then.
func RecvObject[T any](ctx context.Context, c *Comm, source int, tag Tag, codec ...Codec) (T, Status, error) {
	var v T
	chosen, err := CodecFor[T](codec...)
	want := payload{err: err}
	if err := c.checkRecv(record.OpRecv, source, tag, &want); err != nil {
		return v, Status{}, err
	}
	if source == Null {
		return v, nullStatus, nil
	}
	m, err := c.mprobe(ctx, record.OpRecv, source, tag)
	if err != nil {
		return v, Status{}, err
	}
	return decode[T](ctx, m, record.OpRecv, chosen)
}

// MrecvObject is RecvObject of a message that Mprobe took.
func MrecvObject[T any](ctx context.Context, m *Message, codec ...Codec) (T, Status, error) {
	var v T
	const op = record.OpMrecv
	chosen, err := CodecFor[T](codec...)
	want := payload{err: err}
	if err := m.check(op, &want); err != nil {
		return v, Status{}, err
	}
	return decode[T](ctx, m, op, chosen)
}

// decode receives m and decodes it.
func decode[T any](ctx context.Context, m *Message, op record.Op, codec Codec) (T, Status, error) {
	var v T
	b := make([]byte, m.status.Bytes)
	want := packed(b, codec.number())
	status, err := m.recv(ctx, op, &want)
	if err != nil || m.m == nil {
		return v, status, err
	}
	if err := codec.Unmarshal(b, &v); err != nil {
		var zero T
		return zero, status, m.c.fail(op.String(), status.Source, status.Tag,
			fmt.Errorf("%w: %d bytes from rank %d as %v by %s: %w", ErrCodec, len(b), status.Source, reflect.TypeFor[T](), codec.Name, err))
	}
	return v, status, nil
}
