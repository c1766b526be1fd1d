package chaos

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// late counts what came after the bound.
func (s tally) late(p part) int {
	n := 0
	for _, x := range s.Findings {
		if p.late(x, s.Bound) {
			n++
		}
	}
	return n
}

// line is a tally in one line.
func (s tally) line(p part) string {
	return fmt.Sprintf("%s: %d cases in %v, %d failed, %d late; banner %s; launcher's end %s; nothing runs %s; load %s; %s",
		s.Part, s.Cases, s.Took.Round(time.Second), len(s.Failures), s.late(p),
		s.times(banners), s.times(ends), s.times(gones), s.Load, s.Note)
}

func banners(x finding) time.Duration { return x.Banner }
func ends(x finding) time.Duration    { return x.End }
func gones(x finding) time.Duration   { return x.Gone }

// times is the median, the 99th percentile and the longest of what of picks.
func (s tally) times(of func(finding) time.Duration) string {
	var list []time.Duration
	for _, x := range s.Findings {
		if d := of(x); d >= 0 {
			list = append(list, d)
		}
	}
	if len(list) == 0 {
		return "–"
	}
	slices.Sort(list)
	at := func(percent int) string { return short(list[min(len(list)-1, len(list)*percent/100)]) }
	if len(list) == 1 {
		return at(0)
	}
	return fmt.Sprintf("%s / %s / %s", at(50), at(99), short(list[len(list)-1]))
}

func short(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}

// page is what the campaign has shown so far, in Markdown: empty if nothing is kept.
func page(t *testing.T) string {
	if *out == "" {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, `Times are median / 99 %% / longest, from the fault. %d cores.

| what | cases | failed | late | until the banner | until the launcher's end | until nothing runs | in all | load after it |
|---|---|---|---|---|---|---|---|---|
`, runtime.NumCPU())
	var failures []string
	row := func(name string) (tally, bool) {
		var s tally
		text, err := os.ReadFile(filepath.Join(*out, name+".json"))
		if err != nil {
			return s, false // this part has not been run
		}
		if err := json.Unmarshal(text, &s); err != nil {
			t.Error(err)
			return s, false
		}
		failures = append(failures, s.Failures...)
		return s, true
	}
	for _, p := range parts {
		if s, ok := row(p.name); ok {
			bound := ""
			if s.Bound > 0 {
				bound = fmt.Sprintf(" (within %v)", s.Bound)
			}
			fmt.Fprintf(&b, "| %s%s, seed %d | %d | %d | %d | %s | %s | %s | %v | %s |\n", s.What, bound, s.Seed, s.Cases, len(s.Failures), s.late(p),
				s.times(banners), s.times(ends), s.times(gones), s.Took.Round(time.Second), s.Load)
		}
	}
	for _, p := range peers {
		for _, what := range []string{"ranks", "launchers"} {
			if s, ok := row(p.name + "-" + what); ok {
				fmt.Fprintf(&b, "| %s: %s are killed: %s | %d | %d | – | – | %s | %s | %v | %s |\n", p.name, s.What, s.Note, s.Cases, len(s.Failures),
					s.times(ends), s.times(gones), s.Took.Round(time.Second), s.Load)
			}
		}
	}
	for _, x := range failures {
		fmt.Fprintf(&b, "\n    %s\n", strings.ReplaceAll(strings.TrimSpace(x), "\n", "\n    "))
	}
	return b.String()
}
