package tune

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/muster-mpi/muster/collectives/algo"
	"github.com/muster-mpi/muster/collectives/schedule"
)

// ErrUsing is in the chain of errors about an algorithm asked for by name.
var ErrUsing = errors.New("that algorithm cannot be used")

// Query asks which algorithm is to carry out a call.
type Query struct {
	Call  *schedule.Call  // of any rank
	Width int             // bytes of an element
	Order algo.Bracketing // the least to keep, if the operation reduces
	Using string          // the algorithm asked for; "": the best
}

// Choice is an algorithm and why it was chosen, such as "table: allreduce ranks=8
// hosts=one order=canonical, below 8KiB".
type Choice struct {
	algo.Algorithm
	Why string
}

// Candidate is what is known about an algorithm for a call.
type Candidate struct {
	algo.Algorithm
	Refused string        // why it cannot carry out the call, or ""
	Time    time.Duration // predicted, where it can; Unknown: by nobody
}

// Chooser chooses for the calls of one communicator, from a table where that knows
// the operation, else by what the steps cost. It remembers costs, by powers of two
// of the size. It can be used by several goroutines.
type Chooser struct {
	table  *Table
	params schedule.Params
	cost   func(a algo.Algorithm, c schedule.Call, width int) time.Duration

	mu    sync.Mutex
	times map[walk]time.Duration
}

// walk is what of a call its cost depends on, on one communicator.
type walk struct {
	op                          schedule.Operation
	name                        string
	size, count, width, segment int
}

// New returns a Chooser for calls that all have the same Size and Hosts. All ranks
// give the same params, and tables of the same Hash. The table may be nil.
func New(t *Table, params schedule.Params) *Chooser {
	if t == nil {
		t = new(Table)
	}
	ch := &Chooser{table: t, params: params, times: make(map[walk]time.Duration)}
	ch.cost = ch.walk
	return ch
}

// Choose returns the algorithm for a call; all ranks get the same one. The error,
// of class ErrUsing, says why it is not the one asked for.
func (ch *Chooser) Choose(q Query) (Choice, error) {
	if q.Using != "" {
		return q.asked()
	}
	if c, ok := ch.measured(q); ok {
		return c, nil
	}
	best, next := ch.cheapest(q)
	why := fmt.Sprintf("cost walk: %v", best.Time)
	switch {
	case next.Name == "":
		why = "nothing else can carry out the call"
	case best.Time == Unknown:
		why = "the first, as all have too many steps to be walked through"
	case next.Time == Unknown:
		why += ", and the others have too many steps to be walked through"
	case next.Time > best.Time:
		why += fmt.Sprintf(", then %s with %v", next.Name, next.Time)
	}
	return Choice{best.Algorithm, why}, nil
}

// Candidates returns what is known about all algorithms of the operation, in the
// order of algo.All.
func (ch *Chooser) Candidates(q Query) []Candidate {
	var list []Candidate
	for _, a := range algo.Of(q.Call.Op) {
		c := Candidate{Algorithm: a, Refused: q.refused(a)}
		if c.Refused == "" {
			c.Time = ch.time(a, q)
		}
		list = append(list, c)
	}
	return list
}

// asked returns the algorithm that q names.
func (q *Query) asked() (Choice, error) {
	a, ok := algo.Find(q.Call.Op, q.Using)
	why := ""
	if !ok {
		why = unknown(q.Call.Op, q.Using)
	} else if why = q.refused(a); why != "" {
		why = fmt.Sprintf("%q of %v %s", q.Using, q.Call.Op, why)
	}
	if why != "" {
		return Choice{}, fmt.Errorf("tune: %w: %s", ErrUsing, why)
	}
	return Choice{a, "asked for"}, nil
}

// refused returns why a may not carry out the call, or "".
func (q *Query) refused(a algo.Algorithm) string {
	if q.Call.Op.Reduces() && a.Bracketing < q.Order {
		return fmt.Sprintf("combines in %s order, and %s is asked for", orderNames[a.Bracketing], orderNames[q.Order])
	}
	if a.Refuses != nil {
		return a.Refuses(q.Call)
	}
	return ""
}

// measured returns what the table says, if that can carry out the call.
func (ch *Chooser) measured(q Query) (Choice, bool) {
	want := Case{Op: q.Call.Op, Ranks: q.Call.Size, Hosts: severalHosts(q.Call.Hosts)}
	if q.Call.Op.Reduces() {
		want.Order = q.Order
	}
	e := ch.table.find(want)
	if e == nil {
		return Choice{}, false
	}
	u := e.use(Bytes(q.Call, q.Width))
	a, ok := algo.Find(q.Call.Op, u.Name)
	if !ok || q.refused(a) != "" {
		return Choice{}, false
	}
	return Choice{a, fmt.Sprintf("table: %v, %s", e.Case, u.bound())}, true
}

