package schedule

// run is a piece of a buffer, up to the next run, whose elements have one value:
// element i has index i+base.
type run struct {
	off  int
	val  value
	base int
}

// memory is what a buffer holds.
type memory struct {
	size int
	runs []run // of the whole buffer, ascending
}

// fill makes m a buffer of n elements that hold val, element i with index i+base.
func (m *memory) fill(n int, val value, base int) {
	m.size = n
	m.runs = append(m.runs[:0], run{0, val, base})
}

// at returns which run element i lies in.
func (m *memory) at(i int) int {
	lo, hi := 0, len(m.runs)
	for hi-lo > 1 {
		if mid := int(uint(lo+hi) / 2); m.runs[mid].off <= i {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo
}

// end returns where run k ends.
func (m *memory) end(k int) int {
	if k+1 < len(m.runs) {
		return m.runs[k+1].off
	}
	return m.size
}

// piece is what n elements in a row hold, wherever they are; the first has index at.
type piece struct {
	n   int
	val value
	at  int
}

// part returns the piece of p that begins n elements into it.
func (v *values) part(p piece, skip, n int) piece {
	if p.val == v.garbage() {
		return piece{n, p.val, 0}
	}
	return piece{n, p.val, p.at + skip}
}

// load appends to list what s holds.
func (v *values) load(m *memory, s Span, list []piece) []piece {
	for k, off := m.at(s.Off), s.Off; off < s.Off+s.Len; k++ {
		n := min(m.end(k), s.Off+s.Len) - off
		r := m.runs[k]
		list = append(list, v.part(piece{n, r.val, r.base}, off, n))
		off += n
	}
	return list
}

// store writes list, which is as long as s, to s.
func (v *values) store(m *memory, s Span, list []piece) {
	first, last := m.at(s.Off), m.at(s.Off+s.Len-1)
	after := m.end(last)
	base := func(p piece, off int) int {
		if p.val == v.garbage() {
			return 0
		}
		return p.at - off
	}
	if first == last && len(list) == 1 && m.runs[first].off == s.Off && after == s.Off+s.Len {
		m.runs[first].val, m.runs[first].base = list[0].val, base(list[0], s.Off)
		return
	}
	// The neighbours are written anew as well, so that they become one run with s if
	// they can.
	first, last = max(first-1, 0), min(last+1, len(m.runs)-1)
	var room [16]run
	now := room[:0]
	add := func(r run) {
		if n := len(now); n == 0 || now[n-1].val != r.val || now[n-1].base != r.base {
			now = append(now, r)
		}
	}
	for k := first; k <= last && m.runs[k].off < s.Off; k++ {
		add(m.runs[k])
	}
	off := s.Off
	for _, p := range list {
		add(run{off, p.val, base(p, off)})
		off += p.n
	}
	for k := first; k <= last; k++ {
		if end := m.end(k); end > off {
			add(run{max(off, m.runs[k].off), m.runs[k].val, m.runs[k].base})
		}
	}
	m.replace(first, last+1, now)
}

// replace puts now in the place of runs first to last−1.
func (m *memory) replace(first, last int, now []run) {
	old, grow := len(m.runs), len(now)-(last-first)
	if grow > 0 {
		m.runs = append(m.runs, now[:grow]...)
	}
	copy(m.runs[last+grow:], m.runs[last:old])
	copy(m.runs[first:], now)
	m.runs = m.runs[:old+grow]
}

// merge appends to list what a ⊕ b holds.
func (v *values) merge(a, b, list []piece) []piece {
	for len(a) > 0 {
		n := min(a[0].n, b[0].n)
		x, y := a[0], b[0]
		list = append(list, piece{n, v.combine(x.val, y.val, y.at-x.at), x.at})
		if a[0] = v.part(x, n, x.n-n); a[0].n == 0 {
			a = a[1:]
		}
		if b[0] = v.part(y, n, y.n-n); b[0].n == 0 {
			b = b[1:]
		}
	}
	return list
}
