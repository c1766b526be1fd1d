//go:build race

package algo_test

// raceEnabled: the race detector makes the exhaustive checks ten times as slow, and
// there is nothing in them for it to find that the small sizes do not have.
const raceEnabled = true
