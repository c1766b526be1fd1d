package transporttest

import "testing"

// Short reports whether the largest cases are left out: under -short, and under
// the race detector, which makes moving gigabytes take minutes and shows nothing
// more for it.
func Short() bool { return testing.Short() || race }
