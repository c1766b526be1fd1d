package record

import "strconv"

// Op says what an operation does. The values are part of the layout of the memory.
type Op uint8

// The prefix keeps them apart from Create and the like, which are functions here.
const (
	OpNone Op = iota
	OpSend
	OpSsend
	OpBsend
	OpRsend
	OpIsend
	OpIssend
	OpIbsend
	OpIrsend
	OpRecv
	OpIrecv
	OpSendRecv
	OpProbe
	OpIprobe
	OpMprobe
	OpImprobe
	OpMrecv
	OpImrecv
	OpWait
	OpWaitAny
	OpWaitSome
	OpWaitAll
	OpStart
	OpPsend
	OpPrecv
	OpBufferDetach
	OpDup
	OpSplit
	OpCreate
	OpCreateGroup
	OpFree
	OpJoin
	OpLeave
	OpAbort
	OpCreateInter
	OpMerge
	lastOp = OpMerge

	// OpCollective is the first of the numbers kept for collectives, up to 127: those
	// of collectives in their order there.
	OpCollective Op = 64
)

var collectives = [...]string{
	"Barrier", "Bcast", "Gather", "Scatter", "AllGather", "AllToAll",
	"Reduce", "AllReduce", "ReduceScatter", "Scan", "ExScan",
}

// toward is the word between an operation's name and its peer; none where the peer,
// tag and size of a record say nothing.
type toward string

const (
	none toward = ""
	to   toward = "to"
	from toward = "from"
	with toward = "with"
)

var ops = [lastOp + 1]struct {
	name   string
	toward toward
}{
	OpNone:         {"nothing", none},
	OpSend:         {"Send", to},
	OpSsend:        {"Ssend", to},
	OpBsend:        {"Bsend", to},
	OpRsend:        {"Rsend", to},
	OpIsend:        {"Isend", to},
	OpIssend:       {"Issend", to},
	OpIbsend:       {"Ibsend", to},
	OpIrsend:       {"Irsend", to},
	OpRecv:         {"Recv", from},
	OpIrecv:        {"Irecv", from},
	OpSendRecv:     {"SendRecv", with},
	OpProbe:        {"Probe", from},
	OpIprobe:       {"Iprobe", from},
	OpMprobe:       {"Mprobe", from},
	OpImprobe:      {"Improbe", from},
	OpMrecv:        {"Mrecv", from},
	OpImrecv:       {"Imrecv", from},
	OpWait:         {"Wait", with},
	OpWaitAny:      {"WaitAny", with},
	OpWaitSome:     {"WaitSome", with},
	OpWaitAll:      {"WaitAll", with},
	OpStart:        {"Start", with},
	OpPsend:        {"partitioned send", to},
	OpPrecv:        {"partitioned receive", from},
	OpBufferDetach: {"buffer detach", none},
	OpDup:          {"Dup", none},
	OpSplit:        {"Split", none},
	OpCreate:       {"Create", none},
	OpCreateGroup:  {"CreateGroup", none},
	OpFree:         {"Free", none},
	OpJoin:         {"Join", none},
	OpLeave:        {"Leave", none},
	OpAbort:        {"Abort", none},
	OpCreateInter:  {"CreateInter", none},
	OpMerge:        {"Merge", none},
}

// String returns the name of the call, or the number of one not known here.
func (op Op) String() string {
	if op <= lastOp {
		return ops[op].name
	}
	if k := int(op) - int(OpCollective); k >= 0 && k < len(collectives) {
		return collectives[k]
	}
	return "operation " + strconv.Itoa(int(op))
}

func (op Op) toward() toward {
	if op <= lastOp {
		return ops[op].toward
	}
	return none
}

// Values of Peer and Tag that name no rank and no tag.
const (
	AnySource int32 = -1
	Null      int32 = -2
	NoPeer    int32 = -3
	AnyTag    int64 = -1
	NoTag     int64 = -3
)

// Phase is how far a process is with its job.
type Phase uint32

const (
	Absent   Phase = iota // it never mapped its memory: it is no rank, or died before it joined
	Starting              // it is joining
	Joined                // it is in the job
	Leaving               // it has called Leave and waits for the others
	Left                  // it has left; what follows is its own affair
)

var phases = [...]string{"absent", "starting", "joined", "leaving", "left"}

// String returns the phase as a word.
func (p Phase) String() string {
	if int(p) < len(phases) {
		return phases[p]
	}
	return "phase " + strconv.Itoa(int(p))
}
