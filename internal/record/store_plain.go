//go:build !race

package record

// load and store touch one word of the memory. They are not atomic operations, which
// would cost an operation record several times what it costs now: of two goroutines
// that meet in one word one wins, a word is never torn on a 64-bit machine, and the
// checks in the memory find what is mixed up. In a binary built for the race detector
// they are atomic, so that it sees what is meant.

func load(p *uint64) uint64     { return *p }
func store(p *uint64, v uint64) { *p = v }
