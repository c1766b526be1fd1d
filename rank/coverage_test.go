package rank_test

import (
	"go/ast"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/muster-mpi/muster/internal/sourcetest"
)

// rules are the numbers of the rules of MPI that package rank has to keep:
// point-to-point messages 1–22, groups, communicators and attributes 23–32, errors
// and environment 51–55, threads 78. Collectives (33–47, 77) are not this package's.
func rules() []int {
	var list []int
	for _, part := range [][2]int{{1, 32}, {51, 55}, {78, 78}} {
		for n := part[0]; n <= part[1]; n++ {
			list = append(list, n)
		}
	}
	return list
}

// withProcesses names the tests of package launcher for what rules say about
// processes. Rule 55 is about nothing else.
var withProcesses = map[int][]string{
	22: {"TestRanksThatLeaveAreASuccess"},
	54: {"TestAbortEndsTheJobWithItsCode"},
	55: {"TestF06ExitWithoutLeaving", "TestF07ExitZeroWithoutLeaving"},
}

// TestEveryRuleHasATest fails for a rule whose number is in no test's name.
func TestEveryRuleHasATest(t *testing.T) {
	number := regexp.MustCompile(`^TestRule(\d\d)`)
	tested := make(map[int]bool)
	for _, name := range sourcetest.Functions(sourcetest.TestFiles(t, ".")) {
		if m := number.FindStringSubmatch(name); m != nil {
			n, _ := strconv.Atoi(m[1])
			tested[n] = true
			if !slices.Contains(rules(), n) {
				t.Errorf("%s: rule %d is not on the list", name, n)
			}
		}
	}
	launcher := sourcetest.Functions(sourcetest.TestFiles(t, filepath.Join("..", "launcher")))
	for _, n := range rules() {
		if !tested[n] && n != 55 {
			t.Errorf("rule %d has no test", n)
		}
		for _, name := range withProcesses[n] {
			if !slices.Contains(launcher, name) {
				t.Errorf("rule %d: package launcher has no %s", n, name)
			}
		}
	}
}

// TestEveryCallHasATestOrExample fails for an exported function or method that
// no test calls and that has no Example. Of methods the name alone counts.
func TestEveryCallHasATestOrExample(t *testing.T) {
	covered := make(map[string]bool)
	for _, f := range sourcetest.TestFiles(t, ".") {
		for _, name := range sourcetest.Functions([]*ast.File{f}) {
			if name, ok := strings.CutPrefix(name, "Example"); ok {
				call, _, _ := strings.Cut(name, "_")
				covered[call] = true
				covered[strings.Replace(name, "_", ".", 1)] = true // ExampleT_M
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if n, ok := n.(*ast.SelectorExpr); ok {
				covered[n.Sel.Name] = true
			}
			return true
		})
	}
	// Called by packages fmt and errors, and by package collectives.
	implicit := regexp.MustCompile(`^Comm\.Below$|\.(String|Error|Is|Unwrap)$`)
	_, calls := sourcetest.Exported(t, ".")
	for _, call := range slices.Sorted(maps.Keys(calls)) {
		_, method, _ := strings.Cut(call, ".")
		if !covered[call] && !covered[method] && !implicit.MatchString(call) {
			t.Errorf("%s has neither a test nor an Example", call)
		}
	}
}
