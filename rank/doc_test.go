package rank_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/muster-mpi/muster/internal/sourcetest"
)

var tableRow = regexp.MustCompile(`^//\t(\S.*?) {2,}((?:[A-Z—]|datatype\.)\S*(?:, \S+)*)(?: {2,}(.+))?$`)

func TestEveryNameInThePackageDocumentationExists(t *testing.T) {
	here, _ := sourcetest.Exported(t, ".")
	types, _ := sourcetest.Exported(t, filepath.Join("..", "datatype"))
	exists := func(name string) bool {
		if n, ok := strings.CutPrefix(name, "datatype."); ok {
			return types[n]
		}
		return here[name] || strings.HasPrefix(name, "context.")
	}
	d := sourcetest.ReadDocumentation(t, tableRow)
	if len(d.Rows) < 100 {
		t.Errorf("found %d rows of tables, want 100 or more", len(d.Rows))
	}
	d.CheckNames(t, exists)
	for _, m := range regexp.MustCompile(`\brank\.([A-Z]\w*)`).FindAllStringSubmatch(strings.Join(d.Lines, "\n"), -1) {
		if !here[m[1]] {
			t.Errorf("doc.go: rank.%s does not exist", m[1])
		}
	}
}

// beyondMPI are calls that the tables need not have: Go's conventions, the rest of
// types that they have, and what is for Muster's own packages.
var beyondMPI = regexp.MustCompile(`^Comm\.Below$|\.(String|Error|Is|Unwrap|Err|Status)$|^Persistent\.|^PartitionedSend\.|^PartitionedRecv\.`)

func TestThePackageDocumentationNamesEveryCall(t *testing.T) {
	_, calls := sourcetest.Exported(t, ".")
	named := sourcetest.ReadDocumentation(t, tableRow).Named()
	for call := range calls {
		if !named[call] && !beyondMPI.MatchString(call) {
			t.Errorf("%s is exported, and doc.go does not name it", call)
		}
	}
}
