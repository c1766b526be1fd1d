package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math"
	"path/filepath"
	"strings"
)

// options is what the command line asks for.
type options struct {
	system        string // plummer, solar or file
	n             int
	seed          uint64
	input         string
	steps         int
	dt            float64
	softening     float64
	integrator    integrator
	decomposition string
	rows          int
	check         bool
	output        string
	plot          string
}

const usage = `Nbody moves bodies under their mutual gravity, on any number of ranks.

	muster run -n 4 ./examples/nbody [flags]

Without flags it checks itself against the published energies of the outer solar
system, then follows a Plummer sphere of 2,048 bodies for one crossing time.

`

// systemDefaults are the settings of each system where no flag gives others.
var systemDefaults = map[string]struct {
	steps      int
	dt         float64
	softening  float64
	integrator string
}{
	"plummer": {192, 1.0 / 64, 0.05, "leapfrog"},
	"solar":   {1000, solarStep, 0, "euler"},
	"file":    {1000, 0.01, 0, "leapfrog"},
}

// errHelp says that help was asked for.
var errHelp = errors.New("help asked for")

// parseOptions reads the command line args. The error is errHelp, or one
// sentence that names the flag; help is the text of -h.
func parseOptions(args []string) (o options, help string, err error) {
	var text bytes.Buffer
	f := flag.NewFlagSet("nbody", flag.ContinueOnError)
	f.SetOutput(&text)
	f.Usage = func() {
		text.WriteString(usage)
		f.PrintDefaults()
	}
	var scheme string
	f.StringVar(&o.system, "system", "plummer", "bodies to start from, `plummer|solar`: a star cluster, or Sun, Jupiter, Saturn, Uranus and Neptune (AU, years)")
	f.IntVar(&o.n, "n", 2048, "number of bodies of the plummer sphere")
	f.Uint64Var(&o.seed, "seed", 1, "seed of the plummer sphere")
	f.StringVar(&o.input, "input", "", "CSV `file` of bodies to start from: "+csvHeader+", in units with G = 1")
	f.IntVar(&o.steps, "steps", 0, "number of steps (default 192, solar and file 1000)")
	f.Float64Var(&o.dt, "dt", 0, "length of a step (default 1/64, solar and file 0.01)")
	f.Float64Var(&o.softening, "softening", 0, "Plummer softening length (default 0.05, solar and file 0)")
	f.StringVar(&scheme, "integrator", "", "`leapfrog|euler`: kick-drift-kick, or semi-implicit Euler (default leapfrog, solar euler)")
	f.StringVar(&o.decomposition, "decomposition", "replicated", "`replicated|ring`: every rank holds all positions and the result has the same bits for any number of ranks, or blocks of bodies travel round and a rank holds O(n/p)")
	f.IntVar(&o.rows, "rows", 8, "report about so many times on the way")
	f.BoolVar(&o.check, "check", true, "check against the published energies first; not done with -system or -input unless asked for")
	f.StringVar(&o.output, "output", "", "CSV `file` for the bodies at the end")
	f.StringVar(&o.plot, "plot", "", "picture `file`, .png or .svg")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return o, text.String(), errHelp
		}
		return o, "", fmt.Errorf("%w (-h lists the flags)", err)
	}
	if f.NArg() > 0 {
		return o, "", fmt.Errorf("unexpected argument %q: everything is given by flags (-h lists them)", f.Arg(0))
	}
	given := make(map[string]bool)
	f.Visit(func(g *flag.Flag) { given[g.Name] = true })
	if err := o.complete(given, scheme); err != nil {
		return o, "", err
	}
	return o, "", nil
}

// complete fills in what no flag has given and checks the whole.
func (o *options) complete(given map[string]bool, scheme string) error {
	if given["input"] {
		for _, name := range []string{"system", "n", "seed"} {
			if given[name] {
				return fmt.Errorf("-input and -%s exclude each other", name)
			}
		}
		o.system = "file"
	} else if o.system != "plummer" && o.system != "solar" {
		return fmt.Errorf("-system %q: expected plummer or solar", o.system)
	}
	if o.system == "solar" && (given["n"] || given["seed"]) {
		return errors.New("-n and -seed are for the plummer sphere, the solar system has 5 bodies")
	}
	d := systemDefaults[o.system]
	if !given["steps"] {
		o.steps = d.steps
	}
	if !given["dt"] {
		o.dt = d.dt
	}
	if !given["softening"] {
		o.softening = d.softening
	}
	if !given["integrator"] {
		scheme = d.integrator
	}
	if !given["check"] && (given["input"] || given["system"]) {
		o.check = false
	}
	for _, i := range integrators {
		if i.name == scheme {
			o.integrator = i
		}
	}
	switch ext := strings.ToLower(filepath.Ext(o.plot)); {
	case o.integrator.step == nil:
		return fmt.Errorf("-integrator %q: expected leapfrog or euler", scheme)
	case o.decomposition != "replicated" && o.decomposition != "ring":
		return fmt.Errorf("-decomposition %q: expected replicated or ring", o.decomposition)
	case o.n < 1 || o.n > maxBodies:
		return fmt.Errorf("-n %d: expected 1 to %d", o.n, maxBodies)
	case o.steps < 0:
		return fmt.Errorf("-steps %d: expected 0 or more", o.steps)
	case o.rows < 1:
		return fmt.Errorf("-rows %d: expected 1 or more", o.rows)
	case !(o.dt > 0) || math.IsInf(o.dt, 0):
		return fmt.Errorf("-dt %v: expected a positive number", o.dt)
	case !(o.softening >= 0) || math.IsInf(o.softening, 0):
		return fmt.Errorf("-softening %v: expected 0 or a positive number", o.softening)
	case o.plot != "" && ext != ".png" && ext != ".svg":
		return fmt.Errorf("-plot %q: expected a name that ends in .png or .svg", o.plot)
	}
	return nil
}
