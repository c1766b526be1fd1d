package schedule

import "fmt"

// results checks that Out of every rank holds what the operation defines.
func (k *check) results() error {
	v := &k.values
	c := &k.all[0].Call
	var tree value
	if k.rule == Canonical && c.Op.Reduces() && c.Op != Scan && c.Op != ExScan {
		tree = v.canonicalVector(c.Size)
	}
	for r := range k.all {
		m := &k.meanings[r]
		if (c.Op == Scan || c.Op == ExScan) && k.rule == Canonical && len(m.wants) > 0 {
			tree = v.canonicalPrefix(m.wants[0].until)
		}
		for _, w := range m.wants {
			if w.Len == 0 {
				continue
			}
			k.read = v.load(k.buffer(r, w.Span), w.Span, k.read[:0])
			off, index := w.Off, w.index
			for _, p := range k.read {
				if flaw := k.flaw(p, w, index, tree); flaw != "" {
					return fmt.Errorf("%v, %v: holds %s, %s", k.who(r), Span{Out, off, p.n}, k.holds(p), flaw)
				}
				off, index = off+p.n, index+p.n
			}
		}
	}
	if c.Op == AllReduce {
		return k.alike()
	}
	return nil
}

// flaw returns what is wrong with p, which w says something of; "": nothing.
func (k *check) flaw(p piece, w wanted, index int, tree value) string {
	v := &k.values
	n := &v.nodes[p.val]
	switch {
	case w.from >= 0:
		if p.val != value(w.from) || p.at != index {
			return fmt.Sprintf("want rank %d's elements from %d on", w.from, index)
		}
	case n.flaws&stale != 0:
		return "some of which is no input"
	case n.flaws&twice != 0:
		return "in which a rank counts twice"
	case n.flaws&skewed != 0 || p.at != index:
		return fmt.Sprintf("want elements from %d on only", index)
	case !v.holds(p.val, w.until):
		return fmt.Sprintf("want ranks 0 to %d", w.until-1)
	case k.rule == Ordered && !n.ordered:
		return "not in rank order"
	case k.rule == Canonical && p.val != tree:
		return "want " + v.text(tree)
	}
	return ""
}

// holds spells what p holds.
func (k *check) holds(p piece) string {
	if k.values.leaf(p.val) && int(p.val) >= k.values.size {
		return k.values.text(p.val)
	}
	return fmt.Sprintf("%s from %d on", k.values.text(p.val), p.at)
}

// alike checks that all ranks' results have the same bits where addition commutes.
func (k *check) alike() error {
	v := &k.values
	w := k.meanings[0].wants[0].Span
	if w.Len == 0 {
		return nil
	}
	first := v.load(k.buffer(0, w), w, nil)
	for r := 1; r < len(k.all); r++ {
		k.read = v.load(k.buffer(r, w), w, k.read[:0])
		a, off := first[0], w.Off
		for i, j := 0, 0; ; {
			b := k.read[j]
			if a.val != b.val && v.unturned(a.val) != v.unturned(b.val) {
				return fmt.Errorf("%v, %v: holds %s, rank 0 %s, which rounds differently",
					k.who(r), Span{Out, off, min(a.n, b.n)}, v.text(b.val), v.text(a.val))
			}
			n := min(a.n, b.n)
			off += n
			if k.read[j].n -= n; k.read[j].n == 0 {
				j++
			}
			if a.n -= n; a.n == 0 {
				if i++; i == len(first) {
					break
				}
				a = first[i]
			}
		}
	}
	return nil
}
