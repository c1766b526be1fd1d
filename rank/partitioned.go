package rank

// Partitioned communication (MPI 4.1 §4): a message whose parts are handed over
// as they get ready, by any goroutine in any order. The two sides meet once, in
// the order of their Init calls, in a matching space of their own: the sender
// tells its channel and how it cuts the message. From then on each round of
// each partition is a message of its own in another space, tagged with channel,
// round and partition, so that credits, rendezvous and order are the engine's.

// setup is what the sender tells at Init.
type setup struct {
	channel uint64
	parts   uint64
	bytes   uint64
}

const setupBytes = 24

// partTag is the tag of partition i in a round of a channel. Rounds follow each
// other in order on a link, so the two lowest bits of their count tell them
// apart.
func partTag(channel uint64, round, i int) Tag {
	return Tag(channel<<34 | uint64(i)<<2 | uint64(round&3))
}

const (
	maxPartitions = 1 << 31
	maxChannels   = 1 << 28
)
