package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/muster-mpi/muster/internal/output"
	"github.com/muster-mpi/muster/launcher"
)

// A doctorLine is what muster doctor was told.
type doctorLine struct {
	hosts   commandLine // as muster run is told
	json    bool
	verbose bool
	help    bool
}

// doctorFlags are those of muster run that say where hosts are and how they are
// reached, and a few more.
var doctorFlags = append(sharedFlags("hostfile", "host", "rsh", "iface", "subnet"),
	flagOf[doctorLine]{names: []string{"v", "verbose"}, help: "print every check, also those that are well",
		set: setToggle(func(l *doctorLine) *bool { return &l.verbose })},
	flagOf[doctorLine]{names: []string{"json"}, help: "print all that was found, as JSON",
		set: setToggle(func(l *doctorLine) *bool { return &l.json })},
	flagOf[doctorLine]{names: []string{"help", "h"}, help: "print this",
		set: setToggle(func(l *doctorLine) *bool { return &l.help })},
)

// sharedFlags are flags of muster run's.
func sharedFlags(names ...string) (flags []flagOf[doctorLine]) {
	for _, name := range names {
		o := find(name)
		flags = append(flags, flagOf[doctorLine]{names: o.names, value: o.value, help: o.help, set: func(l *doctorLine, v string) error {
			return o.set(&l.hosts, nil, v)
		}})
	}
	return flags
}

const doctorSynopsis = `muster doctor [flags]

Looks at everything that a job on the hosts needs, and says what would keep it
from running or slow it down, and what helps. It starts an agent on each host as
muster run does, and leaves nothing there but that program in its cache.

  name      what the host's name leads to
  reach     whether ssh, or what stands in for it, lets us in
  platform  system and processor, and whether two names are one machine
  agent     whether muster's own program is there or can be brought, and stays
  clock     how far the host's clock is from this one's
  limits    descriptors, processes and what else is limited
  cpu       what quota and GOMAXPROCS leave of the CPUs
  load      whether other programs use them
  memory    whether processes may share memory, and copy from each other
  system    what a container lacks or forbids, and what muster does without it
  store     whether programs can be put there
  port      whether a port can be opened, on addresses that lead to the others
  mtu       whether both ends and the path agree on the size of packets
  network   whether each host reaches each other one at all of its addresses,
            the round trip, and how much the way carries

All ways between hosts are measured if these are 8 at most, else those of a ring
and some random ones.
`

const doctorExamples = `
Examples
  muster doctor
  muster doctor --hostfile hosts
  muster doctor --host a:4,b:4 --json

Exit code
  0 if a job could run, though there may be warnings; 1 if it would fail on any
  of the hosts; 64 if the command line is wrong; 65 if a list of hosts is; 128+n
  after signal n.
`

func doctorHelp() string {
	var b strings.Builder
	b.WriteString(doctorSynopsis)
	flagsHelp(&b, doctorFlags)
	b.WriteString(doctorExamples)
	return b.String()
}

// exitIll is that a job would fail.
const exitIll = 1

