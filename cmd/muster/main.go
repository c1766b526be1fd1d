// Muster starts, watches and ends the ranks of parallel programs.
//
//	muster run -n 4 ./examples/nbody
//
// muster help tells the rest.
package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/muster-mpi/muster/launcher"
)

func main() {
	if err := launcher.OwnRights(); err != nil {
		fmt.Fprintln(os.Stderr, "muster:", err)
		os.Exit(launcher.ExitUsage)
	}
	os.Exit(command(os.Args[1:], os.Stdout, os.Stderr))
}

// command runs one command line and returns the exit code.
func command(args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, overview)
		return launcher.ExitUsage
	}
	name, args := args[0], args[1:]
	switch name {
	case "run":
		return run(args, stdout, stderr)
	case "ps":
		return ps(args, stdout, stderr)
	case "kill":
		return kill(args, stdout, stderr)
	case "stacks":
		return stacks(args, stdout, stderr)
	case "bench":
		return bench(args, stdout, stderr)
	case "explain":
		return explain(args, stdout, stderr)
	case "tune":
		return tuneCommand(args, stdout, stderr)
	case "manifest":
		return manifest(args, stdout, stderr)
	case "doctor":
		return doctor(args, stdout, stderr)
	case "agent":
		return launcher.AgentMain(args...)
	case "version", "-version", "--version", "-V":
		fmt.Fprintln(stdout, version())
		return 0
	case "help", "-h", "-help", "--help":
		return help(args, stdout, stderr)
	}
	fmt.Fprintf(stderr, "muster: %s\n", unknownCommand(name))
	return launcher.ExitUsage
}

func unknownCommand(name string) string {
	if strings.HasPrefix(name, "-") {
		return fmt.Sprintf("%s: expected a command before the flags; say muster run %s …", quote(name), quote(name))
	}
	if strings.ContainsAny(name, "./") {
		return fmt.Sprintf("%s is no command; to run a program, say muster run -n N %s", quote(name), quote(name))
	}
	if s := nearest(name, []string{"run", "ps", "kill", "stacks", "bench", "explain", "tune", "doctor", "manifest", "version", "help"}); s != "" {
		return fmt.Sprintf("%s is no command; did you mean muster %s?", quote(name), s)
	}
	return fmt.Sprintf("%s is no command; muster help lists them", quote(name))
}

// version names the build: the module's version or the commit, and what it
// was built with.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return fmt.Sprintf("muster (unknown) %s %s/%s", runtime.Version(), runtime.GOOS, runtime.GOARCH)
	}
	text := "muster " + info.Main.Version
	if info.Main.Version == "" {
		text = "muster (devel)"
	}
	var revision, modified string
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			revision = s.Value
		case "vcs.modified":
			if s.Value == "true" {
				modified = ", modified"
			}
		}
	}
	if revision != "" {
		text += fmt.Sprintf(" (%.12s%s)", revision, modified)
	}
	return fmt.Sprintf("%s %s %s/%s", text, info.GoVersion, runtime.GOOS, runtime.GOARCH)
}
