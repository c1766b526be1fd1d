package record

import (
	"encoding/binary"
	"math/bits"
	"unicode"
	"unicode/utf8"
	"unsafe"
)

// Bytes is the size of the memory of one process: what Create makes and Open maps.
const Bytes = int(unsafe.Sizeof(memory{}))

const (
	laneSize  = 64 // records of a lane
	ringSize  = 2 * laneSize
	waitSize  = 128 // operations that can be listed as blocked at one time
	nameSize  = 64  // communicators whose name is kept
	siteBytes = 64
	nameBytes = 48
)

// layoutMark stands at the head of the memory once a process has mapped it; its last
// byte is the version of the layout.
const layoutMark = 0x6d7573746572_02

// memory is the layout. It is all words, so that each is read and written whole.
//
// There are no locks in it and no order that a reader could count on: the writer may
// be stopped for good between any two stores, and two goroutines may even meet in one
// record, a lane's length apart. So each record carries a check over its words, and a
// reader takes none whose check is wrong, or whose place does not follow from its number.
// slept and since have none: what is made of them is a share, and who reads bounds it.
type memory struct {
	mark  uint64
	phase uint64
	slept uint64 // nanoseconds that the process has slept in calls before the current sleep
	since uint64 // when it went to sleep, in unix nanoseconds; 0: it is awake
	_     [4]uint64
	ring  [ringSize]record
	waits [waitSize]wait
	names [nameSize]name
}

// parked is set in the id of a record in the ring whose operation is on the list of
// blocked ones too. So End need look at one word to know that it has nothing to do there.
const parked = 1 << 7

// call is what Begin was told, packed.
type call struct {
	id    uint64 // number of the record << 8 | parked | Op
	who   uint64 // communicator << 32 | peer
	tag   uint64
	bytes uint64
}

// record is one operation; it fills a cache line.
type record struct {
	call
	check uint64
	end   uint64 // 0: not over; 1: over; else when, in unix nanoseconds
	_     [2]uint64
}

// wait is a blocked operation. It is apart from the lanes because they go round: other
// goroutines may do thousands of operations while this one waits.
type wait struct {
	call
	start uint64 // unix nanoseconds
	site  [siteBytes / 8]uint64
	check uint64
	end   uint64 // as in record
	_     uint64
}

// name is the name of a communicator.
type name struct {
	comm  uint64 // communicator | 1<<32, so that a free place is zero
	text  [nameBytes / 8]uint64
	check uint64
}

func pack(number uint64, op Op, comm uint32, peer int32, tag, bytes int64) call {
	return call{
		id:    number<<8 | uint64(op),
		who:   uint64(comm)<<32 | uint64(uint32(peer)),
		tag:   uint64(tag),
		bytes: uint64(bytes),
	}
}

func (c call) number() uint64 { return c.id >> 8 }
func (c call) op() Op         { return Op(c.id &^ parked) }
func (c call) comm() uint32   { return uint32(c.who >> 32) }
func (c call) peer() int32    { return int32(uint32(c.who)) }

// sum is not zero for the all-zero call. Each word is turned by its own amount, so that
// words of two records mixed up, which mostly differ in few low bits, do not cancel.
func (c call) sum() uint64 {
	return ^(c.id&^parked ^ bits.RotateLeft64(c.who, 17) ^ bits.RotateLeft64(c.tag, 31) ^ bits.RotateLeft64(c.bytes, 47))
}

func (w *wait) sum() uint64 { return fold(fold(w.call.sum(), w.start), w.site[:]...) }

func (n *name) sum() uint64 { return fold(^n.comm, n.text[:]...) }

func fold(sum uint64, words ...uint64) uint64 {
	for _, w := range words {
		sum = bits.RotateLeft64(sum, 7)*0x9e3779b97f4a7c15 ^ w
	}
	return sum
}

// place says where a record with this number lies. The numbers of the lane that a lock
// guards are even, those of the other odd, so that neither can overwrite the other's.
func place(number uint64) uint64 { return number % ringSize }

// packText writes as much of the end of s as fits. The end of a path is what tells.
func packText(words []uint64, s string) {
	if n := 8 * len(words); len(s) > n {
		s = s[len(s)-n:]
		for len(s) > 0 && !utf8.RuneStart(s[0]) {
			s = s[1:]
		}
	}
	for i := range words {
		var b [8]byte
		s = s[copy(b[:], s):]
		words[i] = binary.LittleEndian.Uint64(b[:])
	}
}

// unpackText reads what packText wrote, up to the first zero. What a terminal would not
// print as it stands becomes a question mark.
func unpackText(words []uint64) string {
	var b []byte
	for _, w := range words {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	var text []rune
	for _, r := range string(b) {
		if r == 0 {
			break
		}
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			r = '?'
		}
		text = append(text, r)
	}
	return string(text)
}
