package match

import "testing"

// deep is the length of a long queue; its entries have as many tags.
const deep = 100_000

func deepMessages(m *Matcher) []Message {
	all := make([]Message, deep)
	for i := range all {
		all[i] = Message{Source: int32(i % 16), Tag: int64(i)}
		m.Arrive(&all[i])
	}
	return all
}

func deepReceives(m *Matcher) []Recv {
	all := make([]Recv, deep)
	for i := range all {
		all[i] = Recv{Source: int32(i % 16), Tag: int64(i)}
		m.Post(&all[i])
	}
	return all
}

func TestSteadyStateDoesNotAllocate(t *testing.T) {
	var short, long, posted Matcher
	deepMessages(&long)
	deepReceives(&posted)
	msg, r := &Message{Source: 1, Tag: 7}, &Recv{Source: 1, Tag: 7}
	spare, listener := &Message{Source: 5, Tag: 5}, &Recv{Source: AnySource, Tag: AnyTag}
	few := make([]Message, 20)
	for i := range few {
		few[i] = Message{Source: 1, Tag: int64(i)}
	}
	for name, f := range map[string]func(){
		"post then arrive":       func() { short.Post(r); short.Arrive(msg) },
		"arrive then post":       func() { short.Arrive(msg); short.Post(r) },
		"wildcard":               func() { short.Post(listener); short.Arrive(msg) },
		"probe":                  func() { short.Arrive(msg); short.Find(1, AnyTag); short.Take(AnySource, 7) },
		"among many receives":    func() { posted.Post(posted.Arrive(spare)) },
		"among many messages":    func() { long.Arrive(long.Take(9, AnyTag)) },
		"index made and dropped": func() { fill(&short, few); empty(&short, few) },
	} {
		if got := testing.AllocsPerRun(100, f); got != 0 {
			t.Errorf("%s: %v allocations per run, want 0", name, got)
		}
	}
}

func fill(m *Matcher, messages []Message) {
	for i := range messages {
		m.Arrive(&messages[i])
	}
	m.Find(1<<20, 0) // finds nothing, and builds the index
}

func empty(m *Matcher, messages []Message) {
	for i := range messages {
		m.Retract(&messages[i])
	}
}

func TestBurstDoesNotHoldItsMemory(t *testing.T) {
	var m Matcher
	all := make([]Message, 5000)
	for i := range all {
		all[i] = Message{Source: int32(i % 16), Tag: int64(i)}
	}
	fill(&m, all)
	peak := len(m.messages.index.slots)
	empty(&m, all)
	msg, r := &Message{Source: 1, Tag: 7}, &Recv{Source: 1, Tag: AnyTag}
	for range peak + 1 {
		m.Arrive(msg)
		m.Post(r)
	}
	if got := len(m.messages.index.slots); got > minSlots {
		t.Errorf("table has %d slots after a burst (%d at its peak) and as many short operations, want at most %d", got, peak, minSlots)
	}
}

func TestBurstsThatRepeatKeepTheirTable(t *testing.T) {
	var m Matcher
	var few [1000]Recv
	burst := func() {
		for i := range few {
			few[i] = Recv{Source: 1, Tag: int64(i)}
			m.Post(&few[i])
		}
		m.Claim(1<<20, 0) // finds nothing, and builds the index
		for i := range few {
			m.Withdraw(&few[i])
		}
	}
	if got := testing.AllocsPerRun(20, burst); got != 0 {
		t.Errorf("%v allocations per burst of %d receives, want 0", got, len(few))
	}
}

func TestRegularTagsDoNotCluster(t *testing.T) {
	for shift := range 47 {
		var x index
		entries := make([]entry, 1<<12)
		for i := range entries {
			x.add(&entries[i], int32(i%3), int64(i)<<shift, exact)
		}
		longest, run := 0, 0
		for i := range x.slots {
			run++
			if x.slots[i].head == nil {
				run = 0
			}
			longest = max(longest, run)
		}
		if longest > 200 {
			t.Errorf("tags that are multiples of 1<<%d: a run of %d slots of %d, want at most 200", shift, longest, len(x.slots))
		}
	}
}

func TestQueuedRecordIsRefused(t *testing.T) {
	var m Matcher
	r := &Recv{Source: 1, Tag: 7}
	m.Post(r)
	defer func() {
		if recover() == nil {
			t.Error("posting a receive that is queued corrupts the queue; it must not pass in silence")
		}
	}()
	m.Post(r)
}

func BenchmarkPostThenArrive(b *testing.B) {
	var m Matcher
	msg, r := &Message{Source: 1, Tag: 7}, &Recv{Source: 1, Tag: 7}
	for range b.N {
		m.Post(r)
		m.Arrive(msg)
	}
}

func BenchmarkArriveThenPost(b *testing.B) {
	var m Matcher
	msg, r := &Message{Source: 1, Tag: 7}, &Recv{Source: 1, Tag: 7}
	for range b.N {
		m.Arrive(msg)
		m.Post(r)
	}
}

func BenchmarkWildcardPostThenArrive(b *testing.B) {
	var m Matcher
	msg, r := &Message{Source: 1, Tag: 7}, &Recv{Source: AnySource, Tag: AnyTag}
	for range b.N {
		m.Post(r)
		m.Arrive(msg)
	}
}

// With a long queue of receives, one arrives for a tag far back and is posted again.
func BenchmarkDeepReceives(b *testing.B) {
	var m Matcher
	deepReceives(&m)
	m.Claim(1<<20, 0) // finds nothing, and builds the index
	msg := &Message{}
	b.ResetTimer()
	for i := range b.N {
		k := i * 7919 % deep
		msg.Source, msg.Tag = int32(k%16), int64(k)
		m.Post(m.Arrive(msg))
	}
}

func BenchmarkDeepMessages(b *testing.B) {
	var m Matcher
	deepMessages(&m)
	m.Find(1<<20, 0) // finds nothing, and builds the index
	r := &Recv{}
	b.ResetTimer()
	for i := range b.N {
		k := i * 7919 % deep
		r.Source, r.Tag = int32(k%16), int64(k)
		m.Arrive(m.Post(r))
	}
}

func BenchmarkDeepMessagesOneTag(b *testing.B) {
	var m Matcher
	all := make([]Message, deep)
	for i := range all {
		all[i] = Message{Source: 1, Tag: 7}
		m.Arrive(&all[i])
	}
	r := &Recv{Source: 1, Tag: 7}
	b.ResetTimer()
	for range b.N {
		m.Arrive(m.Post(r))
	}
}

func BenchmarkDeepMessagesWildcard(b *testing.B) {
	for _, c := range []struct {
		name   string
		source int32
		tag    int64
	}{{"source", AnySource, 77}, {"tag", 5, AnyTag}, {"both", AnySource, AnyTag}} {
		b.Run(c.name, func(b *testing.B) {
			var m Matcher
			deepMessages(&m)
			m.Find(1<<20, 0) // finds nothing, and builds the index
			r := &Recv{Source: c.source, Tag: c.tag}
			b.ResetTimer()
			for range b.N {
				m.Arrive(m.Post(r))
			}
		})
	}
}

// One message of a burst of deep, tables and all: arrival and removal.
func BenchmarkBurst(b *testing.B) {
	all := make([]Message, deep)
	for i := range all {
		all[i] = Message{Source: 1, Tag: int64(i)}
	}
	for n := 0; n < b.N; n += deep {
		var m Matcher
		part := all[:min(deep, b.N-n)]
		fill(&m, part)
		empty(&m, part)
	}
}
