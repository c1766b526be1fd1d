package engine

import (
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// CallSite returns file:line of the program's call into Muster; "" on a goroutine of
// Muster's own.
func CallSite() string {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for {
		f, more := frames.Next()
		switch {
		case ours(f.Function):
		case f.File == "" || strings.HasPrefix(f.Function, "runtime."):
			return ""
		default:
			return filepath.Base(f.File) + ":" + strconv.Itoa(f.Line)
		}
		if !more {
			return ""
		}
	}
}

// ours reports whether a function is Muster's own, and not its user's.
func ours(function string) bool {
	name, ok := strings.CutPrefix(function, "github.com/muster-mpi/muster/")
	return ok && (strings.HasPrefix(name, "internal/") || strings.HasPrefix(name, "rank.") ||
		strings.HasPrefix(name, "collectives.") || strings.HasPrefix(name, "topology."))
}
