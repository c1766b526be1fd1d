package main

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/muster-mpi/muster/internal/hostfile"
)

// rshVariable names the variable that stands in for --rsh.
const rshVariable = "MUSTER_RSH"

// leastSilence is the shortest --net-timeout: hosts that are merely busy are silent for
// as long.
const leastSilence = 300 * time.Millisecond

// hostOptions say on which hosts ranks run and how these are reached.
func hostOptions() []option {
	text := func(field func(*commandLine) *string, what string) func(*commandLine, *program, string) error {
		return func(c *commandLine, _ *program, v string) error {
			*field(c) = v
			return notEmpty(v, what)
		}
	}
	return []option{
		{names: []string{"hostfile", "f", "machinefile"}, value: "FILE", group: groupHosts,
			help: "run on the hosts in FILE, which any of Open MPI, MPICH, PBS, LSF, SGE and Slurm may have written: 'node1 slots=4', 'node1:4', 'n[1-3]:4', or a line for each slot. Without this and --host, those that a batch system has given to the job, or this host",
			set:  text(func(c *commandLine) *string { return &c.where.file }, "a file")},
		{names: []string{"host", "H", "hosts"}, value: "LIST", group: groupHosts,
			help: "run on these hosts: a:4,alice@b:2,[::1]:2,n[1-3], with the number of slots. A host without a number has one slot for each time that it is named. May be repeated. With --hostfile: only on these of its hosts",
			set: func(c *commandLine, _ *program, v string) error {
				c.where.lists = append(c.where.lists, v)
				_, err := hostfile.ParseList(v)
				return err
			}},
		{names: []string{"N", "ppn", "npernode"}, value: "N", group: groupHosts,
			help: "ranks on each host, until all are placed",
			set: func(c *commandLine, _ *program, v string) (err error) {
				c.where.perHost, err = number(v, 1, maxRanks, "a number of ranks")
				return err
			}},
		{names: []string{"map-by"}, value: "HOW", group: groupHosts,
			help: "deal ranks to hosts: slot (default) fills one after the other, node gives each one in turn, ppr:N:node gives each N. core, hwthread, socket, numa and l3cache are as slot, and deal the ranks of a host to its cores, sockets and so on in turn",
			set:  text(func(c *commandLine) *string { return &c.where.mapBy }, "slot, node, core or another way")},
		{names: []string{"rank-by"}, value: "HOW", group: groupHosts,
			help: "number the ranks slot by slot, one host after the other, or with one of each node in turn (default: node with --map-by node, else slot)",
			set: func(c *commandLine, _ *program, v string) (err error) {
				c.where.rankBy, err = oneOf(v, "slot", "node")
				return err
			}},
		{names: []string{"rankfile", "rf"}, value: "FILE", group: groupHosts,
			help: "places of single ranks, in Open MPI's words: 'rank 0=node1 slot=1:0-2' is socket 1, cores 0 to 2; 'slot=4,6-7' are CPUs by the system's numbers",
			set:  text(func(c *commandLine) *string { return &c.where.rankFile }, "a file")},
		{names: []string{"display"}, value: "WHAT", group: groupHosts,
			help: "print to standard error, before the ranks start: map (which rank is where), allocation (the hosts and their slots), or both with a comma between",
			set: func(c *commandLine, _ *program, v string) error {
				for what := range strings.SplitSeq(v, ",") {
					if _, err := oneOf(what, "map", "allocation"); err != nil {
						return err
					}
					c.where.showMap = c.where.showMap || what == "map"
					c.where.showHosts = c.where.showHosts || what == "allocation"
				}
				return nil
			}},
		{names: []string{"rsh", "launcher-agent"}, value: "COMMAND", group: groupHosts,
			help: "the command by which other hosts are reached, such as 'ssh -F file' (default: srun in a job of Slurm's, else ssh). {host} in it stands for the host; without that the host is put behind it",
			set: func(c *commandLine, _ *program, v string) (err error) {
				c.job.Shell, err = splitWords(v)
				return err
			}},
		{names: []string{"iface"}, value: "NAME", group: groupHosts,
			help: "connect hosts only by the network interface of this name",
			set:  text(func(c *commandLine) *string { return &c.job.Iface }, "an interface")},
		{names: []string{"subnet"}, value: "NETWORK", group: groupHosts,
			help: "connect hosts only by their addresses in NETWORK, such as 10.1.0.0/16",
			set: func(c *commandLine, _ *program, v string) error {
				network, err := netip.ParsePrefix(v)
				if err != nil {
					return fmt.Errorf("%s: expected a network, such as 10.1.0.0/16 or fd00::/8", quote(v))
				}
				c.job.Subnet = network.Masked().String()
				return nil
			}},
		{names: []string{"via"}, value: "HOW", group: groupHosts,
			help: "link ranks of different hosts by tcp (default; one port a host) or by ssh, through the launcher and without any port",
			set: func(c *commandLine, _ *program, v string) (err error) {
				c.job.Via, err = oneOf(v, "tcp", "ssh")
				return err
			}},
		{names: []string{"net-timeout"}, value: "TIME", group: groupHosts,
			help: "how long a host may be silent before it is taken for lost (default 3.5s, 300ms at least)",
			set: func(c *commandLine, _ *program, v string) (err error) {
				c.job.NetTimeout, err = parseDuration(v)
				if err == nil && c.job.NetTimeout < leastSilence {
					err = fmt.Errorf("%s: expected %v at least", quote(v), leastSilence)
				}
				return err
			}},
		{names: []string{"timing"}, group: groupHosts,
			help: "print how long each step of the start took, and at the end which ranks the others waited for",
			set:  toggle(func(c *commandLine) *bool { return &c.job.Timing })},
	}
}

// splitWords takes a command apart as a shell does, with quotes and backslashes, but
// without anything else that a shell knows.
func splitWords(text string) ([]string, error) {
	var words []string
	var word strings.Builder
	begun := false
	var quoting rune // the quote that is open
	escaped := false
	for _, r := range text {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quoting != '\'':
			escaped, begun = true, true
		case r == quoting:
			quoting = 0
		case quoting == 0 && (r == '\'' || r == '"'):
			quoting, begun = r, true
		case quoting == 0 && (r == ' ' || r == '\t' || r == '\n'):
			if begun {
				words = append(words, word.String())
				word.Reset()
				begun = false
			}
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	if quoting != 0 || escaped {
		return nil, fmt.Errorf("%s: expected a command whose quotes are closed", quote(text))
	}
	if begun {
		words = append(words, word.String())
	}
	if len(words) == 0 || words[0] == "" || strings.ContainsRune(text, 0) {
		return nil, errors.New("expected a command")
	}
	return words, nil
}
