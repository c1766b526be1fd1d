package transporttest

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// transportGoroutines counts the goroutines that a transport could have
// started: those below this module or gRPC, but not the suite's own.
func transportGoroutines() map[string]int {
	buf := make([]byte, 1<<20)
	buf = buf[:runtime.Stack(buf, true)]
	found := map[string]int{}
	for i, g := range strings.Split(string(buf), "\n\n") {
		_, stack, _ := strings.Cut(g, "\n")
		made := stack[strings.LastIndex(stack, "created by ")+1:]
		if i > 0 && (strings.Contains(made, "/internal/transport/") && !strings.Contains(made, "/transporttest") && !strings.Contains(made, "testing.(*T).Run") || strings.Contains(made, "google.golang.org/grpc")) {
			found[stack]++
		}
	}
	return found
}

// leaked fails unless all goroutines of transports end. Those of gRPC end by
// themselves shortly after their connection, so they are given time.
func leaked(t *testing.T, before map[string]int) {
	total := func(m map[string]int) (n int) {
		for _, k := range m {
			n += k
		}
		return n
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		now := transportGoroutines()
		if total(now) <= total(before) {
			return
		}
		if time.Now().After(deadline) {
			var all []string
			for stack, k := range now {
				all = append(all, fmt.Sprintf("%d × %s", k, stack))
			}
			t.Errorf("%d goroutines left after Close, %d before the test:\n%s", total(now), total(before), strings.Join(all, "\n\n"))
			return
		}
		time.Sleep(time.Millisecond)
	}
}
