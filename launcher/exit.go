package launcher

import "github.com/muster-mpi/muster/launcher/internal/agent"

// Exit codes of a job. A job whose ranks all end with success has code 0. One
// that fails has the code of the first rank that failed: its own if it exited
// with one, 128+n if signal n killed it. What no rank's own code decides has one
// of these:
//
//	64   the command line makes no sense, or the job does not
//	65   a host file, a rank file, or a batch system's list of hosts cannot be
//	     read (by the command that reads them; Run reads none)
//	66   a host could not be reached, a program not be found, built or brought
//	     there, a rank not be started, or one did not join in time
//	67   ranks of different builds or versions, or a broken control protocol
//	69   messages or operations were left over, under Strict
//	70   a rank exited 0 without leaving the job that it had joined, or without
//	     joining one that others had joined; or an error of muster's own
//	71   a host, an agent or a link between ranks was lost, or a rank was stopped
//	     for longer than StopTimeout
//	72   too few descriptors, or another resource that the job needs
//	124  the job ran longer than its Timeout
//	129  the terminal was closed (SIGHUP)
//	130  interrupted (SIGINT)
//	141  the reader of the output has closed it
//	143  terminated (SIGTERM)
const (
	ExitUsage    = 64
	ExitHosts    = 65
	ExitSpawn    = agent.ExitSpawn
	ExitProtocol = agent.ExitProtocol
	ExitLeftover = 69
	ExitInternal = agent.ExitInternal
	ExitLost     = agent.ExitLost
	ExitResource = agent.ExitResource
	ExitTimeout  = 124
	ExitPipe     = 141
)
