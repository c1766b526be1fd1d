package launcher

import (
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/muster-mpi/muster/internal/output"
	"golang.org/x/sys/unix"
)

// underWay ends the record of an operation that is not complete.
const underWay = ", under way"

// inCall reports whether a rank's last record is of a call that had not
// returned, though it had not blocked for long: one that is no nonblocking start.
func inCall(last string) bool {
	return strings.HasSuffix(last, underWay) && !strings.HasPrefix(last, "I")
}

// whereabouts tells where a rank was by the calls it was blocked in, or else by
// its last record.
func whereabouts(last string) string {
	if strings.Contains(last, ", blocked") || inCall(last) {
		return "in " + strings.TrimSuffix(last, underWay)
	}
	return "in no call, its last: " + last
}

// bannerRanks is how many ranks a banner says more of than their number.
const bannerRanks = 16

// banner tells how a job failed: one line with the first cause, then one for
// each rank that has something to add.
func (r *Result) banner() string {
	var b strings.Builder
	f := r.Failure
	fmt.Fprintf(&b, "muster: job %.8s FAILED after %s: ", r.Job, seconds(r.Elapsed))
	if f.Rank >= 0 {
		fmt.Fprintf(&b, "rank %d (host %s", f.Rank, f.Host)
		if f.PID != 0 {
			fmt.Fprintf(&b, ", pid %d", f.PID)
		}
		b.WriteString(") ")
	}
	b.WriteString(strings.ReplaceAll(output.Escape(f.What), "\n", "\nmuster:   "))
	if f.Phase != "" {
		b.WriteString(", " + f.Phase)
	}
	if f.Last != "" {
		b.WriteString(", " + whereabouts(f.Last))
	}
	if r.Stopped > 0 {
		fmt.Fprintf(&b, "; %s stopped by muster", count(r.Stopped, "rank"))
	}
	fmt.Fprintf(&b, "; exit %d\n", r.Code)
	if f.Panic != "" {
		fmt.Fprintf(&b, "muster:   rank %d wrote %q and more, above\n", f.Rank, f.Panic)
	}
	lines := r.consequences()
	for _, o := range f.Others {
		if doing := o.doing(); doing != "" {
			lines = append(lines, fmt.Sprintf("rank %d was %s", o.Rank, doing))
		} else if o.Phase == "not joined" && strings.HasPrefix(f.Phase, "during startup") {
			lines = append(lines, fmt.Sprintf("rank %d (pid %d) had not joined", o.Rank, o.PID))
		}
	}
	for _, line := range lines[:min(len(lines), bannerRanks)] {
		b.WriteString("muster:   " + line + "\n")
	}
	if n := len(lines) - bannerRanks; n > 0 {
		fmt.Fprintf(&b, "muster:   and %s, in the report that --report writes\n", count(n, "more rank"))
	}
	if len(r.Survivors) > 0 {
		fmt.Fprintf(&b, "muster:   these processes do not end: %s\n", strings.Trim(fmt.Sprint(r.Survivors), "[]"))
	}
	return b.String()
}

// consequences are the ends of other ranks that muster did not cause.
func (r *Result) consequences() []string {
	var lines []string
	for _, x := range r.Ranks {
		if !x.Ended || x.ByMuster || x.Rank == r.Failure.Rank || x.Code == 0 && x.Signal == 0 {
			continue
		}
		how := fmt.Sprintf("exited %d", x.Code)
		if x.Signal != 0 {
			how = fmt.Sprintf("was killed by signal %d (%s)", x.Signal, unix.SignalName(syscall.Signal(x.Signal)))
		}
		lines = append(lines, fmt.Sprintf("rank %d (pid %d) %s as well", x.Rank, x.PID, how))
	}
	return lines
}

// leftoverText lists what nobody completed.
func leftoverText(all []Leftover) string {
	if len(all) == 0 {
		return ""
	}
	var b strings.Builder
	total := 0
	for _, l := range all {
		total += int(max(l.Count, 1))
	}
	fmt.Fprintf(&b, "muster: the job left %s that nobody completed:\n", count(total, "message or operation"))
	for _, l := range all[:min(len(all), bannerRanks)] {
		b.WriteString("muster:   " + l.String() + "\n")
	}
	if n := len(all) - bannerRanks; n > 0 {
		fmt.Fprintf(&b, "muster:   and %d more\n", n)
	}
	return b.String()
}

// String describes the leftover in a line.
func (l Leftover) String() string {
	var text string
	switch l.Kind {
	case "send":
		text = fmt.Sprintf("%s from rank %d to rank %d never received: tag %d, %s",
			count(int(max(l.Count, 1)), "message"), l.Source, l.Dest, l.Tag, count(int(l.Bytes), "byte"))
	case "recv":
		text = fmt.Sprintf("%s on rank %d from %s that nothing matched: tag %s",
			count(int(max(l.Count, 1)), "receive"), l.Rank, anyOr(int64(l.Source), "rank"), anyOr(l.Tag, ""))
	default:
		text = fmt.Sprintf("%s of rank %d never waited for", count(int(max(l.Count, 1)), "request"), l.Rank)
	}
	if l.Comm != "" {
		text += " on " + l.Comm
	}
	if l.What != "" {
		text += ": " + l.What
	}
	return text
}

func anyOr(n int64, what string) string {
	if n < 0 {
		return "any"
	}
	return strings.TrimSpace(fmt.Sprintf("%s %d", what, n))
}

// bindings lists the CPUs of each rank.
func (r *Result) bindings() string {
	var b strings.Builder
	for _, x := range r.Ranks {
		where := "not bound"
		if len(x.CPUs) > 0 {
			where = "bound to CPU " + ranges(x.CPUs)
		}
		fmt.Fprintf(&b, "muster: rank %d (host %s, pid %d) %s\n", x.Rank, x.Host, x.PID, where)
	}
	return b.String()
}

func seconds(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d < 10*time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	if rest, ok := strings.CutPrefix(what, "message or "); ok {
		return fmt.Sprintf("%d messages or %ss", n, rest)
	}
	return fmt.Sprintf("%d %ss", n, what)
}
