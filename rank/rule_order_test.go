package rank_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/muster-mpi/muster/rank"
)

// Rule 1: a message is matched by communicator, source in that communicator
// and tag. How it was sent and how long it is play no part.
func TestRule01EnvelopeAloneDecides(t *testing.T) {
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		defer attach(t, c)()
		d, err := c.Dup(bg)
		ok(t, err)
		reversed, err := c.Split(bg, 0, -c.Rank())
		ok(t, err)
		comms := []*rank.Comm{c, d, reversed}
		tags := []rank.Tag{0, 1, 77, rank.MaxTag}

		// Everyone sends to everyone on every communicator with every tag.
		var sends []rank.Request
		content := func(comm, source, dest, tag int) []byte {
			k := (comm*len(tags)+tag)*w.ranks + dest
			return fill(w.sizes()[(k+source)%len(w.sizes())], source, k)
		}
		for i, comm := range comms {
			for dest := range comm.Size() {
				for j, tag := range tags {
					b := content(i, comm.Rank(), dest, j)
					r, err := modes[(i+j+dest)%len(modes)].send(comm, dest, tag, b)
					ok(t, err)
					sends = append(sends, r)
				}
			}
		}
		// Whoever receives asks in quite another order.
		for i, comm := range slices.Backward(comms) {
			for j, tag := range slices.Backward(tags) {
				for source := range comm.Size() {
					want := content(i, source, comm.Rank(), j)
					got, st, err := rank.RecvAlloc[byte](bg, comm, source, tag)
					ok(t, err)
					if st.Source != source || st.Tag != tag || st.Bytes != len(want) {
						t.Fatalf("%v: status %+v, want source %d, tag %d, %d bytes", comm, st, source, tag, len(want))
					}
					same(t, got, want)
				}
			}
		}
		ok(t, rank.WaitAll(bg, sends...))
	})
}

// event is one step of a script that all ranks follow: a sender sends, or rank
// 0 posts a receive.
type event struct {
	receive bool
	source  int // AnySource in receives only
	tag     rank.Tag
	size    int
	mode    int
	match   int // of a receive: the event that it must get, by the model
}

// script draws events and matches them by two lists and a loop. Every receive
// is met in the end, and so is every message.
func script(rng *rand.Rand, w world, n int) []event {
	var events []event
	var messages, receives []int // unmatched, oldest first
	matches := func(r, m event) bool {
		return (r.source == rank.AnySource || r.source == m.source) && (r.tag == rank.AnyTag || r.tag == m.tag)
	}
	send := func(e event) {
		at := len(events)
		i := slices.IndexFunc(receives, func(r int) bool { return matches(events[r], e) })
		if i >= 0 {
			events[receives[i]].match = at
			receives = slices.Delete(receives, i, i+1)
		} else {
			messages = append(messages, at)
		}
		events = append(events, e)
	}
	post := func(e event) {
		i := slices.IndexFunc(messages, func(m int) bool { return matches(e, events[m]) })
		if i >= 0 {
			e.match = messages[i]
			messages = slices.Delete(messages, i, i+1)
		} else {
			receives = append(receives, len(events))
		}
		events = append(events, e)
	}
	for range n {
		source, tag := 1+rng.IntN(w.ranks-1), rank.Tag(rng.IntN(3))
		if rng.IntN(2) == 0 {
			send(event{source: source, tag: tag, size: w.size(rng), mode: rng.IntN(len(modes))})
			continue
		}
		if rng.IntN(3) == 0 {
			source = rank.AnySource
		}
		if rng.IntN(3) == 0 {
			tag = rank.AnyTag
		}
		post(event{receive: true, source: source, tag: tag})
	}
	for len(messages) > 0 {
		post(event{receive: true, source: rank.AnySource, tag: rank.AnyTag})
	}
	for len(receives) > 0 {
		r := events[receives[0]]
		send(event{source: max(r.source, 1), tag: max(r.tag, 0), size: w.size(rng)})
	}
	return events
}

