package stacks

import (
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"
)

const sample = `goroutine 1 [chan receive, 2 minutes, locked to thread]:
main.(*solver[...]).step(0xc000012345, {0x1, 0x2})
	/home/u/solver.go:142 +0x1d
main.main()
	/home/u/main.go:9 +0x25

goroutine 18 [select (scan)]:
github.com/muster-mpi/muster/rank.(*control).listen(0xc0001)
	/m/rank/control.go:40 +0x9a
created by github.com/muster-mpi/muster/rank.Join in goroutine 1
	/m/rank/join.go:77 +0x8f

goroutine 19 gp=0xc0001 m=nil [sleep, 1 minutes]:
net/http.serve(...)
	/go/http.go:1
created by example.com/u/grid.Watch in goroutine 7
	/home/u/grid.go:2 +0x1
`

func TestWhatDiffersBetweenGoroutinesAtOnePlaceIsLeftOut(t *testing.T) {
	want := []Goroutine{
		{State: "chan receive, locked to thread", Stack: "main.(*solver[...]).step(...)\n\t/home/u/solver.go:142\nmain.main(...)\n\t/home/u/main.go:9\n"},
		{State: "select", Library: true, Stack: "github.com/muster-mpi/muster/rank.(*control).listen(...)\n\t/m/rank/control.go:40\n" +
			"created by github.com/muster-mpi/muster/rank.Join\n\t/m/rank/join.go:77\n"},
		{State: "sleep", Stack: "net/http.serve(...)\n\t/go/http.go:1\ncreated by example.com/u/grid.Watch\n\t/home/u/grid.go:2\n"},
	}
	if got := Parse(sample); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// wait stands in a receive until c is closed.
//
//go:noinline
func wait(c chan int, depth int, text string) int {
	if depth > 0 {
		return wait(c, depth-1, text) + 1
	}
	<-c
	return len(text)
}

// A real runtime writes what Parse reads, and goroutines that differ only in
// arguments and numbers are in one group.
func TestGoroutinesOfThisProcessAreGrouped(t *testing.T) {
	c := make(chan int)
	defer close(c)
	for i := range 6 {
		go wait(c, 2+i%2, strings.Repeat("x", i))
	}
	var all []Goroutine
	var groups []Group
	for deadline := time.Now().Add(10 * time.Second); ; {
		text := make([]byte, 1<<20)
		text = text[:runtime.Stack(text, true)]
		var g Groups
		all = Parse(string(text))
		g.Add(3, all)
		g.Add(0, all)
		groups = nil
		found, _ := g.All()
		for _, x := range found {
			if strings.HasPrefix(x.Stack, "github.com/muster-mpi/muster/launcher/internal/stacks.wait(...)\n") && x.State == "chan receive" {
				groups = append(groups, x)
			}
		}
		if len(groups) == 2 && groups[0].Count == 6 && groups[1].Count == 6 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("got %d groups %+v, want two of 2 × 3 goroutines\n%s", len(groups), groups, text)
		}
		runtime.Gosched() // they have not all come to the receive
	}
	if want := []int{0, 3}; !reflect.DeepEqual(groups[0].Ranks, want) {
		t.Errorf("ranks %v, want %v", groups[0].Ranks, want)
	}
}

func TestProgramsGoroutinesComeFirstAndLargeGroupsBeforeSmall(t *testing.T) {
	var g Groups
	own, rare, muster := Goroutine{Stack: "main.a(...)\n"}, Goroutine{Stack: "main.b(...)\n"}, Goroutine{Stack: "m", Library: true}
	g.Add(2, []Goroutine{muster, own})
	g.Add(0, []Goroutine{muster, rare})
	g.Add(1, []Goroutine{muster, own, own})
	all, more := g.All()
	want := []Group{{own, []int{1, 2}, 3}, {rare, []int{0}, 1}, {muster, []int{0, 1, 2}, 3}}
	if !reflect.DeepEqual(all, want) || more != 0 {
		t.Errorf("got %+v and %d more\nwant %+v", all, more, want)
	}
}

func TestNumberOfGroupsIsBounded(t *testing.T) {
	var g Groups
	for i := range maxGroups + 5 {
		g.Add(0, []Goroutine{{Stack: strings.Repeat("x", i)[:i%100] + string(rune('a'+i/100))}})
	}
	if all, more := g.All(); len(all) != maxGroups || more != 5 {
		t.Errorf("got %d groups and %d more, want %d and 5", len(all), more, maxGroups)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(sample)
	f.Add("goroutine 1 []:")
	f.Add("\n\n\ngoroutine 7 [running]:\nf(\n\t +0x")
	f.Fuzz(func(t *testing.T, text string) {
		all := Parse(text)
		total := 0
		for _, g := range all {
			total += len(g.State) + len(g.Stack)
			if strings.Contains(g.Stack, "\n\n") {
				t.Errorf("%q: an empty frame", g.Stack)
			}
		}
		if total > 5*len(text)+10 { // "f()" becomes "f(...)"
			t.Errorf("%d bytes of text became %d", len(text), total)
		}
		var g Groups
		g.Add(1, all)
		groups, more := g.All()
		for _, x := range groups {
			more += x.Count
		}
		if more != len(all) {
			t.Errorf("%d goroutines, of which groups have %d", len(all), more)
		}
	})
}
