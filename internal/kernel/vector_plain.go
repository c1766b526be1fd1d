//go:build !amd64 || noasm

package kernel

// vectorised reports whether it has carried out op: without assembly, never.
func vectorised[T any](op operation, dst, a, b []T) bool { return false }
