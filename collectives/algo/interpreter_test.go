package algo

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/muster-mpi/muster/collectives/schedule"
)

// memory is the buffers of one rank.
type memory [schedule.Buffers][]int

func (m *memory) at(s schedule.Span) []int { return m[s.Buf][s.Off : s.Off+s.Len] }

// interpret carries out the schedules of all ranks on mem, whose Temp it makes. A
// rank takes any step whose After are done, the first one written down or with
// shuffle another. Sums stand for the operation.
func interpret(list []*schedule.Schedule, mem []memory, shuffle *rand.Rand) error {
	type key struct{ from, to, number int }
	wire := make(map[key][]int)
	left := make([][]int, len(list)) // steps not taken
	done := make([][]bool, len(list))
	for r, s := range list {
		mem[r][schedule.Temp] = slices.Repeat([]int{-2}, s.Temp)
		done[r] = make([]bool, len(s.Steps))
		for i := range s.Steps {
			left[r] = append(left[r], i)
		}
	}
	take := func(r int, t schedule.Step) (bool, error) {
		m := &mem[r]
		switch t.Kind {
		case schedule.SendTo:
			k := key{r, t.Peer, t.Number}
			if _, twice := wire[k]; twice {
				return false, fmt.Errorf("rank %d sends message %d to %d twice", r, t.Number, t.Peer)
			}
			wire[k] = slices.Clone(m.at(t.A))
		case schedule.RecvFrom:
			k := key{t.Peer, r, t.Number}
			data, there := wire[k]
			if !there {
				return false, nil
			}
			delete(wire, k)
			if len(data) != t.Dst.Len {
				return false, fmt.Errorf("rank %d gets %d elements from %d in message %d, wants %d", r, len(data), t.Peer, t.Number, t.Dst.Len)
			}
			copy(m.at(t.Dst), data)
		case schedule.Combine:
			dst, a, b := m.at(t.Dst), m.at(t.A), m.at(t.B)
			for i := range dst {
				dst[i] = a[i] + b[i]
			}
		case schedule.Move:
			copy(m.at(t.Dst), m.at(t.A))
		}
		return true, nil
	}
	for moved := true; moved; {
		moved = false
		for r, s := range list {
			if shuffle != nil {
				shuffle.Shuffle(len(left[r]), func(i, j int) { left[r][i], left[r][j] = left[r][j], left[r][i] })
			}
			for k := 0; k < len(left[r]); {
				i := left[r][k]
				ok := !slices.ContainsFunc(s.Steps[i].After, func(j int) bool { return !done[r][j] })
				if ok {
					var err error
					if ok, err = take(r, s.Steps[i]); err != nil {
						return err
					}
				}
				if !ok {
					k++
					continue
				}
				done[r][i], moved = true, true
				left[r] = slices.Delete(left[r], k, k+1)
			}
		}
	}
	for r := range list {
		if len(left[r]) > 0 {
			return fmt.Errorf("rank %d cannot take step %d: %+v", r, left[r][0], list[r].Steps[left[r][0]])
		}
	}
	for k := range wire {
		return fmt.Errorf("nobody takes message %d from %d to %d", k.number, k.from, k.to)
	}
	return nil
}
