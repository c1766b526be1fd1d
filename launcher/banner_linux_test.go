package launcher

import (
	"strings"
	"testing"
)

// A rank that died outside of any call is not said to have been in its last one.
func TestBannerSaysWhereTheCulpritWas(t *testing.T) {
	for _, c := range []struct{ last, want string }{
		{"Recv from 1 tag 7 on world, blocked for 3s at solver.go:142", ", in Recv from 1 tag 7 on world, blocked for 3s at solver.go:142; exit 137"},
		{"Recv from 1 tag 7 on world, under way", ", in Recv from 1 tag 7 on world; exit 137"},
		{"Isend to 2 tag 2 on world, 8 bytes, done", ", in no call, its last: Isend to 2 tag 2 on world, 8 bytes, done; exit 137"},
		{"Irecv from 2 tag 2 on world, 8 bytes, under way", ", in no call, its last: Irecv from 2 tag 2 on world, 8 bytes, under way; exit 137"},
		{"", "killed by signal 9 (SIGKILL); exit 137"},
	} {
		f := &Failure{Rank: 3, Host: "a", PID: 7, What: "killed by signal 9 (SIGKILL)", Last: c.last}
		r := &Result{Job: "2d658382", Failure: f, Code: 137}
		if got := r.banner(); !strings.Contains(got, c.want) {
			t.Errorf("last %q:\n%swant %q in it", c.last, got, c.want)
		}
	}
}