func severalHosts(hosts []int) bool {
	for _, h := range hosts {
		if h != hosts[0] {
			return true
		}
	}
	return false
}

// cheapest returns the candidate with the smallest time, the first of equals, and
// the one that comes next.
func (ch *Chooser) cheapest(q Query) (best, next Candidate) {
	for _, c := range ch.Candidates(q) {
		switch {
		case c.Refused != "":
		case best.Name == "" || c.Time < best.Time:
			best, next = c, best
		case next.Name == "" || c.Time < next.Time:
			next = c
		}
	}
	return best, next
}

// time returns what a costs for a call of the size of q's, with blocks of one length,
// or Unknown. Vectors that take many segments are taken for a part of themselves.
func (ch *Chooser) time(a algo.Algorithm, q Query) time.Duration {
	c := schedule.Call{Op: q.Call.Op, Size: q.Call.Size, Segment: q.Call.Segment, Hosts: q.Call.Hosts}
	bytes, times := Bytes(q.Call, q.Width), 1
	for most := max(walkedBytes/c.Size, 1<<10); bytes > most; times *= 2 {
		bytes /= 2
	}
	c.Count = bucket(bytes / max(q.Width, 1))
	if a.Refuses != nil && a.Refuses(&c) != "" {
		return Unknown
	}
	key := walk{c.Op, a.Name, c.Size, c.Count, q.Width, c.Segment}
	ch.mu.Lock()
	defer ch.mu.Unlock()
	t, ok := ch.times[key]
	if !ok {
		t = ch.cost(a, c, q.Width)
		ch.times[key] = t
	}
	if t > Unknown/time.Duration(times) {
		return Unknown
	}
	return t * time.Duration(times)
}

// Unknown stands for the time of an algorithm that was not walked through, since it
// has too many steps.
const Unknown time.Duration = math.MaxInt64

// walkedBytes and walkedSteps bound what walking takes, to a few tenths of a second:
// the bytes of vectors of all ranks, and the steps of all ranks.
const (
	walkedBytes = 4 << 30
	walkedSteps = 4 << 20
	turnedSteps = 2 << 16 // of the one rank, where that stands for all
	placedRanks = 8 << 10 // where each rank looks at the host of every other
)

// walk is the cost of a for c.
func (ch *Chooser) walk(a algo.Algorithm, c schedule.Call, width int) time.Duration {
	if tooLong(a, c, 1, walkedSteps/c.Size) {
		return Unknown
	}
	call := func(rank int) schedule.Call {
		c := c
		c.Rank = rank
		return c
	}
	e, err := schedule.Cost(call, a.Build, a.Turns, &ch.params, width)
	if err != nil {
		panic("tune: " + a.Name + ": " + err.Error()) // the algorithm is wrong whoever calls it
	}
	return e.Time
}

// tooLong reports whether a has too many steps for c to be walked through: the first
// ranks more than most, or the one that stands for all more than turnedSteps.
func tooLong(a algo.Algorithm, c schedule.Call, ranks, most int) bool {
	if c.Hosts != nil && c.Size > placedRanks {
		c := c
		c.Hosts = nil
		if a.Refuses != nil && a.Refuses(&c) != "" {
			return true
		}
	}
	if a.Turns {
		ranks, most = 1, turnedSteps
	}
	steps := 0
	s := schedule.New(c)
	s.Bound(1) // to count alone is quick
	for r := range ranks {
		c.Rank = r
		s.Reset(c)
		a.Build(s, &c)
		if steps += s.Asked(); steps > most {
			return true
		}
	}
	return false
}

// bucket returns the largest power of two that is not above n, at least 1.
func bucket(n int) int {
	b := 1
	for b <= n/2 {
		b *= 2
	}
	return b
}

// unknownBytes stands for the length of blocks of which a rank knows its own alone.
const unknownBytes = 4 << 10

// Bytes returns what tables call the size of a call: the bytes of the vector, or of
// one block, their mean where they differ. The blocks of an AllToAll with counts,
// which no rank knows all of, count as 4 KiB.
func Bytes(c *schedule.Call, width int) int {
	switch c.Op {
	case schedule.Barrier:
		return 0
	case schedule.AllToAll:
		if c.From.Counts != nil || c.To.Counts != nil {
			return unknownBytes
		}
	case schedule.Gather, schedule.Scatter, schedule.AllGather, schedule.ReduceScatter:
		if c.Of.Counts == nil {
			break
		}
		sum := 0
		for r := range c.Size {
			sum += c.BlockLen(r)
		}
		return sum * width / c.Size
	}
	return c.Count * width
}
