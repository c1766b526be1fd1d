package schedule

import (
	"cmp"
	"fmt"
	"slices"
)

// rounds puts the steps of all ranks in rows: a message into the first row, from 1
// on, that is below all that both its ends wait for and in which its sender sends
// and its receiver receives nothing else; a local step into the row of the last that
// it waits for, 0 if that is none. It returns the row of each step, by check.base.
func (k *check) rounds() ([]int, error) {
	rows := make([]int, k.base[len(k.all)])
	for x := range rows {
		rows[x] = -1
	}
	type slot struct {
		rank, row int
		in        bool
	}
	taken := make(map[slot]bool)
	var open []int32 // messages that can be placed, that is whose ends wait for nothing unplaced
	next := make([]int, len(k.all))
	opened := make([]int, len(k.messages)) // how many of a message's ends wait for nothing unplaced
	seen := make([]bool, len(rows))
	for {
		for changed := true; changed; {
			changed = false
			for r, s := range k.all {
				for i := next[r]; i < len(s.Steps); i++ {
					x := k.base[r] + i
					last := k.lastRow(r, i, rows)
					if seen[x] || last < 0 {
						continue
					}
					seen[x], changed = true, true
					if msg := k.message[x]; msg < 0 {
						rows[x] = last
					} else if opened[msg]++; opened[msg] == 2 {
						open = append(open, msg)
					}
				}
				for next[r] < len(s.Steps) && seen[k.base[r]+next[r]] {
					next[r]++
				}
			}
		}
		if len(open) == 0 {
			break
		}
		first := func(msg int32) int {
			m := k.messages[msg]
			return 1 + max(k.lastRow(int(m.from), int(m.send)-k.base[m.from], rows), k.lastRow(int(m.to), int(m.recv)-k.base[m.to], rows))
		}
		msg := slices.MinFunc(open, func(a, b int32) int {
			m, n := k.messages[a], k.messages[b]
			return cmp.Or(cmp.Compare(first(a), first(b)),
				cmp.Compare(int(m.send)-k.base[m.from], int(n.send)-k.base[n.from]), cmp.Compare(m.from, n.from))
		})
		open = slices.DeleteFunc(open, func(a int32) bool { return a == msg })
		m := k.messages[msg]
		row := first(msg)
		for taken[slot{int(m.from), row, false}] || taken[slot{int(m.to), row, true}] {
			row++
		}
		taken[slot{int(m.from), row, false}], taken[slot{int(m.to), row, true}] = true, true
		rows[m.send], rows[m.recv] = row, row
	}
	if slices.Contains(rows, -1) {
		return nil, fmt.Errorf("steps that wait for each other")
	}
	return rows, nil
}

// lastRow returns the row of the last step that step i of rank r waits for; 0: it
// waits for none, −1: one has no row yet.
func (k *check) lastRow(r, i int, rows []int) int {
	last := 0
	for _, j := range k.all[r].Steps[i].After {
		row := rows[k.base[r]+j]
		if row < 0 {
			return -1
		}
		last = max(last, row)
	}
	return last
}
