//go:build race

package launcher

const raceDetector = true
