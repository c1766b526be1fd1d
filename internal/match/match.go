// Package match decides which message meets which receive: MPI's matching rules
// (MPI 4.1, section 3.5) as a state machine without I/O, clock, goroutine or lock.
//
// A Matcher holds two queues of one matching space (one communicator, one kind of
// traffic): receives that wait for a message, and messages that came unexpected.
// The rules it keeps:
//
//   - of several messages that a receive matches, the earliest to arrive is taken;
//   - of several receives that match a message, the earliest posted gets it, whether
//     or not either names its source and tag;
//   - size, mode and protocol play no part.
//
// Arrival order per source has to be the order of the send calls; the links see to that.
//
// The queues are linked through the records of the caller, so nothing is allocated for
// an operation; only the hash table behind a long queue is, and that when it grows. All
// operations take constant time on average, however long the queues and whatever the
// wildcards, except that one operation now and then pays for growing or shrinking a
// table. The hash is not keyed: a tag chosen to collide comes from a rank of the same
// job, which has simpler ways to slow it.
package match

// Wildcards of a receive or a probe. A Message never carries one.
const (
	AnySource int32 = -1
	AnyTag    int64 = -1
)

// Message is the envelope of an arrived message. The caller embeds it in its own
// record, which Ref leads back to, and may use it again once it has left the queue.
// While it is queued, Source and Tag must not change and it must not move.
type Message struct {
	Source int32 // rank in the communicator, not negative
	Tag    int64 // not negative
	Ref    any   // the record that holds this envelope; not read here

	links links
}

// Recv is a posted receive. Source may be AnySource and Tag AnyTag; otherwise what
// is said of Message holds.
type Recv struct {
	Source int32
	Tag    int64
	Ref    any

	links links
}

// Matcher is one matching space. The zero value is empty and ready. It must not be
// copied while anything is queued, and calls must not overlap: a lock is the caller's.
type Matcher struct {
	messages queue // unexpected; indexed under each pattern that a receive may ask for
	receives queue // posted; indexed under the pattern that the receive has
}

// Post offers a receive. It returns the earliest queued message that r matches, which
// is then no longer queued, or nil, and then r waits in the queue of receives.
func (m *Matcher) Post(r *Recv) *Message {
	if m.messages.n != 0 {
		if e := m.messages.find(r.Source, r.Tag); e != nil {
			m.messages.remove(e, asMessages)
			return (*Message)(e)
		}
	}
	m.receives.push((*entry)(r), asReceives)
	return nil
}

// Claim is the first half of Arrive: it returns the earliest-posted receive that a
// message from source with tag matches, which is then no longer queued, or nil. It
// spares the caller a Message where a receive waits; after nil the message is given
// to Arrive.
func (m *Matcher) Claim(source int32, tag int64) *Recv {
	if m.receives.n == 0 {
		return nil
	}
	e := m.receives.head // if it matches, it is the earliest that does
	if e.Source != source || e.Tag != tag {
		if e = m.receives.findReceive(source, tag); e == nil {
			return nil
		}
	}
	m.receives.remove(e, asReceives)
	return (*Recv)(e)
}

// Arrive offers a message. It returns the earliest-posted receive that matches, which
// is then no longer queued, or nil, and then msg waits in the queue of messages.
func (m *Matcher) Arrive(msg *Message) *Recv {
	if r := m.Claim(msg.Source, msg.Tag); r != nil {
		return r
	}
	m.messages.push((*entry)(msg), asMessages)
	return nil
}

// Withdraw cancels a receive. It is true if r was queued here, and then r will match
// nothing; false if it has matched, was withdrawn before or was never posted here.
func (m *Matcher) Withdraw(r *Recv) bool {
	if r.links.in != &m.receives {
		return false
	}
	m.receives.remove((*entry)(r), asReceives)
	return true
}

// Retract takes back a message, for a sender that withdraws its offer. It is true if
// msg was queued here, and then no receive will get it; else false as for Withdraw.
func (m *Matcher) Retract(msg *Message) bool {
	if msg.links.in != &m.messages {
		return false
	}
	m.messages.remove((*entry)(msg), asMessages)
	return true
}

// Find returns the message that a receive with this source and tag would get if it
// were posted now, and leaves it queued; nil if it would have to wait. It is MPI's probe.
func (m *Matcher) Find(source int32, tag int64) *Message {
	if m.messages.n == 0 {
		return nil
	}
	return (*Message)(m.messages.find(source, tag))
}

// Take is Find, and removes the message, so that no later receive or probe sees it.
// It is MPI's matched probe.
func (m *Matcher) Take(source int32, tag int64) *Message {
	msg := m.Find(source, tag)
	if msg != nil {
		m.messages.remove((*entry)(msg), asMessages)
	}
	return msg
}

// Queued returns the number of messages that wait for a receive.
func (m *Matcher) Queued() int { return m.messages.n }

// Posted returns the number of receives that wait for a message.
func (m *Matcher) Posted() int { return m.receives.n }

// Messages yields the queued messages in order of arrival. The body may remove the
// message it was given, and no other.
func (m *Matcher) Messages(yield func(*Message) bool) {
	for e := m.messages.head; e != nil; {
		next := e.links.order.next
		if !yield((*Message)(e)) {
			return
		}
		e = next
	}
}

// Receives yields the posted receives in the order of their posts. The body may remove
// the receive it was given, and no other.
func (m *Matcher) Receives(yield func(*Recv) bool) {
	for e := m.receives.head; e != nil; {
		next := e.links.order.next
		if !yield((*Recv)(e)) {
			return
		}
		e = next
	}
}
