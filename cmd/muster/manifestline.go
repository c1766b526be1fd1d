package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// A manifestLine is what muster manifest was told.
type manifestLine struct {
	ranks        int
	image        string
	command      []string // of the container; none: the image's own
	name         string
	namespace    string
	secret       string // that exists already; empty: one is printed
	cpus         string
	memory       string
	env          []string // NAME=VALUE
	startTimeout time.Duration
	onFailure    string
	help         bool
}

// Kubernetes' own rules of what it takes.
var (
	label     = regexp.MustCompile(`^[a-z]([-a-z0-9]*[a-z0-9])?$`)
	quantity  = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$`)
	processor = regexp.MustCompile(`^([0-9]+m|[0-9]+(\.[0-9]{1,3})?)$`)
	variable  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// labelBytes is how long a name of Kubernetes may be that stands in a host's name.
const labelBytes = 63

var manifestFlags = []flagOf[manifestLine]{
	{names: []string{"n", "np"}, value: "N", help: "ranks, each in a pod of its own",
		set: setNumber(func(l *manifestLine) *int { return &l.ranks }, 1, maxRanks, "a number of ranks")},
	{names: []string{"image"}, value: "IMAGE", help: "the container image that holds the program",
		set: func(l *manifestLine, v string) error {
			l.image = v
			if v == "" || strings.ContainsFunc(v, func(r rune) bool { return r <= ' ' || r > '~' }) {
				return fmt.Errorf("%s: expected the name of an image", quote(v))
			}
			return nil
		}},
	{names: []string{"name"}, value: "NAME", help: "of the Job and of what belongs to it (default muster)",
		set: func(l *manifestLine, v string) error { l.name = v; return labelled(v) }},
	{names: []string{"namespace"}, value: "NAME", help: "where it runs (default: where kubectl puts it)",
		set: func(l *manifestLine, v string) error { l.namespace = v; return labelled(v) }},
	{names: []string{"cpus"}, value: "N", help: "processors of each rank, as 2 or 500m: requested, and the limit",
		set: func(l *manifestLine, v string) error {
			l.cpus = v
			if !processor.MatchString(v) {
				return fmt.Errorf("%s: expected processors, as 2, 0.5 or 500m", quote(v))
			}
			return nil
		}},
	{names: []string{"memory"}, value: "BYTES", help: "memory of each rank, as 2Gi: requested, and the limit",
		set: func(l *manifestLine, v string) error {
			l.memory = v
			if !quantity.MatchString(v) {
				return fmt.Errorf("%s: expected bytes, as 512Mi or 2Gi", quote(v))
			}
			return nil
		}},
	{names: []string{"x"}, value: "NAME=VALUE", help: "set a variable of the ranks' environment. May be repeated",
		set: func(l *manifestLine, v string) error {
			name, _, given := strings.Cut(v, "=")
			switch {
			case !given || !variable.MatchString(name):
				return fmt.Errorf("%s: expected NAME=VALUE", quote(v))
			case strings.HasPrefix(name, "MUSTER_") && name != "MUSTER_TUNE":
				return fmt.Errorf("%s: names that begin with MUSTER_ are the manifest's", quote(name))
			}
			l.env = append(l.env, v)
			return nil
		}},
	{names: []string{"secret"}, value: "NAME", help: "take the token from this Secret, under the key token, and print none: so the manifest can be kept",
		set: func(l *manifestLine, v string) error { l.secret = v; return labelled(v) }},
	{names: []string{"start-timeout"}, value: "TIME", help: "how long ranks wait for each other (default 10m, as images are pulled)",
		set: func(l *manifestLine, v string) (err error) { l.startTimeout, err = parseDuration(v); return err }},
	{names: []string{"on-failure"}, value: "abort|return", help: "what the other ranks do when one fails: end, or have their calls return (default abort)",
		set: func(l *manifestLine, v string) (err error) {
			l.onFailure, err = oneOf(v, "abort", "return")
			return err
		}},
	{names: []string{"help", "h"}, help: "print this",
		set: setToggle(func(l *manifestLine) *bool { return &l.help })},
}

func labelled(v string) error {
	if !label.MatchString(v) || len(v) > labelBytes {
		return fmt.Errorf("%s: expected a name of small letters, digits and dashes that begins with a letter", quote(v))
	}
	return nil
}

const manifestSynopsis = `muster manifest kubernetes -n N --image IMAGE [flags] [COMMAND [ARGS]]

Prints what runs a program as N ranks on Kubernetes, for kubectl apply -f -: an
indexed Job with one pod for each rank, a headless Service that gives the pods
names, and a Secret with a token that they share. Nothing of muster is in the
cluster or in the image but the program itself, whose ranks find each other:
rank 0 by its name, and the others by rank 0. COMMAND and what follows are the
container's; without it the image's own run. Kubernetes must be 1.27 or later.

The program begins when all pods run; so as many must find room at once. A pod
that fails ends the Job, since what the rank knew is lost. Connections between
the ranks are TLS with certificates that rank 0's process makes; the token is
what lets a process ask for one. It may serve several Jobs, one after the other:
ranks also compare the Job's identifier.

The pods run as user 65532 without privileges on a read-only file system, with
room in /tmp. They listen on TCP port 7777, which a NetworkPolicy must permit
among them.
`

const manifestExamples = `
Examples
  muster manifest kubernetes -n 16 --image registry.local/solver:3 |
      kubectl apply -f -
  muster manifest kubernetes -n 4 --image solver --name heat --cpus 2 \
      --memory 4Gi /solver -n 1000
  kubectl logs -f heat-0-…         rank 0's, who also says how the job failed

Exit code
  0 if the manifest was printed; 64 if the command line is wrong.
`

func manifestHelp() string {
	var b strings.Builder
	b.WriteString(manifestSynopsis)
	flagsHelp(&b, manifestFlags)
	b.WriteString(manifestExamples)
	return b.String()
}

// parseManifest reads the arguments of muster manifest.
func parseManifest(args []string) (*manifestLine, error) {
	l := &manifestLine{name: "muster"}
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		rest, err := take(l, manifestFlags, args, "muster manifest", func() bool { return l.help })
		if l.help && err == nil {
			return l, nil
		}
		if err == nil && len(rest) > 0 {
			return nil, fmt.Errorf("expected kubernetes before the flags; say muster manifest %s …", quote(rest[0]))
		}
		return nil, errors.Join(err, errors.New("no cluster named; say muster manifest kubernetes -n N --image IMAGE"))
	}
	if args[0] != "kubernetes" {
		return nil, fmt.Errorf("%s: expected kubernetes", quote(args[0]))
	}
	rest, err := take(l, manifestFlags, args[1:], "muster manifest", func() bool { return l.help })
	l.command = rest
	switch {
	case err != nil:
		return nil, err
	case l.help:
	case l.ranks == 0:
		return nil, errors.New("no number of ranks; say -n N")
	case l.image == "":
		return nil, errors.New("no image; say --image IMAGE")
	case !utf8.ValidString(strings.Join(slices.Concat(l.command, l.env), " ")):
		return nil, errors.New("a word of the command, or a variable, is not UTF-8, which a manifest is")
	case len(fmt.Sprintf("%s-%d", l.name, l.ranks-1)) > labelBytes:
		return nil, fmt.Errorf("--name: %s with the ranks' numbers has more than %d characters, which no host's name may have", quote(l.name), labelBytes)
	}
	return l, nil
}
