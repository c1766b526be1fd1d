//go:build !race

package collectives_test

const slowdown = 1
