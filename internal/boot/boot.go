// Package boot is the contract between a rank and the agent that started it:
// the environment variables, and the control socket the rank inherits.
//
// The inherited descriptor is one end of a SOCK_SEQPACKET socket pair. It is a
// door: whoever holds it may hand the agent an end of a socket pair of its own
// and talk over that. A wrapper script may hold the door open, and a second
// process may come through it; the agent still sees which process is which, and
// the end of each. Nothing secret is in the environment: whoever holds the
// descriptor is the rank.
//
// Each packet is one protobuf message of package proto, and may carry
// descriptors.
package boot

import (
	"os"
	"runtime"
	"sync"

	pb "github.com/muster-mpi/muster/proto"
)

// Protocol is the version of the messages between rank and agent. Both must
// speak the same.
const Protocol = 2

// The environment of a rank. Only EnvControl is read by package rank; the
// others are for wrapper scripts and programs that never join.
const (
	EnvControl   = "MUSTER_CONTROL"    // number of the inherited control descriptor
	EnvRank      = "MUSTER_RANK"       // rank in the world
	EnvSize      = "MUSTER_SIZE"       // ranks in the world
	EnvLocalRank = "MUSTER_LOCAL_RANK" // rank among those of the host
	EnvLocalSize = "MUSTER_LOCAL_SIZE" // ranks of the host
	EnvTerminal  = "MUSTER_TERMINAL"   // "1" if standard output ends at a terminal, "2" if standard error does, "12" if both
	EnvJob       = "MUSTER_JOB"        // job id, 32 hexadecimal digits; names the job, grants nothing
)

// Variables lists every variable of the contract. A launcher that itself runs
// under a launcher must not pass them on.
func Variables() []string {
	return []string{EnvControl, EnvRank, EnvSize, EnvLocalRank, EnvLocalSize, EnvTerminal, EnvJob}
}

// MaxMessage is the largest encoded control message, in bytes. Send refuses
// larger ones, and Recv fails with ErrMessage if the peer sent one.
const MaxMessage = 64 << 10

// MaxFiles is how many descriptors one control message can carry.
const MaxFiles = 8

// LocalHost returns this machine's name, or "localhost" where it has none.
func LocalHost() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "localhost"
	}
	return name
}

var thisBuild = sync.OnceValue(func() *pb.Build {
	return &pb.Build{
		Program:   programID(),
		ByteOrder: byteOrder(),
		IntBytes:  uint32(intBytes),
		Arch:      runtime.GOARCH,
	}
})

// ThisBuild identifies the running executable. The caller must not change what
// it returns. The first call reads the head of the executable's file.
func ThisBuild() *pb.Build { return thisBuild() }
