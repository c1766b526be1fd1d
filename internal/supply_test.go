package internal_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// runsCode lists the packages of Go's that can run code which arrives as data, and who
// may import them: nobody who reads from a network.
var runsCode = map[string][]string{
	"os/exec": {
		"bench/limits", "bench/peer", "bench/scaling", "cmd/muster", "examples/topics", "internal/cprogram",
		"internal/gobuild", "internal/launchtest", "internal/testbed", "launcher/internal/remote",
	},
	"encoding/gob":  {"rank"}, // a codec that a program may choose for its objects; it makes values, and calls their methods at most
	"html/template": {"bench/scaling"},
	"text/template": nil,
	"plugin":        nil,
	"net/rpc":       nil,
}

func TestS12NoCodeArrivesAsData(t *testing.T) {
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		for _, imported := range p.Imports {
			if allowed, watched := runsCode[imported]; watched && !slices.Contains(allowed, name) {
				t.Errorf("%s imports %s, which only %v may", name, imported, allowed)
			}
		}
	}
}

// TestS25GRPCIsNotOlderThanItsLastHole keeps a release from before the floods of resets.
func TestS25GRPCIsNotOlderThanItsLastHole(t *testing.T) {
	text, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		version, ok := strings.CutPrefix(strings.TrimSpace(line), "google.golang.org/grpc v")
		if !ok {
			continue
		}
		var major, minor, patch int
		if n, err := fmt.Sscanf(version, "%d.%d.%d", &major, &minor, &patch); n != 3 {
			t.Fatalf("version %q: %v", version, err)
		}
		if major*1_000_000+minor*1000+patch < 1_082_001 {
			t.Errorf("go.mod has grpc %s, want 1.82.1 or later", version)
		}
		return
	}
	t.Error("go.mod has no grpc")
}
