package rank_test

import (
	"errors"
	"testing"

	"github.com/muster-mpi/muster/rank"
)

// Rule 12: a synchronous send completes no sooner than the matching receive
// has started.
func TestRule12SsendWaitsForItsReceive(t *testing.T) {
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		right, left := (c.Rank()+1)%w.ranks, (c.Rank()+w.ranks-1)%w.ranks
		for k, n := range w.sizes() {
			s := rank.Issend(c, right, 1, fill(n, c.Rank(), k))
			p := rank.SsendInit(c, right, 1, fill(n, c.Rank(), 50+k))
			q, err := p.Start()
			ok(t, err)
			barrier(t, c)
			for _, r := range []rank.Request{s, q} {
				if _, done, err := r.Test(); done || err != nil {
					t.Fatalf("%d bytes: complete %v, %v before a receive was posted", n, done, err)
				}
			}
			barrier(t, c)
			for _, at := range []int{k, 50 + k} {
				got, _, err := rank.RecvAlloc[byte](bg, c, left, 1)
				ok(t, err)
				same(t, got, fill(n, left, at))
			}
			ok(t, rank.WaitAll(bg, s, q))
		}
	})
}

// Rule 12: a buffered send completes whatever the receiver does, and is
// delivered by DetachBuffer. Without room it is an error and nothing is sent.
func TestRule12BsendIsLocal(t *testing.T) {
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		right, left := (c.Rank()+1)%w.ranks, (c.Rank()+w.ranks-1)%w.ranks
		d, err := c.Dup(bg)
		ok(t, err)
		if err := rank.Bsend(bg, c, right, 1, []byte{1}); !errors.Is(err, rank.ErrBuffer) {
			t.Errorf("without a buffer: %v", err)
		}
		if _, err := c.DetachBuffer(bg); !errors.Is(err, rank.ErrBuffer) {
			t.Errorf("DetachBuffer without a buffer: %v", err)
		}
		if err := c.AttachBuffer(-1); !errors.Is(err, rank.ErrArgument) {
			t.Errorf("AttachBuffer(-1): %v", err)
		}
		sizes := w.sizes()
		room := 0
		for _, n := range sizes {
			room += 2 * (n + rank.BsendOverhead)
		}
		// The world's buffer serves d, which has none.
		ok(t, c.AttachBuffer(room))
		if err := c.AttachBuffer(1); !errors.Is(err, rank.ErrBuffer) {
			t.Errorf("a second buffer: %v", err)
		}
		buf := make([]byte, 3*w.eager)
		for k, n := range sizes {
			copy(buf, fill(n, c.Rank(), k))
			ok(t, rank.Bsend(bg, c, right, 1, buf[:n]))
			copy(buf, fill(n, c.Rank(), 50+k))
			r := rank.Ibsend(d, right, 1, buf[:n])
			if _, done, err := r.Test(); !done || err != nil {
				t.Fatalf("Ibsend: %v, %v", done, err)
			}
			clear(buf)
		}
		// Nobody has received, so messages that had to be offered are still
		// in the buffer.
		if w.eager == 1 || w.unexpected == 1 {
			if err := rank.Bsend(bg, c, right, 1, make([]byte, room)); !errors.Is(err, rank.ErrBuffer) {
				t.Errorf("beyond the room: %v", err)
			}
		}
		barrier(t, c)
		for k, n := range sizes {
			for comm, at := range map[*rank.Comm]int{c: k, d: 50 + k} {
				got, _, err := rank.RecvAlloc[byte](bg, comm, left, 1)
				ok(t, err)
				same(t, got, fill(n, left, at))
			}
		}
		ok(t, c.FlushBuffer(bg))
		if n, err := c.DetachBuffer(bg); n != room || err != nil {
			t.Errorf("DetachBuffer: %d, %v; want %d", n, err, room)
		}
	})
}

