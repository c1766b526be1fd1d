package record

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Record is an operation as a Reader found it.
type Record struct {
	Seq     uint64 // a later operation of the process has a higher one; there are gaps
	Op      Op
	Comm    string // name of the communicator, or "communicator N" if it has none
	Peer    int32  // rank in it, or AnySource, Null, NoPeer
	Tag     int64  // or AnyTag, NoTag
	Bytes   int64  // negative if it does not apply
	Done    bool
	Blocked bool      // it has parked, and is not done
	Start   time.Time // when it parked; zero if it did not, or that is no longer known
	End     time.Time // when it was done; zero if it did not note the time
	Site    string    // where in the program, if it parked

	read time.Time
}

// Reader is the reader's side. It works while the process runs, when it has stopped and
// after its end. The writer is not trusted: whatever the memory holds, what is returned
// is bounded, text is printable, and a record that was being written is left out.
type Reader struct {
	m     *memory
	unmap func() error
}

// Close gives up the mapping. The Reader then finds nothing.
func (r *Reader) Close() error {
	if r.unmap == nil {
		return nil
	}
	unmap := r.unmap
	r.m, r.unmap = new(memory), nil
	return unmap()
}

// Phase returns how far the process is with its job; Absent if that cannot be said.
func (r *Reader) Phase() Phase {
	p := load(&r.m.phase)
	if load(&r.m.mark) != layoutMark || p > uint64(Left) {
		return Absent
	}
	return Phase(p)
}

// Slept returns for how long until now the process has slept in calls, to wait for others.
// The figure may be off by the current sleep.
func (r *Reader) Slept(now time.Time) time.Duration {
	slept, since := int64(load(&r.m.slept)), int64(load(&r.m.since))
	if since > 0 {
		slept += max(now.UnixNano()-since, 0)
	}
	return time.Duration(max(slept, 0))
}

// Last returns the last n operations, newest first; fewer if fewer are on record. An
// operation is on record until at least 64 more have begun, and while it is blocked.
func (r *Reader) Last(n int) []Record {
	found := r.waits()
	seen := make(map[uint64]bool, len(found))
	for i := range found {
		seen[found[i].Seq] = true
	}
	names := r.names()
	for i := range r.m.ring {
		from := &r.m.ring[i]
		rec := record{call: loadCall(&from.call), end: load(&from.end), check: load(&from.check)}
		number := rec.number()
		if number == 0 || place(number) != uint64(i) || rec.check != rec.call.sum() {
			continue
		}
		if !seen[number] {
			found = append(found, show(rec.call, 0, rec.end, names))
		}
	}
	newestFirst(found)
	return found[:min(len(found), max(n, 0))]
}

// Blocked returns the operations that are blocked, newest first.
func (r *Reader) Blocked() []Record {
	found := slices.DeleteFunc(r.waits(), func(rec Record) bool { return rec.Done })
	newestFirst(found)
	return found
}

// Inner reports whether the operation is a message by which a collective is carried out, and
// so no call of the program's.
func (rec Record) Inner() bool {
	return rec.Op.toward() != none && rec.Peer != NoPeer && rec.Tag == NoTag
}

// Calls returns of all those that are the program's own calls, in their order: the others say
// nothing to who reads a report. If there are only others it returns all.
func Calls(all []Record) []Record {
	own := slices.DeleteFunc(slices.Clone(all), Record.Inner)
	if len(own) == 0 {
		return all
	}
	return own
}

func newestFirst(recs []Record) {
	now := time.Now()
	for i := range recs {
		recs[i].read = now
	}
	slices.SortFunc(recs, func(a, b Record) int { return cmp.Compare(b.Seq, a.Seq) })
}

// waits returns the operations on the list of blocked ones, those that are done since
// included, each once.
func (r *Reader) waits() []Record {
	names := r.names()
	var found []Record
	for i := range r.m.waits {
		from := &r.m.waits[i]
		w := wait{call: loadCall(&from.call), start: load(&from.start), end: load(&from.end), check: load(&from.check)}
		for k := range w.site {
			w.site[k] = load(&from.site[k])
		}
		if w.number() == 0 || w.check != w.sum() {
			continue
		}
		rec := show(w.call, w.start, w.end, names)
		rec.Site = unpackText(w.site[:])
		rec.Blocked = !rec.Done
		if !slices.ContainsFunc(found, func(other Record) bool { return other.Seq == rec.Seq }) {
			found = append(found, rec)
		}
	}
	return found
}

