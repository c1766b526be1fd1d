package sourcetest

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

var (
	docLink      = regexp.MustCompile(`\[\*?([A-Za-z]+(?:\.[A-Za-z]+)*)\]`)
	exportedName = regexp.MustCompile(`[A-Z]\w*(?:\.[A-Z]\w*)?`) // exported, with its type's
)

// Documentation is the doc.go of the package in the current directory.
type Documentation struct {
	Lines []string
	Rows  map[int][]string // of the tables below headings "From …": line number to names
}

// ReadDocumentation reads doc.go. row matches a row of a table, with the list of names
// as its second group; what does not match in a table is an error of the test.
func ReadDocumentation(t *testing.T, row *regexp.Regexp) Documentation {
	t.Helper()
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	d := Documentation{Lines: strings.Split(string(text), "\n"), Rows: make(map[int][]string)}
	inside := false
	for i, line := range d.Lines {
		if strings.HasPrefix(line, "// # ") {
			inside = strings.HasPrefix(line, "// # From ")
		}
		if !inside || !strings.HasPrefix(line, "//\t") {
			continue
		}
		m := row.FindStringSubmatch(line)
		if m == nil {
			t.Errorf("doc.go:%d: %q is no row: two or more spaces between the columns", i+1, line)
			continue
		}
		d.Rows[i+1] = strings.Split(m[2], ", ")
	}
	return d
}

// CheckNames fails for a name in a table, or a link, of which exists is false.
func (d Documentation) CheckNames(t *testing.T, exists func(name string) bool) {
	t.Helper()
	for line, names := range d.Rows {
		for _, name := range names {
			if name != "—" && !exists(name) {
				t.Errorf("doc.go:%d: %s does not exist", line, name)
			}
		}
	}
	for i, line := range d.Lines {
		if strings.HasPrefix(line, "//\t") {
			continue
		}
		for _, m := range docLink.FindAllStringSubmatch(line, -1) {
			if !exists(m[1]) {
				t.Errorf("doc.go:%d: [%s] does not exist", i+1, m[1])
			}
		}
	}
}

// Named returns the names in the text, Name and Type.Name, of whatever package.
func (d Documentation) Named() map[string]bool {
	named := make(map[string]bool)
	for _, line := range d.Lines {
		for _, w := range exportedName.FindAllString(line, -1) {
			named[w] = true
		}
	}
	return named
}
