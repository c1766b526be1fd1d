package schedule

import "fmt"

// Operation is what a collective call asks for.
type Operation uint8

const (
	Barrier       Operation = iota
	Bcast                   // Out of Root → Out of all
	Gather                  // In of each → its block of Root's Out
	Scatter                 // block of Root's In → Out of its rank
	AllGather               // In of each → its block of everybody's Out
	AllToAll                // block j of rank i's In → block i of rank j's Out
	Reduce                  // In of all → Out of Root
	AllReduce               // In of all → Out of all
	ReduceScatter           // In of all → its block to Out of each
	Scan                    // In of ranks 0 to r → Out of rank r
	ExScan                  // In of ranks 0 to r−1 → Out of rank r; that of rank 0 is not touched
	Operations              // how many there are
)

var operationNames = [Operations]string{
	"barrier", "bcast", "gather", "scatter", "allgather", "alltoall",
	"reduce", "allreduce", "reducescatter", "scan", "exscan",
}

// String returns the name of o, as in `muster explain`.
func (o Operation) String() string {
	if o < Operations {
		return operationNames[o]
	}
	return fmt.Sprintf("Operation(%d)", uint8(o))
}

// Rooted reports whether one rank of o has another part than the others.
func (o Operation) Rooted() bool {
	return o == Bcast || o == Gather || o == Scatter || o == Reduce
}

// Reduces reports whether o combines elements.
func (o Operation) Reduces() bool { return o >= Reduce && o < Operations }

// Blocks says where the blocks of the ranks lie in a buffer, in elements. The
// zero Blocks are blocks of Call.Count elements, one after the other.
type Blocks struct {
	Counts []int // length of each rank's block; nil: Call.Count
	Displs []int // where it begins; nil: one after the other
}

// Call is one rank's view of a collective call, and all that a schedule depends
// on. Lengths are in elements. What it says of all ranks, they all say alike: for
// AllToAll with Counts the block that rank i sends to j is as long as the one that j
// receives from i.
type Call struct {
	Op         Operation
	Rank, Size int
	Root       int

	// Count is the length of the vector (Bcast, Reduce, AllReduce, Scan, ExScan),
	// or of every block where Blocks say nothing else.
	Count int
	// Of is how the large buffer is divided: Out of Gather and AllGather, In of
	// Scatter and ReduceScatter. Counts are known on every rank, Displs are only
	// used where the rank has that buffer.
	Of Blocks
	// From and To divide In and Out of AllToAll.
	From, To Blocks

	// InPlace: In is the part of Out that it would be copied to (SEMANTICS 37). In
	// and Out are then one buffer, whose name is Out.
	InPlace bool

	// Segment is the length of the pieces that pipelined algorithms cut a vector
	// into; 0: the algorithm's own choice.
	Segment int

	// Hosts has the number of each rank's host; nil: all on one.
	Hosts []int
}

// block returns rank r's part of a buffer divided by b.
func (c *Call) block(buf Buffer, b *Blocks, r int) Span {
	n := c.Count
	if b.Counts != nil {
		n = b.Counts[r]
	}
	switch {
	case b.Displs != nil:
		return Span{buf, b.Displs[r], n}
	case b.Counts == nil:
		return Span{buf, r * n, n}
	}
	off := 0
	for _, k := range b.Counts[:r] {
		off += k
	}
	return Span{buf, off, n}
}

// Block returns where rank r's block lies in the buffer that Of divides.
func (c *Call) Block(r int) Span {
	buf := Out
	if c.Op == Scatter || c.Op == ReduceScatter {
		buf = c.in()
	}
	return c.block(buf, &c.Of, r)
}

// BlockLen returns the length of rank r's block, on any rank.
func (c *Call) BlockLen(r int) int {
	if c.Of.Counts != nil {
		return c.Of.Counts[r]
	}
	return c.Count
}

// FromBlock returns the part of In that an AllToAll sends to rank r.
func (c *Call) FromBlock(r int) Span { return c.block(c.in(), &c.From, r) }

// ToBlock returns the part of Out that an AllToAll receives from rank r.
func (c *Call) ToBlock(r int) Span { return c.block(Out, &c.To, r) }

// in is the buffer that In is.
func (c *Call) in() Buffer {
	if c.InPlace {
		return Out
	}
	return In
}

// Input returns what this rank brings: the vector, its own block, or nothing. In
// place it lies where the result does.
func (c *Call) Input() Span {
	switch c.Op {
	case Bcast:
		return Span{Out, 0, c.Count}
	case Gather, AllGather:
		if c.InPlace && (c.Op == AllGather || c.Rank == c.Root) {
			return c.Block(c.Rank)
		}
		return Span{In, 0, c.BlockLen(c.Rank)}
	case Reduce:
		if c.InPlace && c.Rank != c.Root {
			return Span{In, 0, c.Count}
		}
		return Span{c.in(), 0, c.Count}
	case AllReduce, Scan, ExScan:
		return Span{c.in(), 0, c.Count}
	}
	return Span{}
}

// Output returns where this rank's result goes: the vector or its own block.
func (c *Call) Output() Span {
	switch c.Op {
	case Scatter:
		if c.InPlace && c.Rank == c.Root {
			return c.Block(c.Rank)
		}
		return Span{Out, 0, c.BlockLen(c.Rank)}
	case ReduceScatter:
		return Span{Out, 0, c.BlockLen(c.Rank)}
	case Reduce:
		if c.Rank != c.Root {
			return Span{}
		}
		return Span{Out, 0, c.Count}
	case Bcast, AllReduce, Scan, ExScan:
		return Span{Out, 0, c.Count}
	}
	return Span{}
}
