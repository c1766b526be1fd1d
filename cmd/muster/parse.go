package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/muster-mpi/muster/launcher"
)

// A commandLine is what muster run was told.
type commandLine struct {
	job      launcher.Job // Apps, Stdin, Stdout and Stderr are not set yet
	programs []program
	where    whereabouts

	tune          string // a table; "": none
	color         string // "auto", "always" or "never"
	oversubscribe bool
	dryRun        bool
	json          bool
	help          bool

	lookup func(name string) (string, bool) // of the environment
}

// A program is one part of the command line, of those between colons.
type program struct {
	ranks   int
	counted bool // -n says how many
	env     []string
	dir     string
	build   []string // flags for go build
	argv    []string // TARGET ARGS
	literal bool     // they came after --
}

// parse reads the arguments of muster run. It looks at nothing but them and the
// environment. Each error is one the user can mend, and says where it is and
// what was expected.
func parse(args []string, lookup func(string) (string, bool)) (*commandLine, error) {
	c := &commandLine{color: "auto", lookup: lookup}
	for more := true; more; {
		p := program{ranks: 1}
		rest, literal, err := c.flags(&p, args)
		if err != nil || c.help {
			return c, err
		}
		end := len(rest)
		if !literal {
			for i, a := range rest {
				if a == ":" {
					end = i
					break
				}
			}
		}
		p.argv, p.literal = rest[:end], literal
		if len(p.argv) == 0 || p.argv[0] == "" {
			if len(c.programs) > 0 || end < len(rest) {
				return nil, fmt.Errorf("program %d: expected flags and TARGET between colons", len(c.programs)+1)
			}
			return nil, errors.New("no program named: expected muster run [flags] TARGET [ARGS]")
		}
		c.programs = append(c.programs, p)
		if more = end < len(rest); more {
			args = rest[end+1:]
		}
	}
	if command, _ := lookup(rshVariable); command != "" && c.job.Shell == nil {
		var err error
		if c.job.Shell, err = splitWords(command); err != nil {
			return c, fmt.Errorf("%s: %w", rshVariable, err)
		}
	}
	return c, c.check()
}

// flags takes the flags before TARGET. What follows a -- is literal: the next
// word is TARGET whatever it looks like, and a colon is an argument.
func (c *commandLine) flags(p *program, args []string) (rest []string, literal bool, err error) {
	for len(args) > 0 {
		arg := args[0]
		if arg == "--" {
			return args[1:], true, nil
		}
		if len(arg) < 2 || arg[0] != '-' {
			break
		}
		args = args[1:]
		name, value, given := strings.Cut(strings.TrimPrefix(arg[1:], "-"), "=")
		o := find(name)
		if o == nil {
			return nil, false, unknownFlag(arg, name)
		}
		if len(c.programs) > 0 && !o.local {
			return nil, false, fmt.Errorf("%s concerns the whole job: say it before the first program", o.dashed())
		}
		switch {
		case given:
		case o.value == "":
			value = "true"
		case len(args) == 0 || args[0] == ":":
			return nil, false, fmt.Errorf("%s: expected %s %s", o.dashed(), o.dashed(), o.value)
		default:
			value, args = args[0], args[1:]
		}
		if err := o.set(c, p, value); err != nil {
			return nil, false, fmt.Errorf("%s: %w", o.dashed(), err)
		}
		if c.help {
			break
		}
	}
	return args, false, nil
}

func find(name string) *option {
	for i := range options {
		for _, n := range options[i].names {
			if n == name {
				return &options[i]
			}
		}
	}
	return nil
}

// check looks at what only the whole command line shows.
func (c *commandLine) check() error {
	if ranks := c.ranks(); ranks > maxRanks {
		return fmt.Errorf("-n: %d ranks in all: expected %d at most", ranks, maxRanks)
	}
	if c.json && !c.dryRun {
		return errors.New("--json: expected --dry-run with it; --report FILE writes JSON about a job that ran")
	}
	return nil
}

func (c *commandLine) ranks() int {
	n := 0
	for _, p := range c.programs {
		n += p.ranks
	}
	return n
}

// quote shows a word of the command line so that it is harmless and its ends
// are seen, and short.
func quote(s string) string {
	const longest = 60
	if len(s) > longest {
		return fmt.Sprintf("%q…", s[:longest])
	}
	return fmt.Sprintf("%q", s)
}
