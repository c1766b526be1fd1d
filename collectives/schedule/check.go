package schedule

import (
	"fmt"
	"sync"
)

// All returns the schedules of all ranks of a call: what build writes for
// call(0), call(1), …. It uses the memory of old, schedules that nobody needs any
// more, if any.
func All(old []*Schedule, call func(rank int) Call, build func(*Schedule, *Call)) []*Schedule {
	first := call(0)
	for len(old) < first.Size {
		old = append(old, New(Call{}))
	}
	all := old[:first.Size]
	for r, s := range all {
		c := call(r)
		s.Reset(c)
		build(s, &c)
	}
	return all
}

// Check returns nil if the schedules of all ranks carry out the call, whatever
// the timing, or an error that says what is wrong, on which rank, at which step.
// It trusts nothing that a builder has derived. It proves, in this order:
//
// That the schedules are well formed: spans lie in their buffers; nothing writes
// to In, nor to Out where the operation does not say so (holes between blocks, Out
// of rank 0 in ExScan, Out of ranks other than Root in Gather and Reduce); the k-th
// step that sends from a to b has number k, as does the k-th that receives, and
// both are of one length; nothing stays unreceived.
//
// That of every two steps of a rank whose spans conflict (both touch an element
// and one writes it) the later one waits for the earlier one, through a chain of
// After. So with the numbers of the messages what each step reads is settled, and
// one execution shows the values of all.
//
// That nobody waits for ever, in the strictest way to execute: a rank takes its
// steps in order, starts none before those in its After are complete, starts sends
// and receives without waiting for them, and a send completes only when its
// receive has started. Every laxer way (eager sends, steps out of order as After
// allows) waits for less.
//
// That every element of Out ends up as the operation defines: the right element of
// the right rank where data moves; where it is reduced, each rank's element at that
// index once, in rank order if rule is Ordered, in the brackets of Canonical if it
// is that; and on all ranks of an AllReduce in the same brackets but for which
// operand is left, since all have to get the same bits. What was never written, and
// what Out held before, is nobody's result. Of Barrier instead, that what a rank
// ends with is, by After and messages alone, later than every rank's start.
//
// Each seed then adds an execution that takes the steps in an order of its own,
// as After allows, and delivers messages as unkindly as is allowed: see shuffle.
// These cannot fail where the proofs are right.
//
// It costs O(steps · (pieces a step's spans are in + steps of its rank / 64)) and
// memory for the square of the number of ranks, not more for long vectors than for
// short ones.
func Check(all []*Schedule, rule Bracketing, seeds ...uint64) error {
	k := checks.Get().(*check)
	defer checks.Put(k)
	if err := k.prove(all, rule); err != nil {
		return fmt.Errorf("schedule: %w", err)
	}
	for _, seed := range seeds {
		if err := k.shuffle(seed); err != nil {
			return fmt.Errorf("schedule: seed %d: %w", seed, err)
		}
	}
	return nil
}

// checks keeps the memory of checks for those to come.
var checks = sync.Pool{New: func() any { return new(check) }}

// check is one Check.
type check struct {
	all      []*Schedule
	rule     Bracketing
	meanings []meaning

	base     []int // the number of each rank's step 0 among all steps
	messages []message
	message  []int32 // of each step; −1: none
	counts   []int32 // of messages by pair, then where they begin in messages

	order order // for one rank's steps

	values values
	memory []memory // by rank and buffer

	state    []stepState
	complete []int32 // steps in the order in which they did
	shuffled shuffled

	read, other, result []piece // what a step reads and writes
}

// message is one message: which step sends it and which receives it, among all
// steps of all ranks.
type message struct {
	from, to   int32 // ranks
	send, recv int32
}

type stepState uint8

const (
	idle stepState = iota
	started
	done
)

// prove does all of Check but the seeds.
func (k *check) prove(all []*Schedule, rule Bracketing) error {
	k.rule = rule
	if err := k.define(all); err != nil {
		return err
	}
	if err := k.wellFormed(); err != nil {
		return err
	}
	if err := k.match(); err != nil {
		return err
	}
	for r := range all {
		if err := k.ordered(r); err != nil {
			return err
		}
	}
	k.values.reset(len(all))
	k.load()
	if err := k.play(); err != nil {
		return err
	}
	if all[0].Call.Op == Barrier {
		return k.everybodyKnows()
	}
	return k.results()
}

// define finds what the call says of each rank.
func (k *check) define(all []*Schedule) error {
	k.all = all
	if len(all) == 0 {
		return fmt.Errorf("no ranks")
	}
	for len(k.meanings) < len(all) {
		k.meanings = append(k.meanings, meaning{})
	}
	k.base = k.base[:0]
	n := 0
	for r, s := range all {
		if err := s.Call.sound(&all[0].Call, r, len(all)); err != nil {
			return fmt.Errorf("rank %d's call %w", r, err)
		}
		k.meanings[r].reset()
		k.meanings[r].bring(&s.Call)
		k.base = append(k.base, n)
		n += len(s.Steps)
	}
	k.base = append(k.base, n)
	for r, s := range all {
		m := &k.meanings[r]
		m.want(&s.Call, k.meanings)
		if err := m.bound(); err != nil {
			return fmt.Errorf("rank %d's call %w", r, err)
		}
		m.sizes[Temp] = s.Temp
		for q := range m.wants {
			if s.Call.Op == AllToAll && m.wants[q].Len != k.meanings[q].brings[r].Len {
				return fmt.Errorf("rank %d's call wants %d elements of rank %d, which has %d for it",
					r, m.wants[q].Len, q, k.meanings[q].brings[r].Len)
			}
		}
	}
	return nil
}

// wrong returns an error about step i of rank r.
func (k *check) wrong(r, i int, format string, args ...any) error {
	return fmt.Errorf("%v, step %d (%v): %s", k.who(r), i, k.all[r].Steps[i], fmt.Sprintf(format, args...))
}

// who names a rank and the call.
func (k *check) who(r int) string {
	c := &k.all[r].Call
	root := ""
	if c.Op.Rooted() {
		root = fmt.Sprintf(" from or to root %d", c.Root)
	}
	return fmt.Sprintf("%v%s, rank %d of %d", c.Op, root, r, c.Size)
}
