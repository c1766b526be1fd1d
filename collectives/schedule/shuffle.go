package schedule

import (
	"fmt"
	"math/rand/v2"
)

// shuffled is what shuffle needs.
type shuffled struct {
	unkindness
	rng     *rand.Rand
	waits   []int32 // for each step, how many in its After are not complete
	first   []int32 // for each step, where those that wait for it begin in next
	next    []int32
	ready   []int32   // steps that may start
	flight  []int32   // messages of which both ends have started
	carried [][]piece // what eager messages hold
}

// unkindness is how shuffle chooses.
type unkindness struct {
	eager  bool // sends read and complete when they start, not when the message comes
	early  bool // receives are written when both ends have started, not when they complete
	mixed  bool // messages come in between, not only when no step can start
	choose int  // of steps and messages: 0 the last that could, 3 the first, else any
}

func unkind(seed uint64) unkindness {
	return unkindness{seed&1 != 0, seed&2 != 0, seed&16 != 0, int(seed >> 2 & 3)}
}

// shuffle executes all ranks in an order that only After and the messages bind, as
// unkindly as seed says, and checks the results. A receive's destination holds
// garbage from its start until the message is written. Seeds 0 to 31 are all kinds
// of unkindness; seed 0 starts the last step that can, holds each message back until
// nothing else can be done, and reads what it carries only then.
func (k *check) shuffle(seed uint64) error {
	s := &k.shuffled
	s.unkindness = unkind(seed)
	s.rng = rand.New(rand.NewPCG(seed, 0))
	k.load()
	k.successors()
	for len(s.ready)+len(s.flight) > 0 {
		if len(s.flight) == 0 || len(s.ready) > 0 && (!s.mixed || s.rng.IntN(2) == 0) {
			k.start(s.take(&s.ready))
		} else {
			k.deliver(s.take(&s.flight))
		}
	}
	if len(k.complete) < len(k.state) {
		return fmt.Errorf("%v of %d ranks: deadlock after %d of %d steps", k.all[0].Call.Op, len(k.all), len(k.complete), len(k.state))
	}
	if k.all[0].Call.Op == Barrier {
		return nil
	}
	return k.results()
}

// successors turns After around and finds what can start.
func (k *check) successors() {
	s := &k.shuffled
	n := len(k.state)
	s.waits = append(s.waits[:0], make([]int32, n)...)
	s.first = append(s.first[:0], make([]int32, n+1)...)
	s.ready, s.flight = s.ready[:0], s.flight[:0]
	edges := 0
	for r, all := range k.all {
		for i := range all.Steps {
			after := all.Steps[i].After
			s.waits[k.base[r]+i] = int32(len(after))
			if len(after) == 0 {
				s.ready = append(s.ready, int32(k.base[r]+i))
			}
			for _, j := range after {
				s.first[k.base[r]+j]++
			}
			edges += len(after)
		}
	}
	at := int32(0)
	for x, c := range s.first {
		at += c
		s.first[x] = at // where it ends, to be filled from there
	}
	s.next = append(s.next[:0], make([]int32, edges)...)
	for r, all := range k.all {
		for i := range all.Steps {
			for _, j := range all.Steps[i].After {
				s.first[k.base[r]+j]--
				s.next[s.first[k.base[r]+j]] = int32(k.base[r] + i)
			}
		}
	}
	for len(s.carried) < len(k.messages) {
		s.carried = append(s.carried, nil)
	}
}

// take chooses from list and removes what it returns.
func (s *shuffled) take(list *[]int32) int32 {
	l := *list
	i := len(l) - 1
	switch s.choose {
	case 0:
	case 3:
		i = 0
	default:
		i = s.rng.IntN(len(l))
	}
	x := l[i]
	if s.choose == 3 {
		*list = l[1:]
	} else {
		l[i] = l[len(l)-1]
		*list = l[:len(l)-1]
	}
	return x
}

// start takes step x, which waits for nothing any more.
func (k *check) start(x int32) {
	s := &k.shuffled
	r, t := k.step(int(x))
	msg := k.message[x]
	if msg < 0 {
		k.local(r, t)
		k.ended(x)
		return
	}
	k.state[x] = started
	if t.Kind == RecvFrom {
		k.result = append(k.result[:0], piece{t.Dst.Len, k.values.garbage(), 0})
		k.values.store(k.buffer(r, t.Dst), t.Dst, k.result)
	} else if s.eager {
		s.carried[msg] = k.values.load(k.buffer(r, t.A), t.A, s.carried[msg][:0])
		k.ended(x)
	}
	if m := k.messages[msg]; k.state[m.send] != idle && k.state[m.recv] != idle {
		if s.early {
			k.write(msg)
		}
		s.flight = append(s.flight, msg)
	}
}

// write puts what a message carries where it is received.
func (k *check) write(msg int32) {
	if !k.shuffled.eager {
		k.transfer(msg)
		return
	}
	r, t := k.step(int(k.messages[msg].recv))
	k.values.store(k.buffer(r, t.Dst), t.Dst, k.shuffled.carried[msg])
}

// deliver completes a message of which both ends have started.
func (k *check) deliver(msg int32) {
	if !k.shuffled.early {
		k.write(msg)
	}
	if !k.shuffled.eager {
		k.ended(k.messages[msg].send)
	}
	k.ended(k.messages[msg].recv)
}

// ended completes step x.
func (k *check) ended(x int32) {
	s := &k.shuffled
	k.finish(int(x))
	for _, y := range s.next[s.first[x]:s.first[x+1]] {
		if s.waits[y]--; s.waits[y] == 0 {
			s.ready = append(s.ready, y)
		}
	}
}
