package schedule

import (
	"fmt"
	"strconv"
	"strings"
)

// String returns s as in out[2:6].
func (s Span) String() string {
	name := "buffer" + strconv.Itoa(int(s.Buf))
	if s.Buf < Buffers {
		name = s.Buf.String()
	}
	return name + "[" + strconv.Itoa(s.Off) + ":" + strconv.Itoa(s.Off+s.Len) + "]"
}

// String returns what t does, and after which steps:
//
//	send 2#0 out[0:4]  after 1
//	recv 2#0 temp[0:4]
//	reduce out[0:4] = temp[0:4] + out[0:4]  after 1 2
//	copy out[0:4] = in[0:4]
//
// where 2#0 is message 0 to or from rank 2.
func (t Step) String() string {
	var b strings.Builder
	switch t.Kind {
	case SendTo:
		fmt.Fprintf(&b, "send %d#%d %v", t.Peer, t.Number, t.A)
	case RecvFrom:
		fmt.Fprintf(&b, "recv %d#%d %v", t.Peer, t.Number, t.Dst)
	case Combine:
		fmt.Fprintf(&b, "reduce %v = %v + %v", t.Dst, t.A, t.B)
	case Move:
		fmt.Fprintf(&b, "copy %v = %v", t.Dst, t.A)
	default:
		fmt.Fprintf(&b, "Kind(%d)", t.Kind)
	}
	for i, j := range t.After {
		if i == 0 {
			b.WriteString("  after")
		}
		fmt.Fprintf(&b, " %d", j)
	}
	return b.String()
}

// String returns a head line with the operation, rank, size, root where there is
// one, and elements of scratch memory, and a numbered line for each step.
func (s *Schedule) String() string {
	var b strings.Builder
	c := &s.Call
	fmt.Fprintf(&b, "%v rank %d of %d", c.Op, c.Rank, c.Size)
	if c.Op.Rooted() {
		fmt.Fprintf(&b, " root %d", c.Root)
	}
	if s.Temp > 0 {
		fmt.Fprintf(&b, " temp %d", s.Temp)
	}
	b.WriteByte('\n')
	for i, t := range s.Steps {
		fmt.Fprintf(&b, "%d: %v\n", i, t)
	}
	return b.String()
}
