package main

import "strings"

// readFlags reads the arguments of a command into l: flags, and words between them,
// which go to word. It stops where done says that the rest does not matter.
func readFlags[L any](l *L, command string, flags []flagOf[L], args []string, word func(string) error, done *bool) error {
	for len(args) > 0 && !*done {
		rest, err := take(l, flags, args, "muster "+command, func() bool { return *done })
		if err != nil || len(rest) == 0 || *done {
			return err
		}
		if err := word(rest[0]); err != nil {
			return err
		}
		args = rest[1:]
	}
	return nil
}

// flagsHelp writes what the flags mean.
func flagsHelp[L any](b *strings.Builder, flags []flagOf[L]) {
	b.WriteString("\nFlags\n")
	flagHelp(b, flags)
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
