package results

import (
	"os"
	"runtime"
	"strings"
	"time"
)

// Schema names the layout of the JSON form. A change that a reader could trip
// over changes the number.
const Schema = "muster-bench/1"

// A Report is everything that one command measured.
type Report struct {
	Environment Environment
	Series      []*Series
	Notes       []string // what else a reader of the figures should know
}

// Environment is what one needs to know to measure it again.
type Environment struct {
	Machine  string    `json:"machine"` // model of the processor
	Cores    int       `json:"cores"`
	MemoryMB int64     `json:"memory_mb"`
	Kernel   string    `json:"kernel"`
	OS       string    `json:"os"`
	Arch     string    `json:"arch"`
	Go       string    `json:"go"`
	Commit   string    `json:"commit"`
	Command  string    `json:"command"`
	Start    time.Time `json:"start"`
	Load     string    `json:"load"`            // of the machine when it began: the load average
	Peers    []string  `json:"peers,omitempty"` // their versions
	Rounds   int       `json:"rounds"`
	Repeat   int       `json:"repeat"` // repetitions of a round
}

// Here describes this machine and build. What the system does not tell is empty.
func Here() Environment {
	e := Environment{
		Cores: runtime.NumCPU(), OS: runtime.GOOS, Arch: runtime.GOARCH, Go: runtime.Version(),
		Start: time.Now().UTC().Truncate(time.Second),
	}
	read := func(name string) string {
		text, _ := os.ReadFile(name)
		return strings.TrimSpace(string(text))
	}
	e.Kernel = read("/proc/sys/kernel/osrelease")
	e.Load, _, _ = strings.Cut(read("/proc/loadavg"), " ")
	e.Machine = value(read("/proc/cpuinfo"), "model name")
	var kb int64
	for _, digit := range value(read("/proc/meminfo"), "MemTotal") {
		if digit >= '0' && digit <= '9' {
			kb = kb*10 + int64(digit-'0')
		}
	}
	e.MemoryMB = kb / 1024
	return e
}

// value returns what follows "key:" in a file of such lines.
func value(text, key string) string {
	for line := range strings.Lines(text) {
		if name, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == key {
			return strings.TrimSpace(v)
		}
	}
	return ""
}
