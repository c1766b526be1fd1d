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
	p := &placing{
		check:  k,
		rows:   slices.Repeat([]int{-1}, k.base[len(k.all)]),
		seen:   make([]bool, k.base[len(k.all)]),
		ends:   make([]int, len(k.messages)),
		sends:  make(map[port]bool),
		brings: make(map[port]bool),
	}
	for p.look(); len(p.open) > 0; p.look() {
		p.place()
	}
	if slices.Contains(p.rows, -1) {
		return nil, fmt.Errorf("steps that wait for each other")
	}
	return p.rows, nil
}

// placing is the work of rounds.
type placing struct {
	*check
	rows          []int
	seen          []bool        // steps that wait for nothing without a row
	ends          []int         // how many of each message's steps are seen
	open          []int32       // messages without a row whose steps both are
	sends, brings map[port]bool // where messages are
}

// port is one rank's in one row.
type port struct{ rank, row int }

// look finds the steps that wait for nothing without a row, and gives the local ones
// their row, until there are no more.
func (p *placing) look() {
	for changed := true; changed; {
		changed = false
		for r, s := range p.all {
			for i := range s.Steps {
				x := p.base[r] + i
				last := p.lastRow(r, i)
				if p.seen[x] || last < 0 {
					continue
				}
				p.seen[x], changed = true, true
				if msg := p.message[x]; msg < 0 {
					p.rows[x] = last
				} else if p.ends[msg]++; p.ends[msg] == 2 {
					p.open = append(p.open, msg)
				}
			}
		}
	}
}

// place gives the message that can be highest its row.
func (p *placing) place() {
	msg := slices.MinFunc(p.open, func(a, b int32) int {
		m, n := p.messages[a], p.messages[b]
		return cmp.Or(cmp.Compare(p.first(a), p.first(b)),
			cmp.Compare(int(m.send)-p.base[m.from], int(n.send)-p.base[n.from]), cmp.Compare(m.from, n.from))
	})
	p.open = slices.DeleteFunc(p.open, func(a int32) bool { return a == msg })
	m, row := p.messages[msg], p.first(msg)
	for p.sends[port{int(m.from), row}] || p.brings[port{int(m.to), row}] {
		row++
	}
	p.sends[port{int(m.from), row}], p.brings[port{int(m.to), row}] = true, true
	p.rows[m.send], p.rows[m.recv] = row, row
}

// first returns the first row that msg may be in.
func (p *placing) first(msg int32) int {
	m := p.messages[msg]
	return 1 + max(p.lastRow(int(m.from), int(m.send)-p.base[m.from]), p.lastRow(int(m.to), int(m.recv)-p.base[m.to]))
}

// lastRow returns the row of the last step that step i of rank r waits for; 0: it
// waits for none, −1: one has no row yet.
func (p *placing) lastRow(r, i int) int {
	last := 0
	for _, j := range p.all[r].Steps[i].After {
		row := p.rows[p.base[r]+j]
		if row < 0 {
			return -1
		}
		last = max(last, row)
	}
	return last
}
