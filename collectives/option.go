package collectives

import "github.com/muster-mpi/muster/rank"

// Option is how a collective is carried out. All ranks of a call must give the
// same; that they carry it out by the same algorithm is checked.
type Option struct {
	kind  optionKind
	n     int
	text  string
	codec rank.Codec
}

type optionKind uint8

const (
	optionAnyOrder optionKind = iota + 1
	optionUsing
	optionSegment
	optionCodec
)

// AnyOrder permits a reduction of inexact elements to be combined in whatever
// order is quickest. Without it the result has the same bits whatever the
// transport, the placement of the ranks and the algorithm.
func AnyOrder() Option { return Option{kind: optionAnyOrder} }

// Using has the algorithm called name carry the call out; `muster explain` lists
// the names. ErrArgument if there is none such, or it cannot.
func Using(name string) Option { return Option{kind: optionUsing, text: name} }

// Segment has pipelined algorithms cut vectors into pieces of n elements.
func Segment(n int) Option { return Option{kind: optionSegment, n: n} }

// With has the values of the calls on objects encoded by codec.
func With(codec rank.Codec) Option { return Option{kind: optionCodec, codec: codec} }

// settings are the options of a call.
type settings struct {
	anyOrder bool
	using    string
	segment  int
	codecs   []rank.Codec
}

// settle takes opts over; of several of a kind the last counts, but for codecs, of which
// rank.CodecFor refuses a second.
func (s *settings) settle(opts []Option) {
	for i := range opts {
		switch o := &opts[i]; o.kind {
		case optionAnyOrder:
			s.anyOrder = true
		case optionUsing:
			s.using = o.text
		case optionSegment:
			s.segment = o.n
		case optionCodec:
			s.codecs = append(s.codecs, o.codec)
		}
	}
}
