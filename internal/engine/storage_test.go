package engine

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// A queue is a slice that is pushed to at its end and popped from at its start.
func TestQueueIsASlice(t *testing.T) {
	for seed := range uint64(500) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var q queue[int]
		var twin []int
		for i := range 100 {
			switch k := rng.IntN(4); {
			case k < 2:
				q.push(i)
				twin = append(twin, i)
			case k == 2 && len(twin) > 0:
				if q.front() != twin[0] {
					t.Fatalf("seed %d: front %d, want %d", seed, q.front(), twin[0])
				}
				q.pop()
				twin = twin[1:]
			case k == 3:
				busy, rest := rng.IntN(2) == 0, rng.IntN(5)
				at := slices.IndexFunc(twin, func(v int) bool { return v%5 == rest && !(busy && v == twin[0]) })
				if q.remove(busy, func(v *int) bool { return *v%5 == rest }) != (at >= 0) {
					t.Fatalf("seed %d: remove disagrees, want %v", seed, at >= 0)
				}
				if at >= 0 {
					twin = slices.Delete(slices.Clone(twin), at, at+1)
				}
			}
			var got []int
			for i := range q.len() {
				got = append(got, *q.at(i))
			}
			if !slices.Equal(got, twin) {
				t.Fatalf("seed %d: %v, want %v", seed, got, twin)
			}
		}
	}
}

// The pool lends what was asked for, twice never the same memory, and keeps
// little after a burst.
func TestBytePool(t *testing.T) {
	var p bytePool
	var lent [][]byte
	for _, n := range []int{0, 1, 63, 64, 65, 1000, 1024, 1 << 20, MaxEagerBytes, 1 << 26} {
		for range 40 {
			b := p.get(n)
			if len(b) != n || cap(b) > max(64, 2*n) {
				t.Fatalf("get(%d) has length %d and capacity %d", n, len(b), cap(b))
			}
			if n <= 1024 {
				lent = append(lent, b)
			} else {
				p.put(b)
			}
		}
	}
	seen := make(map[*byte]bool)
	for _, b := range lent {
		if len(b) > 0 {
			if seen[&b[0]] {
				t.Fatal("memory is lent twice")
			}
			seen[&b[0]] = true
		}
		p.put(b)
	}
	for c, list := range p {
		if len(list)<<c > spareBytes {
			t.Errorf("%d buffers of %d bytes are kept", len(list), 1<<c)
		}
	}
}

// A context's name survives the wire, and nothing else is taken for one.
func TestContextIDRoundTrip(t *testing.T) {
	id := ContextID{Leader: 0x01020304, Incarnation: 0x05060708, Counter: 0x1112131415161718}
	b := id.Append(nil)
	want := "\x04\x03\x02\x01\x08\x07\x06\x05\x18\x17\x16\x15\x14\x13\x12\x11"
	if string(b) != want {
		t.Errorf("% x, want % x", b, want)
	}
	if got, err := ParseContextID(b); err != nil || got != id {
		t.Errorf("%v, %v", got, err)
	}
	for n := range 20 {
		if _, err := ParseContextID(make([]byte, n)); (err == nil) != (n == ContextIDBytes) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}
