//go:build (amd64 || arm64) && !race

package shm

// storeRelease stores v so that whoever sees it by an atomic load also sees all that was
// written before it: MOVQ on amd64, where stores become visible in their order and an
// assembly function is a barrier to the compiler, and STLR on arm64. An atomic store of
// Go's is more, it also waits until others see it, and for that it waits until this core
// owns the line: 20 ns and more when the peer just read it. Nothing here needs that where
// this is used.
//
//go:noescape
func storeRelease(p *uint64, v uint64)

// fetch has the lines of p and q on their way to this core while something else is done,
// to be read. p and q may be anywhere.
//
//go:noescape
func fetch(p, q *uint64)

// own is fetch to be written.
//
//go:noescape
func own(p, q *uint64)