// doctor is muster doctor.
func doctor(args []string, stdout, stderr io.Writer) int {
	var l doctorLine
	err := readFlags(&l, "doctor", doctorFlags, args, func(word string) error {
		return fmt.Errorf("%s: expected flags only; hosts are named by --host LIST or --hostfile FILE", quote(word))
	}, &l.help)
	switch {
	case err != nil:
		return failed(stderr, launcher.ExitUsage, err)
	case l.help:
		fmt.Fprint(stdout, doctorHelp())
		return 0
	}
	job := &l.hosts.job
	if command := os.Getenv(rshVariable); command != "" && job.Shell == nil {
		if job.Shell, err = splitWords(command); err != nil {
			return failed(stderr, launcher.ExitUsage, fmt.Errorf("%s: %w", rshVariable, err))
		}
	}
	if code, err := l.hosts.findHosts(surroundings); err != nil {
		return failed(stderr, code, err)
	}
	e := launcher.Exam{Shell: job.Shell, Iface: job.Iface, Subnet: job.Subnet}
	for _, h := range l.hosts.where.hosts {
		x := jobHost(h)
		if !h.Counted {
			x.Slots = 0
		}
		e.Hosts = append(e.Hosts, x)
	}
	ctx, stop := untilSignal()
	defer stop()
	d, err := launcher.Examine(ctx, e)
	var sig interrupted
	switch {
	case errors.As(err, &sig):
		return failed(stderr, sig.code(), err)
	case err != nil:
		return failed(stderr, launcher.ExitInternal, err)
	}
	if l.json {
		text, err := json.MarshalIndent(d, "", "  ")
		if err != nil {
			return failed(stderr, launcher.ExitInternal, err)
		}
		if _, err := fmt.Fprintf(stdout, "%s\n", text); err != nil {
			return failed(stderr, launcher.ExitResource, err)
		}
	} else if _, err := io.WriteString(stdout, output.Escape(diagnosisText(d, l.verbose))); err != nil {
		return failed(stderr, launcher.ExitResource, err)
	}
	if d.Verdict == launcher.Fail {
		return exitIll
	}
	return 0
}

// diagnosisText is a diagnosis as people read it.
func diagnosisText(d launcher.Diagnosis, verbose bool) string {
	var b strings.Builder
	hostTable(&b, d)
	wayTable(&b, d)
	if verbose {
		b.WriteByte('\n')
		for _, h := range d.Hosts {
			for _, c := range h.Checks {
				fmt.Fprintf(&b, "%s %s: %s\n", loud(c.Verdict), c.Name, c.Sentence(h.Host))
			}
		}
	} else {
		problems(&b, d, launcher.Fail, "")
		problems(&b, d, launcher.Warning, "warning: ")
	}
	fmt.Fprintf(&b, "\n%s\n", summary(d))
	return b.String()
}

// problems lists the checks that have come to a verdict. What is the same on several hosts
// it says once.
func problems(b *strings.Builder, d launcher.Diagnosis, v launcher.Verdict, prefix string) {
	var order []launcher.Check
	hosts := make(map[launcher.Check][]string)
	for _, h := range d.Hosts {
		for _, c := range h.Checks {
			if c.Verdict != v {
				continue
			}
			if hosts[c] == nil {
				order = append(order, c)
			}
			hosts[c] = append(hosts[c], h.Host)
		}
	}
	if len(order) > 0 {
		b.WriteByte('\n')
	}
	for _, c := range order {
		fmt.Fprintf(b, "%s%s\n", prefix, c.Sentence(someOf(hosts[c])))
	}
}

// loud is a verdict that is seen.
func loud(v launcher.Verdict) string {
	if v == launcher.Fail {
		return "FAIL"
	}
	return string(v)
}

func summary(d launcher.Diagnosis) string {
	var ill, doubtful []string
	for _, h := range d.Hosts {
		switch h.Verdict {
		case launcher.Fail:
			ill = append(ill, h.Host)
		case launcher.Warning:
			doubtful = append(doubtful, h.Host)
		}
	}
	where := "this host"
	if n := len(d.Hosts); n > 1 {
		where = fmt.Sprintf("these %d hosts", n)
	}
	switch {
	case len(ill) > 0:
		return fmt.Sprintf("A job on %s would fail, because of %s.", where, someOf(ill))
	case len(doubtful) > 0:
		return fmt.Sprintf("A job on %s can run; there are warnings about %s.", where, someOf(doubtful))
	}
	return fmt.Sprintf("A job on %s can run.", where)
}

// someOf lists the first of many.
func someOf(names []string) string {
	const most = 8
	text := strings.Join(names[:min(most, len(names))], ", ")
	if n := len(names) - most; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return text
}

