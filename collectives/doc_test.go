package collectives_test

import (
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/muster-mpi/muster/internal/sourcetest"
)

var tableRow = regexp.MustCompile(`^//\t(\S.*?) {2,}((?:[A-Z—])\S*(?:, \S+)*)(?: {2,}(.+))?$`)

func TestEveryNameInThePackageDocumentationExists(t *testing.T) {
	packages := make(map[string]map[string]bool)
	here, _ := sourcetest.Exported(t, ".")
	for _, name := range []string{"rank", "datatype"} {
		packages[name], _ = sourcetest.Exported(t, filepath.Join("..", name))
	}
	exists := func(name string) bool {
		if first, rest, ok := strings.Cut(name, "."); ok && packages[first] != nil {
			return packages[first][rest]
		}
		return here[name]
	}
	d := sourcetest.ReadDocumentation(t, tableRow)
	if len(d.Rows) < 60 {
		t.Errorf("found %d rows of tables, want 60 or more", len(d.Rows))
	}
	d.CheckNames(t, exists)
	text := strings.Join(d.Lines, "\n")
	for _, m := range regexp.MustCompile(`\b(collectives|rank|datatype)\.([A-Z]\w*)`).FindAllStringSubmatch(text, -1) {
		if known := packages[m[1]]; m[1] == "collectives" && !here[m[2]] || known != nil && !known[m[2]] {
			t.Errorf("doc.go: %s does not exist", m[0])
		}
	}
}

func TestThePackageDocumentationNamesEveryCall(t *testing.T) {
	_, calls := sourcetest.Exported(t, ".")
	named := sourcetest.ReadDocumentation(t, tableRow).Named()
	for _, call := range slices.Sorted(maps.Keys(calls)) {
		if !named[call] {
			t.Errorf("%s is exported, and doc.go does not name it", call)
		}
	}
}
