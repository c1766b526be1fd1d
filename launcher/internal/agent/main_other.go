//go:build !linux

// Package agent is the part of a job that runs on each host. It needs Linux.
package agent

import (
	"fmt"
	"os"
	"runtime"
)

// EnvSocket names the descriptor on which the agent is served to the launcher.
const EnvSocket = "MUSTER_AGENT"

// Main says that this system cannot run an agent.
func Main(args ...string) int {
	fmt.Fprintf(os.Stderr, "muster agent: jobs of several processes need Linux, this is %s\n", runtime.GOOS)
	return 64
}
