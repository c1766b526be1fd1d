package main

import (
	"slices"
	"strings"
	"testing"
)

// S16: links between hosts are encrypted unless the user says otherwise, of which he is
// told each time.
func TestS16PlainModeIsSaid(t *testing.T) {
	for line, plain := range map[string]bool{
		"--host a,b ./x":                           false,
		"--transport tcp -n 2 ./x":                 false,
		"--host a,b --insecure-wire ./x":           true,
		"--transport tcp --insecure-wire -n 2 ./x": true,
	} {
		c, err := parse(strings.Fields(line), func(string) (string, bool) { return "", false })
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		said := slices.ContainsFunc(c.notes(64), func(n string) bool {
			return strings.HasPrefix(n, "warning: ") && strings.Contains(n, "neither encrypted nor authenticated")
		})
		if c.job.Insecure != plain || said != plain {
			t.Errorf("%s: plain is %v and said is %v, want %v", line, c.job.Insecure, said, plain)
		}
	}
}
