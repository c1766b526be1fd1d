//go:build !(amd64 || arm64) || race

package shm

import "sync/atomic"

// storeRelease stores v so that whoever sees it by an atomic load also sees all that was
// written before it.
func storeRelease(p *uint64, v uint64) { atomic.StoreUint64(p, v) }

// publish is storeRelease; where a line can be fetched for writing it does that too.
func publish(p *uint64, v uint64, _ *uint64) { atomic.StoreUint64(p, v) }
