package rendezvous

import (
	"testing"

	"golang.org/x/sys/unix"
)

func dumpable(t *testing.T) int {
	t.Helper()
	n, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// While the authority's key exists no core dump of the process is written.
func TestTheKeyIsInNoCoreDump(t *testing.T) {
	before := dumpable(t)
	release := protect()
	if n := dumpable(t); n != 0 {
		t.Errorf("PR_GET_DUMPABLE is %d, want 0", n)
	}
	release()
	if n := dumpable(t); n != before {
		t.Errorf("PR_GET_DUMPABLE is %d afterwards, it was %d", n, before)
	}
}
