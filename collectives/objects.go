package collectives

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	"github.com/muster-mpi/muster/rank"
)

// The calls on objects move values of any type and any size, which a rank.Codec turns
// into bytes: Gob, or Proto for protocol buffer messages, or what With says. All
// ranks use the same codec, which is checked. MPI has none of these calls; in mpi4py
// they are those with small letters.
//
// If a value cannot be encoded the call fails on every rank, with rank.ErrCodec and
// the reason. If one cannot be decoded it fails on the ranks that were to have it,
// and the communicator's next call is not affected.

// BcastObject returns on every rank a copy of the root's v, and at the root v
// itself. Other ranks may give any v.
//
// Cost: a Bcast of 1 KiB, and for encodings that are longer a second one of the rest.
func BcastObject[T any](ctx context.Context, c *rank.Comm, root int, v T, opts ...Option) (T, error) {
	o, err := newObjects[T](ctx, c, "BcastObject", root, opts)
	if err != nil {
		return v, err
	}
	var b []byte
	if c.Rank() == root {
		b, err = o.encode(v)
	}
	if b, err = o.tell(root, b, err, opts); err != nil || c.Rank() == root {
		return v, err
	}
	return o.decode(b, root)
}

// GatherObject returns at the root the values of all ranks, in rank order; nil
// elsewhere. The root's own is v itself.
//
// Cost: an AllGather of 8 bytes and a GatherV.
func GatherObject[T any](ctx context.Context, c *rank.Comm, root int, v T, opts ...Option) ([]T, error) {
	o, err := newObjects[T](ctx, c, "GatherObject", root, opts)
	if err != nil {
		return nil, err
	}
	b, counts, err := o.prepare(v)
	if err != nil {
		return nil, err
	}
	p := gatherV[byte](c, root, nil, b, Blocks{Counts: counts}, opts)
	all, err := o.do(&p)
	if err != nil || c.Rank() != root {
		return nil, err
	}
	return o.decodeAll(all, counts, v)
}

// AllGatherObject returns on every rank the values of all, in rank order. Its own is
// v itself.
//
// Cost: an AllGather of 8 bytes and an AllGatherV.
func AllGatherObject[T any](ctx context.Context, c *rank.Comm, v T, opts ...Option) ([]T, error) {
	o, err := newObjects[T](ctx, c, "AllGatherObject", 0, opts)
	if err != nil {
		return nil, err
	}
	b, counts, err := o.prepare(v)
	if err != nil {
		return nil, err
	}
	all, err := o.allGather(b, counts, opts)
	if err != nil {
		return nil, err
	}
	return o.decodeAll(all, counts, v)
}

// ScatterObject returns on rank r a copy of the root's values[r], and at the root its
// own itself. The root has one value for every rank; others may give any.
//
// Cost: a Bcast of all lengths and a ScatterV.
func ScatterObject[T any](ctx context.Context, c *rank.Comm, root int, values []T, opts ...Option) (v T, err error) {
	o, err := newObjects[T](ctx, c, "ScatterObject", root, opts)
	if err != nil {
		return v, err
	}
	isRoot := c.Rank() == root
	if isRoot && len(values) != c.Size() {
		return v, o.fail(fmt.Errorf("%w: %d values for %d ranks", rank.ErrArgument, len(values), c.Size()))
	}
	var all, header []byte
	counts := make([]int, c.Size())
	if isRoot {
		all, err = o.encodeAll(values, counts)
		header, _ = json.Marshal(counts)
	}
	if header, err = o.tell(root, header, err, o.more); err != nil {
		return v, err
	}
	if err := json.Unmarshal(header, &counts); err != nil {
		return v, o.fail(fmt.Errorf("%w: lengths from rank %d: %w", rank.ErrCodec, root, err))
	}
	mine := make([]byte, counts[c.Rank()])
	p := scatterV(c, root, mine, all, Blocks{Counts: counts}, opts)
	_, err = o.do(&p)
	switch {
	case err != nil:
		return v, err
	case isRoot:
		return values[root], nil
	}
	return o.decode(mine, root)
}

// prepare encodes v and returns its bytes and the lengths of those of all ranks. It
// fails on all ranks if v could not be encoded on one.
func (o *objects[T]) prepare(v T) ([]byte, []int, error) {
	b, failure := o.encode(v)
	mine := len(b)
	if failure != nil {
		b = []byte(failure.Error())
		mine = ^len(b)
	}
	counts := make([]int, o.c.Size())
	p := allGather(o.c, o.name, counts, []int{mine}, o.more)
	p.op.Name = o.codec.Name
	if err := p.do(o.ctx); err != nil {
		return nil, nil, err
	}
	if slices.Min(counts) >= 0 {
		return b, counts, nil
	}
	// Who failed tells why; the others have nothing to say. The lowest rank's is first.
	first := slices.IndexFunc(counts, func(n int) bool { return n < 0 })
	for r, n := range counts {
		counts[r] = max(0, ^n)
	}
	if failure == nil {
		b = nil
	}
	all, err := o.allGather(b, counts, o.more)
	if err == nil {
		err = o.fail(fmt.Errorf("%w: %s", rank.ErrCodec, all[:counts[first]]))
	}
	return nil, nil, err
}

func (o *objects[T]) allGather(b []byte, counts []int, opts []Option) ([]byte, error) {
	p := allGatherV[byte](o.c, nil, b, Blocks{Counts: counts}, opts)
	return o.do(&p)
}

// decodeAll decodes the values of all ranks; this one's is v.
func (o *objects[T]) decodeAll(all []byte, counts []int, v T) ([]T, error) {
	values := make([]T, len(counts))
	for r, n := range counts {
		if r == o.c.Rank() {
			values[r] = v
		} else {
			var err error
			if values[r], err = o.decode(all[:n], r); err != nil {
				return nil, err
			}
		}
		all = all[n:]
	}
	return values, nil
}

// encodeAll returns the bytes of values one after the other, and their lengths in
// counts.
func (o *objects[T]) encodeAll(values []T, counts []int) (all []byte, err error) {
	for r := range values {
		b, err := o.encode(values[r])
		if err != nil {
			return nil, err
		}
		counts[r] = len(b)
		all = append(all, b...)
	}
	return all, nil
}

// encode returns v's bytes. Its error names the rank, for it is told to others.
func (o *objects[T]) encode(v T) ([]byte, error) {
	b, err := o.codec.Marshal(&v)
	if err != nil {
		return nil, fmt.Errorf("rank %d: %s of %v: %w", o.c.Rank(), o.codec.Name, reflect.TypeFor[T](), err)
	}
	return b, nil
}

// decode returns the value that rank from has encoded as b.
func (o *objects[T]) decode(b []byte, from int) (T, error) {
	var v T
	if err := o.codec.Unmarshal(b, &v); err != nil {
		var zero T
		return zero, o.fail(fmt.Errorf("%w: %d bytes from rank %d as %v by %s: %w", rank.ErrCodec, len(b), from, reflect.TypeFor[T](), o.codec.Name, err))
	}
	return v, nil
}
