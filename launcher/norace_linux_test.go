//go:build !race

package launcher

const raceDetector = false
