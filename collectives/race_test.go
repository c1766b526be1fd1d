//go:build race

package collectives_test

// slowdown is by how much the race detector slows a test down.
const slowdown = 4
