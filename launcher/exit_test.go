package launcher

import (
	"maps"
	"os"
	"regexp"
	"strings"
	"testing"
)

// The page for users and the comment for programmers say the same of every exit code. The
// page has --flag where the comment has Flag; what is in parentheses is not compared.
func TestExitCodesAreDocumentedAlike(t *testing.T) {
	plain := func(text string) string {
		text = regexp.MustCompile(`\([^)]*\)`).ReplaceAllString(text, "")
		text = strings.NewReplacer("`", "", "--", "", "stop-timeout", "stoptimeout", "//", "").Replace(strings.ToLower(text))
		return strings.Join(strings.Fields(text), " ")
	}
	read := func(name string, entry *regexp.Regexp) map[string]string {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		codes := make(map[string]string)
		for _, m := range entry.FindAllStringSubmatch(string(text), -1) {
			codes[m[1]] = plain(m[2])
		}
		if len(codes) < 10 {
			t.Fatalf("%s: only %d codes found", name, len(codes))
		}
		return codes
	}
	page := read("../docs/exit-codes.md", regexp.MustCompile(`(?m)^\| (\d+) \| (.*) \|$`))
	comment := read("exit.go", regexp.MustCompile(`(?m)^//\t(\d+) +(.*(?:\n//\t {3,}.*)*)$`))
	if !maps.Equal(page, comment) {
		for code := range maps.Keys(page) {
			if page[code] != comment[code] {
				t.Errorf("code %s: the page has %q, exit.go %q", code, page[code], comment[code])
			}
		}
		for code := range maps.Keys(comment) {
			if page[code] == "" {
				t.Errorf("code %s: not on the page; exit.go has %q", code, comment[code])
			}
		}
	}
}
