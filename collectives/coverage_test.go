package collectives_test

import (
	"go/ast"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/muster-mpi/muster/internal/sourcetest"
)

// rules are the numbers of the rules of MPI that package collectives has to keep:
// those of collectives 33–47 and of threads 77.
func rules() []int {
	list := []int{77}
	for n := 33; n <= 47; n++ {
		list = append(list, n)
	}
	return list
}

// calledInTests lists the names behind a dot in the test files here.
func calledInTests(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, f := range sourcetest.TestFiles(t, ".") {
		ast.Inspect(f, func(n ast.Node) bool {
			if n, ok := n.(*ast.SelectorExpr); ok {
				names = append(names, n.Sel.Name)
			}
			return true
		})
	}
	return names
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
	for _, n := range rules() {
		if !tested[n] {
			t.Errorf("rule %d has no test", n)
		}
	}
}

// TestEveryCallHasAnExample fails for an exported function without one. Of the calls
// on neighbourhoods and views, whose forms differ from those of others in nothing but
// their names, tests are enough.
func TestEveryCallHasAnExample(t *testing.T) {
	shown := make(map[string]bool)
	for _, name := range calledInTests(t) {
		if strings.Contains(name, "Neighbor") || strings.Contains(name, "View") {
			shown[name] = true
		}
	}
	for _, name := range sourcetest.Functions(sourcetest.TestFiles(t, ".")) {
		if name, ok := strings.CutPrefix(name, "Example"); ok {
			call, _, _ := strings.Cut(name, "_")
			shown[call] = true
		}
	}
	_, calls := sourcetest.Exported(t, ".")
	for _, call := range slices.Sorted(maps.Keys(calls)) {
		if !shown[call] {
			t.Errorf("%s has no Example", call)
		}
	}
}
