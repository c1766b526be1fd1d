package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/muster-mpi/muster/internal/hostfile"
	"github.com/muster-mpi/muster/internal/place"
	"github.com/muster-mpi/muster/internal/scheduler"
	"github.com/muster-mpi/muster/launcher"
)

// A whereabouts is what the command line says of hosts and places, and what comes of
// it.
type whereabouts struct {
	file     string   // --hostfile
	lists    []string // --host
	perHost  int
	mapBy    string
	rankBy   string
	rankFile string
	bindTo   string

	showMap, showHosts bool

	// settle sets these.
	hosts  []hostfile.Host // nil: nobody named any, and all ranks are here
	source string          // who named them
	places []place.Place   // by rank
	ranks  [][]int         // by host; of this one if nobody named any
	notes  []string
}

// surroundings is what settle looks at beside the command line.
var surroundings = scheduler.System{
	LookupEnv: os.LookupEnv,
	ReadFile:  readFile,
	Output: func(argv ...string) ([]byte, error) {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		return exec.CommandContext(ctx, argv[0], argv[1:]...).Output()
	},
}

// readFile reads a file that is not huge, whatever it claims to be.
func readFile(name string) ([]byte, error) {
	const most = 64 << 20
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && len(data) > most {
		err = &os.PathError{Op: "read", Path: name, Err: fmt.Errorf("more than %d bytes", most)}
	}
	return data, err
}

// settle finds the job's hosts and places its ranks. An error comes with its exit
// code.
func (c *commandLine) settle(s scheduler.System) (int, error) {
	w := &c.where
	code, err := c.findHosts(s)
	if err != nil {
		return code, err
	}
	options := place.Options{
		Ranks: c.ranks(), PerHost: w.perHost, MapBy: w.mapBy, RankBy: w.rankBy,
		Oversubscribe: c.oversubscribe || w.hosts == nil,
	}
	if w.rankFile != "" {
		if options.Rankfile, err = readRanks(w.rankFile); err != nil {
			return launcher.ExitHosts, err
		}
		if w.hosts == nil {
			if w.hosts, err = options.Rankfile.Hosts(); err != nil {
				return launcher.ExitHosts, err
			}
			w.source, options.Oversubscribe = w.rankFile, c.oversubscribe
		}
	}
	open := len(c.programs) == 1 && !c.programs[0].counted // how many ranks there are is not said
	if open && (w.hosts != nil || w.perHost > 0 || strings.HasPrefix(w.mapBy, "ppr:")) {
		options.Ranks = 0
	}
	hosts, err := c.placeHosts(s, &options)
	if err != nil {
		return launcher.ExitUsage, err
	}
	w.places, err = place.Ranks(hosts, options)
	var wrong *hostfile.Error
	if errors.As(err, &wrong) {
		return launcher.ExitHosts, err
	}
	if err != nil {
		return launcher.ExitUsage, err
	}
	if open {
		c.programs[0].ranks = len(w.places)
	}
	w.ranks = make([][]int, len(hosts))
	for rank, p := range w.places {
		w.ranks[p.Host] = append(w.ranks[p.Host], rank)
	}
	c.fillJob()
	if err := c.checkSettled(); err != nil {
		return launcher.ExitUsage, err
	}
	return 0, nil
}

// findHosts finds the hosts: those that the command line names, or else those of the
// batch system's job.
func (c *commandLine) findHosts(s scheduler.System) (int, error) {
	w := &c.where
	named := w.file != "" || len(w.lists) > 0
	if named { // what an allocation says is of use then, but not worth running a command
		s.Output = func(...string) ([]byte, error) { return nil, errors.ErrUnsupported }
	}
	given, err := scheduler.Find(s)
	switch {
	case named:
		if code, err := w.nameHosts(c.oversubscribe); err != nil {
			return code, err
		}
	case err != nil:
		return launcher.ExitHosts, err
	case given != nil && given.Of > 1:
		return launcher.ExitUsage, fmt.Errorf("this is task %d of %d which %s has started, and each would start the job again: "+
			"say muster run once in the job's script, or start the program itself without it; --host localhost starts a job of this task alone",
			given.Task, given.Of, given.Kind)
	case given != nil:
		w.hosts = given.Hosts
		w.source = string(given.Kind)
		if given.Job != "" {
			w.source += " job " + given.Job
		}
	}
	if c.job.Shell == nil && given != nil && given.Kind == scheduler.Slurm && within(w.hosts, given.Hosts) {
		c.job.Shell = []string{"srun"}
	}
	return 0, nil
}

// within reports whether a batch system's program can reach all of hosts: they are its
// own, and there is nothing about them that it would not know.
func within(hosts, given []hostfile.Host) bool {
	known := make(map[string]bool)
	for _, h := range given {
		known[h.Name] = true
	}
	return !slices.ContainsFunc(hosts, func(h hostfile.Host) bool { return !known[h.Name] || h.User != "" || h.Port != 0 })
}

