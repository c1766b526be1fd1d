package agent

// Names of what an agent tries for Examine.
const (
	ProbeMemory     = "shared memory"
	ProbeHandles    = "pidfd"
	ProbeCopies     = "single copies"
	ProbeBarrier    = "membarrier"
	ProbeReaper     = "child subreaper"
	ProbeMemoryRule = "memory cgroup"
)
