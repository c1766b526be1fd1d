package match

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// model is the matcher as a reader of the standard would write it.
type model struct {
	messages []*Message
	receives []*Recv
}

func matches(source int32, tag int64, msg *Message) bool {
	return (source == AnySource || source == msg.Source) && (tag == AnyTag || tag == msg.Tag)
}

func (m *model) find(source int32, tag int64) *Message {
	for _, msg := range m.messages {
		if matches(source, tag, msg) {
			return msg
		}
	}
	return nil
}

func (m *model) retract(msg *Message) bool {
	n := len(m.messages)
	m.messages = slices.DeleteFunc(m.messages, func(q *Message) bool { return q == msg })
	return len(m.messages) < n
}

func (m *model) withdraw(r *Recv) bool {
	n := len(m.receives)
	m.receives = slices.DeleteFunc(m.receives, func(q *Recv) bool { return q == r })
	return len(m.receives) < n
}

func (m *model) post(r *Recv) *Message {
	msg := m.find(r.Source, r.Tag)
	if !m.retract(msg) {
		m.receives = append(m.receives, r)
	}
	return msg
}

func (m *model) arrive(msg *Message) *Recv {
	for _, r := range m.receives {
		if matches(r.Source, r.Tag, msg) {
			m.withdraw(r)
			return r
		}
	}
	m.messages = append(m.messages, msg)
	return nil
}

// against plays the bytes of data as operations on a matcher and a model of it. The
// first byte chooses how many sources and tags there are and whether short queues are
// indexed too; then two bytes make an operation.
func against(t *testing.T, data []byte) {
	if len(data) == 0 {
		return
	}
	sources, tags, force := int32(data[0]&3)+1, int64(data[0]>>2&15)+1, data[0]>>6&1 != 0
	var m Matcher
	var want model
	var messages []*Message
	var receives []*Recv
	for data = data[1:]; len(data) >= 2; data = data[2:] {
		op, arg := data[0], data[1]
		source, tag := int32(arg&3)%sources, int64(arg>>2&15)%tags
		anySource, anyTag := source, tag
		if op&0x40 != 0 {
			anySource = AnySource
		}
		if op&0x80 != 0 {
			anyTag = AnyTag
		}
		switch op & 15 {
		case 0, 1, 2, 3, 4:
			msg := &Message{Source: source, Tag: tag}
			messages = append(messages, msg)
			if g, w := m.Arrive(msg), want.arrive(msg); g != w {
				t.Fatalf("arrive %d %d: got %+v, want %+v", source, tag, g, w)
			}
		case 5, 6, 7, 8, 9:
			r := &Recv{Source: anySource, Tag: anyTag}
			receives = append(receives, r)
			if g, w := m.Post(r), want.post(r); g != w {
				t.Fatalf("post %d %d: got %+v, want %+v", anySource, anyTag, g, w)
			}
		case 10:
			if len(receives) > 0 {
				r := receives[int(arg)*len(receives)/256]
				if g, w := m.Withdraw(r), want.withdraw(r); g != w {
					t.Fatalf("withdraw %d %d: got %v, want %v", r.Source, r.Tag, g, w)
				}
			}
		case 11:
			if len(messages) > 0 {
				msg := messages[int(arg)*len(messages)/256]
				if g, w := m.Retract(msg), want.retract(msg); g != w {
					t.Fatalf("retract %d %d: got %v, want %v", msg.Source, msg.Tag, g, w)
				}
			}
		case 12, 13:
			if g, w := m.Find(anySource, anyTag), want.find(anySource, anyTag); g != w {
				t.Fatalf("find %d %d: got %+v, want %+v", anySource, anyTag, g, w)
			}
		default:
			w := want.find(anySource, anyTag)
			want.retract(w)
			if g := m.Take(anySource, anyTag); g != w {
				t.Fatalf("take %d %d: got %+v, want %+v", anySource, anyTag, g, w)
			}
		}
		if force {
			m.forceIndex()
		}
		if m.Queued() != len(want.messages) || m.Posted() != len(want.receives) {
			t.Fatalf("queued %d, posted %d; want %d, %d", m.Queued(), m.Posted(), len(want.messages), len(want.receives))
		}
	}
	if got := slices.Collect(m.Messages); !slices.Equal(got, want.messages) {
		t.Fatalf("messages left: got %v, want %v", got, want.messages)
	}
	if got := slices.Collect(m.Receives); !slices.Equal(got, want.receives) {
		t.Fatalf("receives left: got %v, want %v", got, want.receives)
	}
	for msg := range m.Messages {
		m.Retract(msg)
	}
	for r := range m.Receives {
		m.Withdraw(r)
	}
	for _, q := range []*queue{&m.messages, &m.receives} {
		if q.n != 0 || q.head != nil || q.tail != nil || q.indexed || q.index.used != 0 || q.index.count != [4]int{} {
			t.Fatalf("emptied queue is not empty: %+v", q)
		}
	}
	for _, msg := range messages {
		if msg.links.in != nil || msg.links.order != (link{}) || msg.links.lists != [4]link{} {
			t.Fatalf("a message that left the queue still has links: %+v", msg.links)
		}
	}
}

func FuzzAgainstModel(f *testing.F) {
	for seed := range uint64(4) {
		f.Add(program(seed, 200))
	}
	f.Fuzz(against)
}

func TestAgreesWithModel(t *testing.T) {
	for seed := range uint64(300) {
		data := program(seed, 50+20*int(seed%40))
		t.Run("", func(t *testing.T) {
			defer func() {
				if t.Failed() {
					t.Logf("seed %d", seed)
				}
			}()
			against(t, data)
		})
	}
}

// program makes operations of which, for half the seeds, messages or receives are the
// most, so that queues become long.
func program(seed uint64, n int) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	data := []byte{byte(r.Uint32())}
	for range n {
		op := byte(r.Uint32())
		switch {
		case seed%4 == 1 && r.IntN(2) == 0:
			op = 0
		case seed%4 == 3 && r.IntN(2) == 0:
			op = op&0xc0 | 5
		}
		data = append(data, op, byte(r.Uint32()))
	}
	return data
}
