//go:build !(amd64 || arm64) || race

package shm

import "sync/atomic"

// storeRelease stores v so that whoever sees it by an atomic load also sees all that was
// written before it.
func storeRelease(p *uint64, v uint64) { atomic.StoreUint64(p, v) }

// fetch has the lines of p and q on their way to this core where that can be asked for.
func fetch(p, q *uint64) {}

// own is fetch to be written.
func own(p, q *uint64) {}
