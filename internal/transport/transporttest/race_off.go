//go:build !race

package transporttest

const race = false
