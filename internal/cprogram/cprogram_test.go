package cprogram

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// source writes a C program and returns its name.
func source(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "program.c")
	if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return name
}

func start(t *testing.T, text string) (*Program, error) {
	t.Helper()
	p, err := Start(source(t, text), []string{"-O1"}, []string{"ANSWER=42"})
	if errors.Is(err, ErrNoCompiler) {
		t.Skip(err)
	}
	return p, err
}

func TestEachSizeIsAnsweredWithATime(t *testing.T) {
	p, err := start(t, `#include <stdio.h>
#include <stdlib.h>
int main(void) {
	int n;
	while (scanf("%d", &n) == 1) { printf("%d %s\n", 7*n, getenv("ANSWER")); fflush(stdout); }
	return 0;
}`)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 5 {
		if d, err := p.Run(n); err != nil || int(d) != 7*n {
			t.Errorf("size %d: %v, %v; want %d ns", n, d, err, 7*n)
		}
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(p.dir); !os.IsNotExist(err) {
		t.Errorf("the program is still there: %v", err)
	}
}

func TestWhatIsNoTimeIsAnError(t *testing.T) {
	p, err := start(t, `#include <stdio.h>
int main(void) { int n; if (scanf("%d", &n) == 1) puts("soon"); return 0; }`)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`found "soon\n"`, "expected a line with a time"} {
		if _, err := p.Run(1); err == nil || !strings.Contains(err.Error(), want) && !strings.Contains(err.Error(), "broken pipe") {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

func TestWhatTheCompilerSaysIsInTheError(t *testing.T) {
	if _, err := start(t, "int main(void) { return nothing; }"); err == nil || !strings.Contains(err.Error(), "nothing") {
		t.Errorf("%v, want the compiler's message", err)
	}
}
