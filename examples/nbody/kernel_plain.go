//go:build !amd64 || noasm

package main

// addAccelerations adds to acc what the sources s give to each body of b. If
// self is set, s are the bodies b themselves, and none attracts itself: without
// softening that term would be 0/0.
func addAccelerations(b *bodies, s sources, self bool, eps2 float64, acc *vectors) {
	addAccelerationsPlain(b, s, self, eps2, acc)
}

// addPotentials adds to b.phi the potential of the sources s at each body of b;
// self as in addAccelerations.
func addPotentials(b *bodies, s sources, self bool, eps2 float64) {
	addPotentialsPlain(b, s, self, eps2)
}
