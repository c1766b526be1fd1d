//go:build amd64 || arm64

package engine

// pause tells the core that its thread spins, so that it spares power, and its
// sibling, and leaves the loop without a penalty once the memory it looks at
// changes.
//
//go:noescape
func pause()
