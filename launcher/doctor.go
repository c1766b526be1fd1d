package launcher

import "time"

// Exam says which hosts are to be examined, and how jobs will reach them; the fields
// mean what those of Job do.
type Exam struct {
	Hosts  []Host // nil: this machine alone. A host with 0 slots is examined for as many ranks as it has CPUs
	Shell  []string
	Iface  string
	Subnet string
	Agent  []string

	Timeout time.Duration // of each step of reaching a host; 0: 10 s
}

// Verdict is what a check has come to.
type Verdict string

const (
	Fine    Verdict = "ok"
	Warning Verdict = "warning" // a job runs, but something is slower or worse than it could be
	Fail    Verdict = "fail"    // a job would fail
)

// worse returns the graver of two verdicts.
func worse(a, b Verdict) Verdict {
	switch {
	case a == Fail || b == Fail:
		return Fail
	case a == Warning || b == Warning:
		return Warning
	}
	return Fine
}

// Names of checks, in the order in which they are made. Those that another one's
// failure makes impossible are left out.
const (
	CheckName     = "name"     // what the host's name leads to
	CheckReach    = "reach"    // by ssh, or what stands in for it
	CheckPlatform = "platform" // system and processor
	CheckAgent    = "agent"    // muster's own program there
	CheckClock    = "clock"
	CheckLimits   = "limits" // of descriptors and processes
	CheckCPU      = "cpu"
	CheckLoad     = "load"
	CheckMemory   = "memory" // that processes share, and how they copy
	CheckSystem   = "system" // what a container may lack or forbid
	CheckStore    = "store"  // for programs that the host is given
	CheckPort     = "port"
	CheckMTU      = "mtu"
	CheckNetwork  = "network" // the ways to the other hosts
)

// Checks lists them.
var Checks = []string{
	CheckName, CheckReach, CheckPlatform, CheckAgent, CheckClock, CheckLimits, CheckCPU, CheckLoad,
	CheckMemory, CheckSystem, CheckStore, CheckPort, CheckMTU, CheckNetwork,
}

// Diagnosis is what Examine has found.
type Diagnosis struct {
	Verdict Verdict         `json:"verdict"` // the gravest of all
	Here    string          `json:"here"`    // this machine, which has reached the others
	Hosts   []HostDiagnosis `json:"hosts"`
	Pairs   []PairDiagnosis `json:"pairs,omitempty"`
	Chosen  string          `json:"pairs_chosen,omitempty"` // which pairs were measured; empty: all
	Elapsed time.Duration   `json:"elapsed_ns"`
}

// HostDiagnosis is one host's. What was not found out is zero.
type HostDiagnosis struct {
	Host        string        `json:"host"`
	Verdict     Verdict       `json:"verdict"`
	Checks      []Check       `json:"checks"`
	Ranks       int           `json:"ranks,omitempty"` // that it was examined for
	Addresses   []string      `json:"addresses,omitempty"`
	Platform    string        `json:"platform,omitempty"` // linux/amd64
	Kernel      string        `json:"kernel,omitempty"`
	CPUs        float64       `json:"cpus,omitempty"` // what a quota leaves of those that may be used
	Load        float64       `json:"load"`
	ClockOffset time.Duration `json:"clock_offset_ns"` // how far its clock is before this machine's
	RoundTrip   time.Duration `json:"round_trip_ns"`   // of the connection over which it was reached
}

// Check is one thing that was looked at. One name may have several, of which one says
// what is well.
type Check struct {
	Name    string  `json:"check"`
	Verdict Verdict `json:"verdict"`
	Found   string  `json:"found"`             // a clause of which the host is the subject, or a fact
	Mend    string  `json:"mend,omitempty"`    // what helps, in the imperative
	Command string  `json:"command,omitempty"` // shows the user the same
}

// Sentence is the check as a user reads it.
func (c Check) Sentence(host string) string {
	text := host + ": " + c.Found
	if c.Mend != "" {
		text += ": " + c.Mend
	}
	if c.Command != "" {
		text += "; see it with: " + c.Command
	}
	return text
}

// PairDiagnosis is the way from one host to another.
type PairDiagnosis struct {
	From           string        `json:"from"`
	To             string        `json:"to"`
	Verdict        Verdict       `json:"verdict"`
	Address        string        `json:"address,omitempty"` // that was measured, of To
	Interface      string        `json:"interface,omitempty"`
	RoundTrip      time.Duration `json:"round_trip_ns,omitempty"` // median
	BytesPerSecond float64       `json:"bytes_per_second,omitempty"`
	PathMTU        int           `json:"path_mtu,omitempty"`
	Retransmits    int64         `json:"retransmits,omitempty"`
	Roads          []Road        `json:"roads,omitempty"`
	Problem        string        `json:"problem,omitempty"`
}

// Road is one of the addresses of a host, as another one has dialled it.
type Road struct {
	Interface string `json:"interface,omitempty"` // of the one who dialled
	Address   string `json:"address"`
	Error     string `json:"error,omitempty"`
}
