package launcher

import (
	"fmt"
	"strings"
	"time"

	"github.com/muster-mpi/muster/launcher/internal/remote"
)

// phases are the steps of a job's start and what they took.
type phases struct {
	list  []phase
	hosts []hostPhases
}

type phase struct {
	name  string
	begun time.Time
	took  time.Duration // negative: it is under way
}

type hostPhases struct {
	host   string
	stages map[remote.Stage]time.Duration
}

// Names of phases.
const (
	phaseReach = "reach" // until every host has an agent
	phaseSpawn = "spawn" // until every rank has a process; programs are brought to hosts in it
	phaseJoin  = "join"  // from the first rank that has joined to the last
)

func (p *phases) begin(name string) {
	p.list = append(p.list, phase{name: name, begun: time.Now(), took: -1})
}

func (p *phases) end(name string) {
	for i := range p.list {
		if x := &p.list[i]; x.name == name && x.took < 0 {
			x.took = time.Since(x.begun)
		}
	}
}

func (p *phases) reached(host string, stages map[remote.Stage]time.Duration) {
	p.hosts = append(p.hosts, hostPhases{host, stages})
}

// text lists what each step took, and for hosts that were reached by a remote shell
// what each step of that took.
func (p *phases) text(since time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "muster: all ranks joined after %s:", millis(time.Since(since)))
	for _, x := range p.list {
		if x.took >= 0 {
			fmt.Fprintf(&b, " %s %s", x.name, millis(x.took))
		}
	}
	b.WriteString("\n")
	for _, h := range p.hosts {
		fmt.Fprintf(&b, "muster:   host %s:", h.host)
		for _, s := range remote.Stages {
			if d, ok := h.stages[s]; ok {
				fmt.Fprintf(&b, " %s %s", s, millis(d))
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

func millis(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}

// showTiming shows what the start took, if the user wants to know.
func (r *run) showTiming() {
	if r.job.Timing {
		r.sink.Message(r.phases.text(r.result.Start) + r.supplied())
	}
}
