package schedule

// wellFormed checks each step by itself.
func (k *check) wellFormed() error {
	for r, s := range k.all {
		for i := range s.Steps {
			if err := k.stepFormed(r, i); err != nil {
				return err
			}
		}
	}
	return nil
}

// stepFormed checks step i of rank r.
func (k *check) stepFormed(r, i int) error {
	m, t := &k.meanings[r], &k.all[r].Steps[i]
	if t.Kind > Move {
		return k.wrong(r, i, "no such kind")
	}
	last := -1
	for _, j := range t.After {
		if j <= last || j >= i {
			return k.wrong(r, i, "waits for step %d, want earlier steps, ascending", j)
		}
		last = j
	}
	if t.Kind == SendTo || t.Kind == RecvFrom {
		if t.Peer < 0 || t.Peer >= len(k.all) {
			return k.wrong(r, i, "no such peer, the size is %d", len(k.all))
		}
	}
	var room [3]Span
	spans, written := t.spans(&room)
	for _, s := range spans {
		if s.Buf >= Buffers || s.Off < 0 || s.Len <= 0 || s.Off > m.sizes[s.Buf]-s.Len {
			if s.Buf < Buffers {
				return k.wrong(r, i, "%v is no part of %v, which has %d elements", s, s.Buf, m.sizes[s.Buf])
			}
			return k.wrong(r, i, "no such buffer")
		}
		if s.Len != spans[0].Len {
			return k.wrong(r, i, "spans of different lengths")
		}
	}
	if !written {
		return nil
	}
	if !m.allows(t.Dst) {
		return k.wrong(r, i, "writes where the operation lets nobody write")
	}
	for _, s := range spans[1:] {
		if t.Dst.Overlaps(s) && (t.Kind == Move || s != t.Dst) {
			return k.wrong(r, i, "the result overlaps an operand")
		}
	}
	return nil
}

// spans returns the spans that t touches, in room; it writes the first if written
// is true and none else.
func (t *Step) spans(room *[3]Span) (list []Span, written bool) {
	switch t.Kind {
	case SendTo:
		room[0] = t.A
		return room[:1], false
	case RecvFrom:
		room[0] = t.Dst
		return room[:1], true
	case Combine:
		*room = [3]Span{t.Dst, t.A, t.B}
		return room[:3], true
	}
	*room = [3]Span{t.Dst, t.A}
	return room[:2], true
}

// match finds which send and receive make up each message.
func (k *check) match() error {
	p := len(k.all)
	k.counts = append(k.counts[:0], make([]int32, p*p+1)...)
	k.message = k.message[:0]
	n := 0
	for r, s := range k.all {
		for i := range s.Steps {
			k.message = append(k.message, -1)
			if t := &s.Steps[i]; t.Kind == SendTo {
				if c := &k.counts[r*p+t.Peer]; t.Number != int(*c) {
					return k.wrong(r, i, "has number %d, but is message %d to rank %d", t.Number, *c, t.Peer)
				}
				k.counts[r*p+t.Peer]++
				n++
			}
		}
	}
	at := int32(0)
	for i, c := range k.counts {
		k.counts[i] = at
		at += c
	}
	k.messages = append(k.messages[:0], make([]message, n)...)
	for r, s := range k.all {
		for i := range s.Steps {
			if t := &s.Steps[i]; t.Kind == SendTo {
				x := k.counts[r*p+t.Peer] + int32(t.Number)
				k.messages[x] = message{int32(r), int32(t.Peer), int32(k.base[r] + i), -1}
				k.message[k.base[r]+i] = x
			}
		}
	}
	return k.matchReceives()
}

// matchReceives is the part of match that finds who receives what was found sent.
func (k *check) matchReceives() error {
	p := len(k.all)
	for r, s := range k.all {
		for i := range s.Steps {
			t := &s.Steps[i]
			if t.Kind != RecvFrom {
				continue
			}
			pair := t.Peer*p + r
			if n := int(k.counts[pair+1] - k.counts[pair]); t.Number < 0 || t.Number >= n {
				return k.wrong(r, i, "rank %d sends %d messages", t.Peer, n)
			}
			x := int(k.counts[pair]) + t.Number
			m := &k.messages[x]
			if m.recv >= 0 || t.Number > 0 && k.messages[x-1].recv < 0 {
				return k.wrong(r, i, "receives from rank %d not in the order of their numbers", t.Peer)
			}
			m.recv = int32(k.base[r] + i)
			k.message[k.base[r]+i] = int32(x)
			if _, send := k.step(int(m.send)); send.A.Len != t.Dst.Len {
				return k.wrong(r, i, "rank %d sends %d elements", t.Peer, send.A.Len)
			}
		}
	}
	for _, m := range k.messages {
		if m.recv < 0 {
			return k.wrong(int(m.from), int(m.send)-k.base[m.from], "nobody receives it")
		}
	}
	return nil
}

// step returns step x of all and whose it is, which it looks up in O(log ranks).
func (k *check) step(x int) (rank int, t *Step) {
	lo, hi := 0, len(k.all)
	for hi-lo > 1 {
		if mid := int(uint(lo+hi) / 2); k.base[mid] <= x {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo, &k.all[lo].Steps[x-k.base[lo]]
}