// nameHosts reads --hostfile and --host. Of a host file --host picks some.
func (w *whereabouts) nameHosts(oversubscribe bool) (int, error) {
	var picked []hostfile.Host
	if len(w.lists) > 0 {
		var err error
		if picked, err = hostfile.ParseList(strings.Join(w.lists, ",")); err != nil {
			return launcher.ExitUsage, fmt.Errorf("--host: %w", err)
		}
		w.hosts, w.source = picked, "--host"
	}
	if w.file == "" {
		return 0, nil
	}
	f, err := os.Open(w.file)
	if err != nil {
		return launcher.ExitHosts, fmt.Errorf("--hostfile: %w", err)
	}
	defer f.Close()
	w.source = w.file
	if w.hosts, err = hostfile.Parse(f, w.file); err != nil {
		return launcher.ExitHosts, err
	}
	for _, h := range w.hosts {
		if h.Binding != "" {
			w.notes = append(w.notes, fmt.Sprintf("note: %s:%d: binding=%s is not heeded; --bind-to and --rankfile bind ranks", w.file, h.Line, h.Binding))
			break
		}
	}
	if picked == nil {
		return 0, nil
	}
	all := w.hosts
	w.hosts = nil
	for _, p := range picked {
		i := slices.IndexFunc(all, func(h hostfile.Host) bool { return h.Name == p.Name })
		if i < 0 {
			return launcher.ExitUsage, fmt.Errorf("--host: %s is not among the hosts of %s", p.Name, w.file)
		}
		h := all[i]
		if p.User != "" {
			h.User = p.User
		}
		if p.Counted {
			if h.Counted && p.Slots > h.Slots && !oversubscribe {
				return launcher.ExitUsage, fmt.Errorf("--host: %s: expected %s at most, as in %s, or --oversubscribe", p, count(h.Slots, "slot"), w.file)
			}
			h.Slots, h.Counted = p.Slots, true
		}
		w.hosts = append(w.hosts, h)
	}
	return 0, nil
}

func readRanks(name string) (*hostfile.Rankfile, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("--rankfile: %w", err)
	}
	defer f.Close()
	return hostfile.ParseRankfile(f, name)
}

// placeHosts returns the hosts as package place wants them. It leaves what ranks are
// bound to out of options where the agents decide that, as they do for shares of all
// cores.
func (c *commandLine) placeHosts(s scheduler.System, options *place.Options) ([]place.Host, error) {
	w := &c.where
	parts := slices.Contains([]string{"socket", "numa", "l3cache"}, w.mapBy) || strings.HasPrefix(w.mapBy, "ppr:") && !strings.HasSuffix(w.mapBy, ":node")
	if w.bindTo != "core" || parts {
		options.BindTo = w.bindTo
	} else {
		c.job.BindTo = w.bindTo
	}
	hosts := []place.Host{{Host: hostfile.Host{Name: "localhost", Slots: 1}}}
	if w.hosts != nil {
		hosts = hosts[:0]
		for _, h := range w.hosts {
			hosts = append(hosts, place.Host{Host: h})
		}
	}
	binds := options.BindTo != "" && options.BindTo != "none"
	if !parts && !binds && options.Rankfile == nil {
		return hosts, nil
	}
	for i, h := range hosts {
		if !jobHost(h.Host).Local() {
			continue
		}
		t, err := place.ReadTopology(s.ReadFile)
		if err != nil && (parts || binds) {
			return nil, err
		}
		hosts[i].Topology = t
	}
	return hosts, nil
}

func jobHost(h hostfile.Host) launcher.Host {
	return launcher.Host{Name: h.Name, User: h.User, Port: h.Port, Slots: h.Slots}
}

// fillJob hands hosts and places to the job.
func (c *commandLine) fillJob() {
	w := &c.where
	for _, h := range w.hosts {
		c.job.Hosts = append(c.job.Hosts, jobHost(h))
	}
	bound := false
	for _, p := range w.places {
		if w.hosts != nil {
			c.job.Placement = append(c.job.Placement, p.Host)
		}
		c.job.CPUs = append(c.job.CPUs, p.CPUs)
		bound = bound || p.CPUs != nil
	}
	if !bound {
		c.job.CPUs = nil
	}
}

// checkSettled looks at what only the number of ranks and their places show.
func (c *commandLine) checkSettled() error {
	ranks := len(c.where.places)
	if to := c.job.StdinTo; to != "" && to != "all" && to != "none" {
		rank, err := number(to, 0, ranks-1, "a rank of the job")
		if err != nil {
			return fmt.Errorf("--stdin: %w", err)
		}
		c.job.StdinTo = fmt.Sprint(rank)
	}
	one := len(c.where.ranks[c.where.places[0].Host]) == ranks // all on one host
	if c.job.Insecure && c.job.Transport != "tcp" && one {
		return errors.New("--insecure-wire: expected --transport tcp or ranks on several hosts with it; other links leave no host and need no TLS")
	}
	return nil
}
