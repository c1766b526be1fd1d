//go:build !amd64 || noasm

package kernel

// eachSet calls do once: there are only the loops.
func eachSet(do func(name string)) { do("none") }
