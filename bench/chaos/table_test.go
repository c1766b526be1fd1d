package chaos

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Every row of docs/faults.md names tests, and these exist.
func TestEveryFaultNamesItsTest(t *testing.T) {
	const root = "../.."
	exists := make(map[string]bool)
	function := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range function.FindAllSubmatch(text, -1) {
			exists[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(root + "/docs/faults.md")
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile("`(Test\\w+)`")
	row := 0
	for line := range strings.Lines(string(text)) {
		names := name.FindAllStringSubmatch(line, -1)
		for _, m := range names {
			if !exists[m[1]] {
				t.Errorf("there is no %s: %s", m[1], line)
			}
		}
		if !strings.HasPrefix(line, "| F") {
			continue
		}
		row++
		if !strings.HasPrefix(line, "| F"+strconv.Itoa(row)+" ") || len(names) == 0 {
			t.Errorf("row %d is without a test, or not in its place: %s", row, line)
		}
	}
	if row != 68 {
		t.Errorf("%d rows, want 68", row)
	}
}
