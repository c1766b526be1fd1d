package collectives

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/muster-mpi/muster/collectives/schedule"
	"github.com/muster-mpi/muster/rank"
)

// objects is a call on values of type T.
type objects[T any] struct {
	ctx   context.Context
	c     *rank.Comm
	name  string
	codec rank.Codec
	more  []Option // for what it does besides the operation that Using is about
}

// newObjects begins the call called name. Nothing is sent if its arguments are wrong.
func newObjects[T any](ctx context.Context, c *rank.Comm, name string, root int, opts []Option) (*objects[T], error) {
	o := &objects[T]{ctx: ctx, c: c, name: name, more: withoutUsing(opts)}
	var p plan[byte]
	p.begin(c, name, schedule.Bcast, opts)
	p.refuseAcross()
	p.rooted(root)
	codec, err := rank.CodecFor[T](p.set.codecs...)
	if p.err != nil {
		err = p.err
	}
	o.codec = codec
	return o, o.fail(err)
}

// fail is plan.fail of the call.
func (o *objects[T]) fail(err error) error {
	return (&plan[byte]{c: o.c, name: o.name}).fail(blocking, err)
}

// do carries p out as a part of the call and returns its large buffer. The codec
// takes the place of an operation where calls are compared.
func (o *objects[T]) do(p *plan[byte]) ([]byte, error) {
	p.name, p.op.Name = o.name, o.codec.Name
	err := p.do(o.ctx)
	return p.large(nil), err
}

// An encoding of which the receiver does not know the length begins with a head:
// the length, or its complement if the bytes are the text of an error instead, and as
// much of the bytes as fits. The rest follows.
const (
	headSize = 1 << 10
	headRoom = headSize - 8
)

// headOf returns the head and the bytes of what a rank has to tell: b, or failure.
func headOf(b []byte, failure error) (head, body []byte) {
	n := len(b)
	if failure != nil {
		b = []byte(failure.Error())
		n = ^len(b)
	}
	head = make([]byte, headSize)
	binary.LittleEndian.PutUint64(head, uint64(n))
	copy(head[8:], b)
	return head, b
}

// lengthIn returns how many bytes head announces, and whether they are an error's.
func lengthIn(head []byte) (n int, failed bool) {
	if n = int(int64(binary.LittleEndian.Uint64(head))); n < 0 {
		return ^n, true
	}
	return n, false
}

// tell gives every rank the root's b, by one Bcast of the head and mostly no other.
// If the root says why it has none, that is the error of all.
func (o *objects[T]) tell(root int, b []byte, failure error, opts []Option) ([]byte, error) {
	isRoot := o.c.Rank() == root
	head, body := headOf(b, failure)
	p := bcast(o.c, root, head, opts)
	if _, err := o.do(&p); err != nil {
		return nil, err
	}
	n, failed := lengthIn(head)
	if !isRoot {
		body = make([]byte, n)
		copy(body, head[8:])
	}
	if n > headRoom {
		p := bcast(o.c, root, body[headRoom:], opts)
		if _, err := o.do(&p); err != nil {
			return nil, err
		}
	}
	switch {
	case !failed:
		return body, nil
	case isRoot:
		return nil, o.fail(fmt.Errorf("%w: %w", rank.ErrCodec, failure))
	}
	return nil, o.fail(fmt.Errorf("%w: %s", rank.ErrCodec, body))
}
