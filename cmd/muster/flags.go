package main

import (
	"fmt"
	"slices"
	"strings"
)

// A flagOf is a flag of a command whose line is read into an L. Each may be written
// with one dash or two, and its value as the next argument or after an equals sign.
type flagOf[L any] struct {
	names []string // the first is the one we show
	value string   // placeholder in the help; empty for a switch
	help  string
	set   func(l *L, value string) error
}

// readFlags reads the arguments of a command into l: flags, and words between them,
// which go to word. It stops where done says that the rest does not matter.
func readFlags[L any](l *L, command string, flags []flagOf[L], args []string, word func(string) error, done *bool) error {
	for len(args) > 0 && !*done {
		arg := args[0]
		args = args[1:]
		if len(arg) < 2 || arg[0] != '-' {
			if err := word(arg); err != nil {
				return err
			}
			continue
		}
		name, value, given := strings.Cut(strings.TrimPrefix(arg[1:], "-"), "=")
		at := slices.IndexFunc(flags, func(f flagOf[L]) bool { return slices.Contains(f.names, name) })
		if at < 0 {
			return unknownFlagOf(command, flags, arg, name)
		}
		f := &flags[at]
		shown := dashed(f.names[0], false)
		switch {
		case given:
		case f.value == "":
			value = "true"
		case len(args) == 0:
			return fmt.Errorf("%s: expected %s %s", shown, shown, f.value)
		default:
			value, args = args[0], args[1:]
		}
		if err := f.set(l, value); err != nil {
			return fmt.Errorf("%s: %w", shown, err)
		}
	}
	return nil
}

// unknownFlagOf says what to write instead of a flag that does not exist.
func unknownFlagOf[L any](command string, flags []flagOf[L], arg, name string) error {
	var known []string
	for _, f := range flags {
		known = append(known, f.names...)
	}
	if s := nearest(name, known); s != "" {
		return fmt.Errorf("no flag %s; did you mean %s?", quote(arg), dashed(s, false))
	}
	return fmt.Errorf("no flag %s; muster help %s lists them", quote(arg), command)
}

// flagsHelp writes what the flags mean.
func flagsHelp[L any](b *strings.Builder, flags []flagOf[L]) {
	b.WriteString("\nFlags\n")
	for _, f := range flags {
		left := dashed(f.names[0], false)
		for _, n := range f.names[1:] {
			left += ", " + dashed(n, true)
		}
		if f.value != "" {
			left += " " + f.value
		}
		entry(b, left, f.help)
	}
}

// setNumber, setToggle and setName are what most flags do.
func setNumber[L any](field func(*L) *int, low, high int, what string) func(*L, string) error {
	return func(l *L, v string) (err error) {
		*field(l), err = number(v, low, high, what)
		return err
	}
}

func setToggle[L any](field func(*L) *bool) func(*L, string) error {
	return func(l *L, v string) (err error) {
		*field(l), err = truth(v)
		return err
	}
}

func setName[L any](field func(*L) *string, what string) func(*L, string) error {
	return func(l *L, v string) error {
		*field(l) = v
		return notEmpty(v, what)
	}
}
