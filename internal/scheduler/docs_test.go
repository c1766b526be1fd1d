package scheduler

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The page on batch systems names the variables by which a job's hosts are found, each
// beside the system that sets it.
func TestDocumentedVariablesAreThoseThatAreLookedAt(t *testing.T) {
	page, err := os.ReadFile("../../docs/batch.md")
	if err != nil {
		t.Fatal(err)
	}
	variable := regexp.MustCompile("`([A-Z_]+)`")
	for name, environments := range map[string][]string{
		"PBS Professional, OpenPBS, Torque": {"pbs-pro", "torque"},
		"LSF":                               {"lsf"},
		"LSF before version 7":              {"lsf-old"},
		"SGE and its descendants":           {"sge"},
		"Flux":                              {"flux-batch", "flux-run"},
	} {
		_, row, _ := strings.Cut(string(page), "\n| "+name+" |")
		row, _, _ = strings.Cut(row, "\n")
		documented := make(map[string]bool)
		for _, v := range variable.FindAllStringSubmatch(row, -1) {
			documented[v[1]] = true
		}
		looked := make(map[string]bool)
		for _, env := range environments {
			s := system(environment(t, env), env+".R")
			lookup := s.LookupEnv
			s.LookupEnv = func(name string) (string, bool) {
				value, ok := lookup(name)
				if ok {
					looked[name] = true
				}
				return value, ok
			}
			if _, err := Find(s); err != nil {
				t.Fatal(err)
			}
		}
		delete(looked, "FLUX_TASK_RANK") // which say that this is one task of several
		delete(looked, "FLUX_JOB_SIZE")
		if want, got := slices.Sorted(maps.Keys(looked)), slices.Sorted(maps.Keys(documented)); !slices.Equal(want, got) {
			t.Errorf("%s: the page names %q, and looked at are %q", name, got, want)
		}
	}
}
