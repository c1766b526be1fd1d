package testbed

import "time"

// A spec is what a keeper is to keep. Its files and commands are named by absolute paths.
type spec struct {
	Dir       string // the bed's directory, removed in the end
	Listeners []listener
	Hosts     []host
}

// A listener hands every connection to a command of its own, as standard input and
// output. So a port is chosen and open before anybody is told of it.
type listener struct {
	Address string // with port 0
	Command []string
	Log     string
}

// A host is a shell script that runs in new network, uts, mount and ipc namespaces and
// has to say "up" when they are as they should be. The shell stays in them then. The
// first is up before the others begin; HUB in their environment is its process id. What
// the script last started in the background belongs to the bed, not to its guests.
type host struct {
	Script string
	Log    string
}

// A reply says what a keeper keeps.
type reply struct {
	Error   string
	Refused bool     // Error is for want of permission
	Ports   []int    // of the listeners
	PIDs    []int    // of the hosts' shells
	Daemons []int    // what the scripts left in the background
	Spaces  []string // their network namespaces, as /proc/PID/ns/net reads
}

// A daemon is a command that a keeper starts when it is asked to.
type daemon struct {
	Command []string
	Env     []string
	Dir     string
	Log     string
}

// delayVariable in the environment makes a test binary the carrier of a delay, which it
// says in JSON.
const delayVariable = "MUSTER_TESTBED_DELAY"

// A delay is how frames go from each of two tap devices to the other.
type delay struct {
	Taps          [2]string
	Delay, Jitter time.Duration
	Duplicates    float64
	Seed          uint64
}
