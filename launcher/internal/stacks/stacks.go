// Package stacks reads the text in which Go programs print the stacks of their
// goroutines, and puts goroutines together that stand at the same place.
package stacks

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

const (
	maxGroups = 10_000  // of one job
	maxBytes  = 4 << 20 // of their stacks together
)

// A Goroutine is one of a process without what differs between goroutines that stand at
// the same place: numbers, addresses, arguments, and how long it has waited.
type Goroutine struct {
	State   string // "chan receive", "select, locked to thread"
	Stack   string // two lines a frame, the innermost first, then where it was created
	Library bool   // nothing of the user's own program is in it, by the names of packages
}

var (
	first  = regexp.MustCompile(`^goroutine [0-9]+[^\[]*\[([^\]]*)\].*:$`)
	waited = regexp.MustCompile(`^[0-9]+ minutes?$`)
	offset = regexp.MustCompile(` \+0x[0-9a-f]+.*$`)
	parent = regexp.MustCompile(` in goroutine [0-9]+$`)
)

// Parse reads the goroutines of text, as runtime.Stack and a crash write them. What is
// not of that form is left out.
func Parse(text string) []Goroutine {
	var all []Goroutine
	for block := range strings.SplitSeq(text, "\n\n") {
		head, rest, _ := strings.Cut(strings.TrimLeft(block, "\n"), "\n")
		if m := first.FindStringSubmatch(head); m != nil {
			stack, library := normal(rest)
			all = append(all, Goroutine{State: state(m[1]), Stack: stack, Library: library})
		}
	}
	return all
}

// state is what the first line says a goroutine does, without for how long.
func state(text string) string {
	parts := strings.Split(strings.ReplaceAll(text, " (scan)", ""), ", ")
	return strings.Join(slices.DeleteFunc(parts, waited.MatchString), ", ")
}

// normal is a stack without what differs between goroutines at one place.
func normal(text string) (stack string, library bool) {
	var b strings.Builder
	library = true
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "\t"):
			line = offset.ReplaceAllString(line, "")
		case strings.HasPrefix(line, "created by "):
			line = parent.ReplaceAllString(line, "")
			library = library && isLibrary(strings.TrimPrefix(line, "created by "))
		case strings.HasSuffix(line, ")"):
			if i := strings.LastIndexByte(line, '('); i > 0 {
				line = line[:i] + "(...)"
				library = library && isLibrary(line)
			}
		}
		b.WriteString(line)
		b.WriteByte('\n')
	}
	return b.String(), library
}

// libraries begin the import paths of what a rank's goroutines are made of besides the
// user's own.
var libraries = []string{"github.com/muster-mpi/muster/", "google.golang.org/", "golang.org/x/"}

// isLibrary reports whether a function is of the standard library, of Muster, or of what
// that uses.
func isLibrary(function string) bool {
	path, _, inFolder := strings.Cut(function, "/")
	if !inFolder {
		return !strings.HasPrefix(function, "main.")
	}
	return !strings.Contains(path, ".") || slices.ContainsFunc(libraries, func(p string) bool { return strings.HasPrefix(function, p) })
}

// A Group is goroutines of several ranks that stand at the same place.
type Group struct {
	Goroutine
	Ranks []int // in order, each once
	Count int   // of goroutines
}

// Groups gathers the goroutines of a job.
type Groups struct {
	byPlace map[Goroutine]*Group
	bytes   int
	more    int
}

// Add adds those of one rank, whose order with other ranks does not matter. It must be
// called once for each rank at most.
func (g *Groups) Add(rank int, all []Goroutine) {
	if g.byPlace == nil {
		g.byPlace = make(map[Goroutine]*Group)
	}
	for _, one := range all {
		x := g.byPlace[one]
		if x == nil {
			if len(g.byPlace) >= maxGroups || g.bytes+len(one.Stack) > maxBytes {
				g.more++
				continue
			}
			x = &Group{Goroutine: one}
			g.byPlace[one] = x
			g.bytes += len(one.Stack)
		}
		x.Count++
		if n := len(x.Ranks); n == 0 || x.Ranks[n-1] != rank {
			x.Ranks = append(x.Ranks, rank)
		}
	}
}

// All returns the groups and how many goroutines are in none, for want of room. Those of
// the user's program come first, and among those the ones that most ranks are in.
func (g *Groups) All() (all []Group, more int) {
	for _, x := range g.byPlace {
		slices.Sort(x.Ranks)
		all = append(all, *x)
	}
	slices.SortFunc(all, func(a, b Group) int {
		if a.Library != b.Library {
			if b.Library {
				return -1
			}
			return 1
		}
		return cmp.Or(-cmp.Compare(len(a.Ranks), len(b.Ranks)), slices.Compare(a.Ranks, b.Ranks),
			-cmp.Compare(a.Count, b.Count), cmp.Compare(a.Stack, b.Stack), cmp.Compare(a.State, b.State))
	})
	return all, g.more
}