// Rule 12: a ready send without a posted receive is an error of the sender and
// its message is not delivered; with one it is a send.
func TestRule12RsendNeedsItsReceive(t *testing.T) {
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		right, left := (c.Rank()+1)%w.ranks, (c.Rank()+w.ranks-1)%w.ranks
		for k, n := range w.sizes() {
			out := fill(n, c.Rank(), k)
			if err := rank.Rsend(bg, c, right, 1, out); !errors.Is(err, rank.ErrNotReady) {
				t.Fatalf("%d bytes: %v", n, err)
			}
			if _, err := rank.Irsend(c, right, 1, out).Wait(bg); !errors.Is(err, rank.ErrNotReady) {
				t.Fatalf("Irsend of %d bytes: %v", n, err)
			}
			barrier(t, c)
			if st, found, err := rank.Iprobe(c, left, 1); found || err != nil {
				t.Fatalf("found %+v, %v", st, err)
			}
			bufs := [][]byte{make([]byte, n), make([]byte, n), make([]byte, n)}
			var rs []rank.Request
			for _, b := range bufs {
				rs = append(rs, rank.Irecv(c, left, 1, b))
			}
			barrier(t, c)
			ok(t, rank.Rsend(bg, c, right, 1, out))
			rs = append(rs, rank.Irsend(c, right, 1, out))
			r, err := rank.RsendInit(c, right, 1, out).Start()
			ok(t, err)
			ok(t, rank.WaitAll(bg, append(rs, r)...))
			for _, b := range bufs {
				same(t, b, fill(n, left, k))
			}
		}
	})
}

// Rule 12: empty messages match, and keep their place among others.
func TestRule12EmptyMessagesCount(t *testing.T) {
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		defer attach(t, c)()
		right, left := (c.Rank()+1)%w.ranks, (c.Rank()+w.ranks-1)%w.ranks
		var sends []rank.Request
		for k, m := range modes {
			r, err := m.send(c, right, 1, nil)
			ok(t, err)
			s, err := m.send(c, right, 1, fill(w.eager+1, c.Rank(), k))
			ok(t, err)
			sends = append(sends, r, s)
		}
		for k := range modes {
			buf := make([]byte, w.eager+1)
			st, err := rank.Recv(bg, c, left, 1, buf)
			ok(t, err)
			if st.Bytes != 0 || st.Source != left || st.Tag != 1 {
				t.Fatalf("message %d: %+v, want an empty one", 2*k, st)
			}
			_, err = rank.Recv(bg, c, left, 1, buf)
			ok(t, err)
			same(t, buf, fill(len(buf), left, k))
		}
		ok(t, rank.WaitAll(bg, sends...))
	})
}

// Rule 13: tags are 0 to MaxTag, a full 63 bits, on every rank. AnyTag is for
// receives and probes only.
func TestRule13TagsAreFullWidth(t *testing.T) {
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		right, left := (c.Rank()+1)%w.ranks, (c.Rank()+w.ranks-1)%w.ranks
		if rank.MaxTag != 1<<63-1 {
			t.Errorf("MaxTag is %d", rank.MaxTag)
		}
		tags := []rank.Tag{0, 1, 32767, 1 << 31, 1<<32 + 1, 1 << 62, rank.MaxTag}
		for k, tag := range tags {
			ok(t, rank.Isend(c, right, tag, fill(w.eager+1, c.Rank(), k)).Free())
		}
		for k := len(tags) - 1; k >= 0; k-- {
			buf := make([]byte, w.eager+1)
			st, err := rank.Recv(bg, c, left, tags[k], buf)
			ok(t, err)
			if st.Tag != tags[k] {
				t.Errorf("tag %d came as %d", tags[k], st.Tag)
			}
			same(t, buf, fill(w.eager+1, left, k))
		}
		for _, tag := range []rank.Tag{rank.AnyTag, -2, -1 << 63} {
			err := rank.Send(bg, c, right, tag, []byte{1})
			_, werr := rank.Isend(c, right, tag, []byte{1}).Wait(bg)
			_, _, terr := rank.Isend(c, right, tag, []byte{1}).Test()
			perr := rank.SendInit(c, right, tag, []byte{1}).Err()
			for _, err := range []error{err, werr, terr, perr} {
				if !errors.Is(err, rank.ErrTag) {
					t.Errorf("send with tag %d: %v", tag, err)
				}
			}
			if tag == rank.AnyTag {
				continue
			}
			_, err = rank.Recv(bg, c, left, tag, []byte{1})
			_, _, perr = rank.Iprobe(c, left, tag)
			for _, err := range []error{err, perr} {
				if !errors.Is(err, rank.ErrTag) {
					t.Errorf("receive with tag %d: %v", tag, err)
				}
			}
		}
	})
}
