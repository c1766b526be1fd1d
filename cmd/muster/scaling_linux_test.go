package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The studies of bench/README.md run, once with one and two ranks.
func TestStudiesOfTheBenchReadmeRun(t *testing.T) {
	readme, err := os.ReadFile("../../bench/README.md")
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	output := regexp.MustCompile(`-o \S+`)
	for line := range strings.Lines(string(readme)) {
		if !strings.HasPrefix(line, "muster bench scaling ") {
			continue
		}
		ran++
		line = strings.TrimSpace(line)
		t.Run(line, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "study")
			script := "$" + output.ReplaceAllString(line, "-o '"+dir+"'")
			script = strings.Replace(script, "./examples/", "--repeat 1 -n 1,2 ../../examples/", 1)
			stdout, stderr := shell(t, script+"; echo code $?")
			if !strings.HasSuffix(stdout, "\ncode 0\n") || !strings.Contains(stdout, "\n# Ranks  ") {
				t.Errorf("%s\n%s%s", script, stdout, stderr)
			}
			if !strings.Contains(line, "-o ") {
				return
			}
			if page, err := os.ReadFile(filepath.Join(dir, "index.html")); err != nil || strings.Count(string(page), "<svg") != 3 {
				t.Errorf("%v: %.200s", err, page)
			}
		})
	}
	if ran < 3 {
		t.Errorf("only %d studies found", ran)
	}
}
