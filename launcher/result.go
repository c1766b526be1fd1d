package launcher

import "time"

// Result is how a job ended. Its JSON form is the report that Job.Report asks
// for.
type Result struct {
	Job          string        `json:"job"` // identifier, 32 hexadecimal digits
	Code         int           `json:"code"`
	Start        time.Time     `json:"start"`
	Elapsed      time.Duration `json:"elapsed_ns"`
	Failure      *Failure      `json:"failure,omitempty"` // nil if the job ended well
	Where        []RankState   `json:"where,omitempty"`   // what ranks were blocked in when a user ended the job
	Ranks        []RankResult  `json:"ranks"`
	Stragglers   []Straggler   `json:"stragglers,omitempty"`
	Leftovers    []Leftover    `json:"leftovers,omitempty"`
	Stopped      int           `json:"stopped_ranks"`            // ranks that were ended because of the failure
	Strays       int           `json:"stray_processes"`          // processes that ranks had left behind, ended
	Survivors    []int         `json:"surviving_pids,omitempty"` // processes that could not be ended
	Unswept      []string      `json:"unswept_hosts,omitempty"`  // lost hosts that were not reached again to see that nothing is left
	DroppedLines int64         `json:"dropped_lines,omitempty"`  // of output, under DropOnSlow
	LostBytes    int64         `json:"lost_bytes,omitempty"`     // of output that could not be written
}

// Failure is the first cause of a job's end.
type Failure struct {
	Rank   int         `json:"rank"` // -1: no rank in particular
	Host   string      `json:"host,omitempty"`
	PID    int         `json:"pid,omitempty"`
	What   string      `json:"what"`            // "killed by signal 9 (SIGKILL)"
	Phase  string      `json:"phase,omitempty"` // "during startup, 3 of 8 joined"
	Last   string      `json:"last,omitempty"`  // operation it was in, or its last one
	Panic  string      `json:"panic,omitempty"` // first line of the crash text it wrote
	Time   time.Time   `json:"time"`
	Others []RankState `json:"others,omitempty"`

	code int
	echo bool // may be but the consequence of another host's
}

// RankState is what another rank was doing when the job failed.
type RankState struct {
	Rank    int    `json:"rank"`
	PID     int    `json:"pid,omitempty"`
	Phase   string `json:"phase"`
	Blocked string `json:"blocked,omitempty"` // operation it waited in
	Last    string `json:"last,omitempty"`
}

// RankResult is how a rank's process ended.
type RankResult struct {
	Rank        int       `json:"rank"`
	Host        string    `json:"host"`
	PID         int       `json:"pid"`
	CPUs        []int     `json:"cpus,omitempty"`
	Ended       bool      `json:"ended"`
	Code        int       `json:"code"`
	Signal      int       `json:"signal,omitempty"`
	CoreDumped  bool      `json:"core_dumped,omitempty"`
	ByMuster    bool      `json:"by_muster,omitempty"` // after muster had told it to end
	OutOfMemory string    `json:"out_of_memory,omitempty"`
	PeakBytes   int64     `json:"peak_bytes"`
	Time        time.Time `json:"time"`

	InJob  time.Duration `json:"in_job_ns"` // since it joined
	Waited time.Duration `json:"waited_ns"` // of this it slept in calls, to wait for others

	joined bool
}

// Straggler is a rank for which the others waited.
type Straggler struct {
	Rank        int     `json:"rank"`
	Host        string  `json:"host"`
	WaitShare   float64 `json:"wait_share"`        // of its time in the job that it slept in calls
	OthersShare float64 `json:"others_wait_share"` // the median of the others'
}

// Leftover is a message or an operation that nobody had completed when the
// ranks left.
type Leftover struct {
	Rank   int    `json:"rank"` // the one that found it
	Kind   string `json:"kind"` // "request", "send" or "recv"
	Comm   string `json:"comm"`
	Source int    `json:"source"`
	Dest   int    `json:"dest"`
	Tag    int64  `json:"tag"`
	Bytes  int64  `json:"bytes"`
	Count  int64  `json:"count"`
	What   string `json:"what,omitempty"`
}