func (r *Reader) names() map[uint32]string {
	names := make(map[uint32]string)
	for i := range r.m.names {
		from := &r.m.names[i]
		n := name{comm: load(&from.comm), check: load(&from.check)}
		for k := range n.text {
			n.text[k] = load(&from.text[k])
		}
		if n.comm>>32 == 1 && n.check == n.sum() {
			names[uint32(n.comm)] = unpackText(n.text[:])
		}
	}
	return names
}

func loadCall(from *call) call {
	return call{id: load(&from.id), who: load(&from.who), tag: load(&from.tag), bytes: load(&from.bytes)}
}

func show(c call, start, end uint64, names map[uint32]string) Record {
	rec := Record{
		Seq:   c.number(),
		Op:    c.op(),
		Comm:  names[c.comm()],
		Peer:  c.peer(),
		Tag:   int64(c.tag),
		Bytes: int64(c.bytes),
		Done:  end != 0,
		Start: moment(start),
		End:   moment(end),
	}
	if rec.Comm == "" {
		rec.Comm = fmt.Sprintf("communicator %d", c.comm())
	}
	return rec
}

// moment is the time of ns unix nanoseconds; the zero time for 0 and 1, which stand for
// none, and for what is no time after 1970.
func moment(ns uint64) time.Time {
	if ns <= 1 || ns > math.MaxInt64 {
		return time.Time{}
	}
	return time.Unix(0, int64(ns))
}

// String returns the record as a phrase, such as "Recv from 2 tag 7 on world, 1024
// bytes, blocked 3.2 s at solver.go:142". How long is reckoned to when it was read.
func (rec Record) String() string {
	var b strings.Builder
	b.WriteString(rec.Op.String())
	toward := rec.Op.toward()
	if toward != none && rec.Peer != NoPeer {
		fmt.Fprintf(&b, " %s %s", toward, peer(rec.Peer))
	}
	if toward != none && rec.Tag != NoTag {
		if rec.Tag == AnyTag {
			b.WriteString(" any tag")
		} else {
			fmt.Fprintf(&b, " tag %d", rec.Tag)
		}
	}
	if rec.Comm != "" {
		fmt.Fprintf(&b, " on %s", rec.Comm)
	}
	if toward != none && rec.Bytes >= 0 {
		unit := "bytes"
		if rec.Bytes == 1 {
			unit = "byte"
		}
		fmt.Fprintf(&b, ", %d %s", rec.Bytes, unit)
	}
	switch {
	case rec.Blocked:
		b.WriteString(", blocked" + span(rec.Start, rec.read))
	case rec.Done && !rec.Start.IsZero():
		b.WriteString(", done after waiting" + span(rec.Start, rec.End))
	case rec.Done:
		b.WriteString(", done")
	default:
		b.WriteString(", under way")
	}
	if rec.Site != "" {
		b.WriteString(" at " + rec.Site)
	}
	return b.String()
}

func peer(p int32) string {
	switch p {
	case AnySource:
		return "any source"
	case Null:
		return "the null process"
	}
	return fmt.Sprint(p)
}

// span is the time between two moments to two figures or so, after a space; nothing if
// either is not known or their order makes no sense.
func span(start, end time.Time) string {
	d := end.Sub(start)
	switch {
	case start.IsZero() || end.IsZero() || d < 0:
		return ""
	case d < time.Millisecond:
		return fmt.Sprintf(" %d µs", d.Microseconds())
	case d < time.Second:
		return fmt.Sprintf(" %d ms", d.Milliseconds())
	case d < 100*time.Second:
		return fmt.Sprintf(" %.1f s", d.Seconds())
	}
	return " " + d.Round(time.Second).String()
}
