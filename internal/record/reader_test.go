package record

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
	"unicode/utf8"
	"unsafe"
)

// look reads everything and checks what holds whatever the memory says.
func look(t *testing.T, m *memory) {
	r := &Reader{m: m}
	all := r.Last(math.MaxInt)
	if len(all) > ringSize+waitSize {
		t.Fatalf("%d records from memory for %d", len(all), ringSize+waitSize)
	}
	blocked := r.Blocked()
	for i, rec := range append(all, blocked...) {
		if s := rec.String(); !utf8.ValidString(s) || len(s) > 1024 {
			t.Fatalf("record %d: text %q", i, s)
		}
		if 0 < i && i < len(all) && all[i-1].Seq <= rec.Seq {
			t.Fatalf("record %d: number %d after %d", i, rec.Seq, all[i-1].Seq)
		}
	}
	for _, rec := range blocked {
		if rec.Done || !rec.Blocked {
			t.Fatalf("among the blocked: %+v", rec)
		}
	}
	_ = r.Phase().String()
}

// words views the memory as the words that it is made of.
func words(m *memory) *[Bytes / 8]uint64 { return (*[Bytes / 8]uint64)(unsafe.Pointer(m)) }

// repair gives every record a right check, so that damage goes on to the rest.
func repair(m *memory) {
	for i := range m.ring {
		m.ring[i].check = m.ring[i].call.sum()
	}
	for i := range m.waits {
		m.waits[i].check = m.waits[i].sum()
	}
	for i := range m.names {
		m.names[i].check = m.names[i].sum()
	}
}

// FuzzReader damages a plausible memory: each ten bytes of data are a place and a word
// to put there.
func FuzzReader(f *testing.F) {
	sound := busy()
	f.Add([]byte{}, false)
	f.Add([]byte{8, 0, 9, 0, 255, 0, 0, 0, 0, 0}, true)
	f.Fuzz(func(t *testing.T, data []byte, mend bool) {
		m := new(memory)
		*m = *sound
		for ; len(data) >= 10; data = data[10:] {
			words(m)[int(binary.LittleEndian.Uint16(data))%(Bytes/8)] = binary.LittleEndian.Uint64(data[2:])
		}
		if mend {
			repair(m)
		}
		look(t, m)
	})
}

// busy is the memory of a process in the middle of its work.
func busy() *memory {
	r := New()
	r.NameComm(1, "world")
	for i := range ringSize {
		r.Begin(OpSend, 1, int32(i), 7, 8).End(r)
		r.BeginLocked(OpRecv, 1, int32(i), 7, 8).Block(r, 1e18, "solver.go:142")
	}
	return r.m
}

func TestReaderSurvivesRandomMemory(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 2))
		m := new(memory)
		for i := range words(m) {
			words(m)[i] = random.Uint64() >> (random.Uint32() % 64)
		}
		look(t, m)
		repair(m)
		look(t, m)
		for i := range words(m) {
			words(m)[i] = ^uint64(0)
		}
		look(t, m)
	}
}

// The process may end between any two stores: what is then in the memory is a record
// whole, old or new, or none.
func TestRecordBrokenOffIsLeftOut(t *testing.T) {
	old, next := pack(2, OpRecv, 1, 2, 7, 1024), pack(2+ringSize, OpSend, 1, 3, 8, 512)
	for stores := range 5 {
		m := New().m
		m.ring[place(2)].write(old)
		to := &m.ring[place(2)]
		for i, w := range []uint64{next.id, next.who, next.tag, next.bytes}[:min(stores, 4)] {
			*[]*uint64{&to.id, &to.who, &to.tag, &to.bytes}[i] = w
		}
		got := (&Reader{m: m}).Last(1)
		if stores == 0 && (len(got) != 1 || got[0].Op != OpRecv) {
			t.Errorf("before the first store: got %v, want the old record", got)
		}
		if stores > 0 && len(got) != 0 {
			t.Errorf("after %d stores: got %v, want nothing", stores, got)
		}
	}
}

func TestMessagesOfCollectivesAreNoCalls(t *testing.T) {
	r := New()
	r.Begin(OpRecv, 1, 2, 7, 8).End(r)
	call := r.Begin(OpCollective, 1, NoPeer, NoTag, 8)
	r.Begin(OpIsend, 1, 2, NoTag, 8).End(r)
	r.Begin(OpIrecv, 1, 2, NoTag, 8)
	all := r.Reader().Last(10)
	if own := Calls(all); len(all) != 4 || len(own) != 2 || own[0].Op != OpCollective || own[0].Done || own[1].Op != OpRecv {
		t.Errorf("of %v the program's own are %v, want Barrier and Recv", all, own)
	}
	if rest := Calls(all[:2]); len(rest) != 2 {
		t.Errorf("where there is nothing else: %v, want both", rest)
	}
	call.End(r)
}