// hostTable has a line for each host, and a mark for each check.
func hostTable(b *strings.Builder, d launcher.Diagnosis) {
	t := tabwriter.NewWriter(b, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "host\tverdict\tplatform\tkernel\tCPUs\tload\tclock\taddress\twhat is not well")
	for _, h := range d.Hosts {
		cpus, load, clock, address := "-", "-", "-", "-"
		if h.CPUs > 0 {
			cpus, load = fmt.Sprintf("%.4g", h.CPUs), fmt.Sprintf("%.2f", h.Load)
		}
		if h.RoundTrip > 0 {
			clock = signed(h.ClockOffset)
		}
		if len(h.Addresses) > 0 {
			address = h.Addresses[0]
		}
		var bad []string
		for _, c := range h.Checks {
			if c.Verdict != launcher.Fine && !slices.Contains(bad, c.Name) {
				bad = append(bad, c.Name)
			}
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", h.Host, loud(h.Verdict), orDash(h.Platform), orDash(h.Kernel),
			cpus, load, clock, address, strings.Join(bad, " "))
	}
	t.Flush()
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// signed shows an offset with its sign and three digits.
func signed(d time.Duration) string {
	if d < 0 {
		return "-" + rounded(-d)
	}
	return "+" + rounded(d)
}

// rounded shows d with three digits.
func rounded(d time.Duration) string {
	unit := time.Duration(1)
	for d/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit).String()
}

// mostWays are shown; of more only those that are not well, and what the others have in
// common.
const mostWays = 20

func wayTable(b *strings.Builder, d launcher.Diagnosis) {
	if len(d.Pairs) == 0 {
		return
	}
	shown := d.Pairs
	if len(shown) > mostWays {
		shown = nil
		for _, p := range d.Pairs {
			if p.Verdict != launcher.Fine && len(shown) < mostWays {
				shown = append(shown, p)
			}
		}
	}
	b.WriteByte('\n')
	if len(shown) > 0 {
		t := tabwriter.NewWriter(b, 0, 8, 2, ' ', 0)
		fmt.Fprintln(t, "way\tverdict\tround trip\tcarries\tMTU\tto address\tfrom")
		for _, p := range shown {
			trip, rate, mtu := "-", "-", "-"
			if p.RoundTrip > 0 {
				trip = rounded(p.RoundTrip)
			}
			if p.BytesPerSecond > 0 {
				rate = speed(p.BytesPerSecond)
			}
			if p.PathMTU > 0 {
				mtu = fmt.Sprint(p.PathMTU)
			}
			fmt.Fprintf(t, "%s → %s\t%s\t%s\t%s\t%s\t%s\t%s\n", p.From, p.To, loud(p.Verdict), trip, rate, mtu, orDash(p.Address), orDash(p.Interface))
		}
		t.Flush()
	}
	if d.Chosen != "" {
		fmt.Fprintf(b, "Measured were %s.\n", d.Chosen)
	}
	if len(d.Pairs) <= mostWays {
		return
	}
	var trips []time.Duration
	var rates []float64
	for _, p := range d.Pairs {
		if p.BytesPerSecond > 0 {
			trips, rates = append(trips, p.RoundTrip), append(rates, p.BytesPerSecond)
		}
	}
	if len(trips) == 0 {
		return
	}
	slices.Sort(trips)
	slices.Sort(rates)
	fmt.Fprintf(b, "%d of %d ways: round trip %s to %s, half below %s; %s to %s, half below %s.\n", len(trips), len(d.Pairs),
		rounded(trips[0]), rounded(trips[len(trips)-1]), rounded(trips[len(trips)/2]),
		speed(rates[0]), speed(rates[len(rates)-1]), speed(rates[len(rates)/2]))
}

func speed(bytesPerSecond float64) string {
	if bytesPerSecond >= 999.5e6 {
		return fmt.Sprintf("%.3g GB/s", bytesPerSecond/1e9)
	}
	return fmt.Sprintf("%.3g MB/s", bytesPerSecond/1e6)
}
