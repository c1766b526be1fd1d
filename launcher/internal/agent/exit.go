package agent

// Exit codes of a job whose end no rank's own code decides.
const (
	ExitSpawn    = 66 // a rank could not be started, or did not join in time
	ExitProtocol = 67 // a rank speaks another version, or nonsense
	ExitInternal = 70 // a rank ended without leaving the job
	ExitLost     = 71 // an agent or a link was lost, or a rank was stopped for too long
	ExitResource = 72 // descriptors, memory or disk do not suffice
)
