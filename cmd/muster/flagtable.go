package main

import (
	"fmt"
	"slices"
	"strings"
)

// A flagOf is a flag of a command whose command line is an L. Like those of muster
// run it may be written with one dash or two, and its value as the next argument
// or after an equals sign.
type flagOf[L any] struct {
	names []string // the first is the one we show
	value string   // placeholder in the help; empty for a switch
	help  string
	set   func(l *L, value string) error
}

func (f *flagOf[L]) dashed() string { return dashed(f.names[0], false) }

// take takes the flags of list before the first other argument, or --, and returns
// what follows. It stops after one that asks for help, as stop then says. command
// is named in messages.
func take[L any](l *L, list []flagOf[L], args []string, command string, stop func() bool) ([]string, error) {
	for len(args) > 0 && !stop() {
		arg := args[0]
		if arg == "--" {
			return args[1:], nil
		}
		if len(arg) < 2 || arg[0] != '-' {
			break
		}
		args = args[1:]
		name, value, given := strings.Cut(strings.TrimPrefix(arg[1:], "-"), "=")
		i := slices.IndexFunc(list, func(f flagOf[L]) bool { return slices.Contains(f.names, name) })
		if i < 0 {
			return nil, noFlag(list, arg, name, command)
		}
		f := &list[i]
		switch {
		case given:
		case f.value == "":
			value = "true"
		case len(args) == 0:
			return nil, fmt.Errorf("%s: expected %s %s", f.dashed(), f.dashed(), f.value)
		default:
			value, args = args[0], args[1:]
		}
		if err := f.set(l, value); err != nil {
			return nil, fmt.Errorf("%s: %w", f.dashed(), err)
		}
	}
	return args, nil
}

// noFlag says what to write instead of a flag that list does not have.
func noFlag[L any](list []flagOf[L], arg, name, command string) error {
	var known []string
	for _, f := range list {
		known = append(known, f.names...)
	}
	if s := nearest(name, known); s != "" {
		return fmt.Errorf("no flag %s; did you mean %s?", quote(arg), dashed(s, false))
	}
	return fmt.Errorf("no flag %s; %s -h lists them", quote(arg), command)
}

// flagHelp writes the flags of list.
func flagHelp[L any](b *strings.Builder, list []flagOf[L]) {
	for _, f := range list {
		left := f.dashed()
		for _, n := range f.names[1:] {
			left += ", " + dashed(n, false)
		}
		if f.value != "" {
			left += " " + f.value
		}
		entry(b, left, f.help)
	}
}
