package schedule

import (
	"fmt"
	"strings"
)

// load gives all buffers what they hold before the call, and forgets what was done.
func (k *check) load() {
	v := &k.values
	n := len(k.all)
	for len(k.memory) < n*int(Buffers) {
		k.memory = append(k.memory, memory{})
	}
	for r := range n {
		m := &k.meanings[r]
		buf := k.memory[r*int(Buffers):]
		buf[In].fill(m.sizes[In], v.garbage(), 0)
		buf[Temp].fill(m.sizes[Temp], v.garbage(), 0)
		buf[Out].fill(m.sizes[Out], v.untouched(r), 0)
		for _, b := range m.brings {
			if b.Len > 0 {
				k.result = append(k.result[:0], piece{b.Len, value(r), b.index})
				v.store(&buf[b.Buf], b.Span, k.result)
			}
		}
	}
	k.state = append(k.state[:0], make([]stepState, k.base[n])...)
	k.complete = k.complete[:0]
}

// buffer returns where rank r has s.
func (k *check) buffer(r int, s Span) *memory { return &k.memory[r*int(Buffers)+int(s.Buf)] }

// local carries out a Combine or a Move of rank r.
func (k *check) local(r int, t *Step) {
	v := &k.values
	k.read = v.load(k.buffer(r, t.A), t.A, k.read[:0])
	list := k.read
	if t.Kind == Combine {
		k.other = v.load(k.buffer(r, t.B), t.B, k.other[:0])
		k.result = v.merge(k.read, k.other, k.result[:0])
		list = k.result
	}
	v.store(k.buffer(r, t.Dst), t.Dst, list)
}

// transfer carries out message x.
func (k *check) transfer(x int32) {
	m := k.messages[x]
	from, to := int(m.from), int(m.to)
	a := k.all[from].Steps[int(m.send)-k.base[from]].A
	dst := k.all[to].Steps[int(m.recv)-k.base[to]].Dst
	k.read = k.values.load(k.buffer(from, a), a, k.read[:0])
	k.values.store(k.buffer(to, dst), dst, k.read)
}

// play executes all ranks in the strictest way: see Check.
func (k *check) play() error {
	n := len(k.all)
	next := make([]int, n)  // each rank's first step that was not started
	ready := make([]int, n) // ranks to look at, the last first
	for r := range ready {
		ready[r] = n - 1 - r
	}
	for len(ready) > 0 {
		r := ready[len(ready)-1]
		ready = ready[:len(ready)-1]
		for next[r] < len(k.all[r].Steps) && k.waitsFor(r, next[r]) < 0 {
			i := next[r]
			next[r]++
			t, x := &k.all[r].Steps[i], k.base[r]+i
			msg := k.message[x]
			if msg < 0 {
				k.local(r, t)
				k.finish(x)
				continue
			}
			k.state[x] = started
			m := k.messages[msg]
			if k.state[m.send] == idle || k.state[m.recv] == idle {
				continue
			}
			k.transfer(msg)
			k.finish(int(m.send))
			k.finish(int(m.recv))
			if t.Peer != r && next[t.Peer] < len(k.all[t.Peer].Steps) && k.waitsFor(t.Peer, next[t.Peer]) < 0 {
				ready = append(ready, t.Peer)
			}
		}
	}
	if len(k.complete) < len(k.state) {
		return k.stuck(next)
	}
	return nil
}

// waitsFor returns a step that has to complete before rank r may start step i; −1:
// none.
func (k *check) waitsFor(r, i int) int {
	for _, j := range k.all[r].Steps[i].After {
		if k.state[k.base[r]+j] != done {
			return j
		}
	}
	return -1
}

// finish notes that step x is complete.
func (k *check) finish(x int) {
	k.state[x] = done
	k.complete = append(k.complete, int32(x))
}

// stuck says who waits for what.
func (k *check) stuck(next []int) error {
	var b strings.Builder
	lines := 0
	for r, s := range k.all {
		if next[r] == len(s.Steps) {
			continue
		}
		if lines++; lines > 4 {
			b.WriteString("; …")
			break
		}
		j := k.waitsFor(r, next[r])
		fmt.Fprintf(&b, "; rank %d at step %d for step %d (%v)", r, next[r], j, s.Steps[j])
	}
	return fmt.Errorf("%v of %d ranks: deadlock, waiting are%s", k.all[0].Call.Op, len(k.all), strings.TrimPrefix(b.String(), ";"))
}

// everybodyKnows checks that each rank's end is later than every rank's start. A
// step knows which ranks have started when it completes: its own rank, what those
// that it waits for know, and a receive what the message's send did.
func (k *check) everybodyKnows() error {
	words := (len(k.all) + 63) / 64
	known := make([]uint64, words*len(k.state))
	ends := make([]uint64, words*len(k.all))
	// learn adds to dst what step x knows without its message.
	learn := func(dst []uint64, r, x int) {
		dst[r/64] |= 1 << (r % 64)
		for _, j := range k.all[r].Steps[x-k.base[r]].After {
			for w, set := range known[(k.base[r]+j)*words:][:words] {
				dst[w] |= set
			}
		}
	}
	for _, x := range k.complete {
		r, t := k.step(int(x))
		mine := known[int(x)*words:][:words]
		learn(mine, r, int(x))
		if t.Kind == RecvFrom {
			learn(mine, t.Peer, int(k.messages[k.message[x]].send))
		}
		for w, set := range mine {
			ends[r*words+w] |= set
		}
	}
	for r := range k.all {
		ends[r*words+r/64] |= 1 << (r % 64)
		for q := range k.all {
			if ends[r*words+q/64]>>(q%64)&1 == 0 {
				return fmt.Errorf("%v: may end before rank %d has started", k.who(r), q)
			}
		}
	}
	return nil
}