// Rule 2: messages do not overtake each other, whatever their size, mode and
// tag, and receives do not either. Rank 0 has the steps done one after the
// other, so that a model of two lists knows which message each receive gets.
func TestRule02MessagesDoNotOvertake(t *testing.T) {
	s := seed(t)
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		defer attach(t, c)()
		control, err := c.Dup(bg)
		ok(t, err)
		events := script(rand.New(rand.NewPCG(s, uint64(w.eager))), w, 150)
		type posted struct {
			at  int
			buf []byte
			r   rank.Request
		}
		var receives []posted
		var sends []rank.Request
		for i, e := range events {
			switch {
			case e.receive && c.Rank() == 0:
				p := posted{at: i, buf: make([]byte, 3*w.eager)}
				p.r = rank.Irecv(c, e.source, e.tag, p.buf)
				receives = append(receives, p)
			case !e.receive && c.Rank() == 0:
				// The answer comes behind the message, on the same link.
				ok(t, rank.Send(bg, control, e.source, 0, []int64{int64(i)}))
				_, err := rank.Recv[byte](bg, control, e.source, 1, nil)
				ok(t, err)
			case !e.receive && c.Rank() == e.source:
				at := make([]int64, 1)
				_, err := rank.Recv(bg, control, 0, 0, at)
				ok(t, err)
				if at[0] != int64(i) {
					t.Fatalf("told to do step %d at step %d", at[0], i)
				}
				r, err := modes[e.mode].send(c, 0, e.tag, fill(e.size, e.source, i))
				ok(t, err)
				sends = append(sends, r)
				ok(t, rank.Send[byte](bg, control, 0, 1, nil))
			}
		}
		for _, p := range receives {
			m := events[events[p.at].match]
			st, err := p.r.Wait(bg)
			ok(t, err)
			if st.Source != m.source || st.Tag != m.tag || st.Bytes != m.size {
				t.Fatalf("step %d, receive from %d tag %d: got %+v, want step %d: %s of %d bytes from %d tag %d",
					p.at, events[p.at].source, events[p.at].tag, st, events[p.at].match, modes[m.mode].name, m.size, m.source, m.tag)
			}
			same(t, p.buf[:m.size], fill(m.size, m.source, events[p.at].match))
		}
		ok(t, rank.WaitAll(bg, sends...))
	})
}

// arrival is a message as a receive found it.
type arrival struct {
	source, seq int
	tag         rank.Tag
}

// Rule 2, all at once: nobody waits for anybody, so which message comes first
// is open, but for no pair of messages of one sender and no pair of receives
// may the later have been served before the earlier.
func TestRule02NoPairOvertakesInAFreeForAll(t *testing.T) {
	s := seed(t)
	const each = 60
	everywhere(t, func(t *testing.T, c *rank.Comm, w world) {
		defer attach(t, c)()
		rng := rand.New(rand.NewPCG(s, uint64(c.Rank())))
		if c.Rank() != 0 {
			var sends []rank.Request
			for k := range each {
				b := slices.Concat([]byte{byte(c.Rank()), byte(k)}, make([]byte, w.size(rng)))
				tag := rank.Tag(rng.IntN(3))
				if rng.IntN(4) == 0 {
					ok(t, rank.Send(bg, c, 0, tag, b))
					continue
				}
				r, err := modes[rng.IntN(len(modes))].send(c, 0, tag, b)
				ok(t, err)
				sends = append(sends, r)
			}
			ok(t, rank.WaitAll(bg, sends...))
			return
		}
		// Specific receives might starve behind wildcards, so wildcards of
		// everything come last, one for each message that may be left.
		total := each * (w.ranks - 1)
		type posted struct {
			source int
			tag    rank.Tag
			buf    []byte
			r      rank.Request
			got    *arrival
		}
		var receives []*posted
		for k := range 2 * total {
			p := &posted{source: rank.AnySource, tag: rank.AnyTag, buf: make([]byte, 2+3*w.eager)}
			if k < total && rng.IntN(4) > 0 {
				p.source = 1 + rng.IntN(w.ranks-1)
			}
			if k < total && rng.IntN(4) > 0 {
				p.tag = rank.Tag(rng.IntN(3))
			}
			p.r = rank.Irecv(c, p.source, p.tag, p.buf)
			receives = append(receives, p)
		}
		var requests []rank.Request
		for _, p := range receives {
			requests = append(requests, p.r)
		}
		for got := 0; got < total; {
			done, err := rank.WaitSome(bg, requests...)
			ok(t, err)
			for _, d := range done {
				requests[d.Index] = rank.Request{}
				p := receives[d.Index]
				p.got = &arrival{d.Status.Source, int(p.buf[1]), d.Status.Tag}
				if int(p.buf[0]) != d.Status.Source {
					t.Fatalf("status says rank %d, the message says %d", d.Status.Source, p.buf[0])
				}
				got++
			}
		}
		for i := range requests {
			ok(t, requests[i].Cancel())
		}
		if err := rank.WaitAll(bg, requests...); err == nil {
			t.Error("as many receives as messages, and yet all were met")
		}
		matches := func(p *posted, a *arrival) bool {
			return (p.source == rank.AnySource || p.source == a.source) && (p.tag == rank.AnyTag || p.tag == a.tag)
		}
		for i, p := range receives {
			if p.got == nil {
				continue
			}
			if !matches(p, p.got) {
				t.Errorf("receive %d from %d tag %d got %+v", i, p.source, p.tag, *p.got)
			}
			for j, q := range receives[:i] {
				// q was posted before p and could have had p's message.
				if matches(q, p.got) && (q.got == nil || q.got.source == p.got.source && q.got.seq > p.got.seq) {
					t.Errorf("receive %d got %+v, which belongs to receive %d (got %v)", i, *p.got, j, fmt.Sprint(q.got))
				}
			}
			for j, q := range receives[i+1:] {
				// p was posted before q and could have had q's message.
				if q.got != nil && q.got.source == p.got.source && q.got.seq < p.got.seq && matches(p, q.got) {
					t.Errorf("receive %d got %+v, although receive %d got the earlier %+v", i, *p.got, i+1+j, *q.got)
				}
			}
		}
	})
}
