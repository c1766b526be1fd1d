package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/muster-mpi/muster/launcher"
)

const overview = `Muster starts, watches and ends the ranks of parallel programs.

  muster run [flags] TARGET [ARGS]   run a program on several ranks
  muster ps                          list the jobs that run
  muster kill [JOB]                  end a job
  muster stacks [JOB] [--rank K]     where the goroutines of all ranks are
  muster bench p2p|coll|startup      measure, also against other MPIs
  muster bench scaling TARGET [ARGS] how a program's time depends on its ranks
  muster bench compare OLD NEW       is one file of results slower than another?
  muster explain OPERATION           which algorithm carries out a collective
  muster tune [OPERATION ...]        measure which is the fastest here
  muster doctor                      examine hosts: would a job run there?
  muster manifest kubernetes         print what runs a program on Kubernetes
  muster version                     print the version
  muster help [TOPIC]                TOPIC: run, ps, kill, stacks, bench,
                                     explain, tune, doctor, manifest,
                                     exit-codes, env

Example: four ranks of a Go program, built on the way

  muster run -n 4 ./examples/nbody
`

const runSynopsis = `muster run [flags] TARGET [ARGS] [: [flags] TARGET [ARGS]]...

Runs TARGET on several ranks, shows their output, and ends when they end. TARGET
is the first of these that fits:

  a.go [b.go ...]      Go files of one program
  prog                 an executable in PATH
  ./prog, dir/prog     an executable file
  ./dir, dir/sub       a directory with a Go program
  example.com/m/prog   the import path of a Go program

Go source is built by the go command and kept in a cache, so a second run starts
at once. What follows TARGET belongs to the program. After -- the next word is
TARGET and a colon is an ordinary argument. Flags may be written with one dash
or two, and values as -n 4 or -n=4.

Programs separated by a colon are one job, their ranks numbered in this order.
-n, -x, --wdir and the flags for building go with one program; all others
concern the job and stand before the first.

Ranks run on the hosts of --host or --hostfile, or else on those that Slurm,
PBS, LSF, SGE or Flux has given to the job, or else on this one. A host has
slots for ranks; more ranks than slots need --oversubscribe.
`

const runExamples = `
Examples
  muster run -n 4 ./examples/nbody -n 1000
  muster run -n 8 -l --timeout 10m ./solver input.csv
  muster run -n 4 -race ./cmd/solver
  muster run -n 1 ./master : -n 7 -x ROLE=worker ./worker
  muster run -n 4 --output-dir logs --report end.json ./solver
  muster run -n 4 --dry-run ./solver
  muster run --host a:4,b:4 ./solver
  muster run --hostfile hosts -n 64 --map-by node --display map ./solver

Signals
  Ctrl-C, SIGTERM and a closed terminal ask the ranks to end, with SIGTERM, and
  kill them after --grace; what ranks were blocked in is shown first. A second
  one kills them at once. Ctrl-Z stops the job and fg continues it. SIGQUIT,
  SIGUSR1 and SIGUSR2 are passed to the ranks.

Exit code
  That of the first rank to fail, 128+n if signal n killed it, 0 if none failed.
  Under --on-failure return it is 0 if at least one rank ended well.
  muster help exit-codes lists the launcher's own. go run turns every code but 0
  into 1: install the command with go install ./cmd/muster if you need them.
`

const psSynopsis = `muster ps [flags]

Lists your jobs whose launchers run on this host, the oldest first, once their
programs are built. A job of several hosts is seen where its launcher runs, and
not on the others; there not before all hosts are reached, unless you are root:
until then its launcher holds keys, and the kernel lets nobody look at it.

  JOB      the beginning of its identifier, which muster kill and stacks take
  PID      of its launcher
  STATE    reaching   its hosts are being reached
           starting   its ranks are; 3/8: that many have joined
           running
           ending     its ranks were told to end, or one has failed
           stopped    its launcher is, as by Ctrl-Z
  TIME     since it began

Nothing listens and nothing is named for this: launchers hold sealed memory,
which the kernel lets processes of the same user read by /proc/PID/fd. Jobs of
other users are not seen, nor any where a host permits no such memory (memfd).
`

const psEnd = `
Exit code
  0, also if there is no job; 64 if the command line is wrong; 66 where there is
  no /proc of Linux.
`

const killSynopsis = `muster kill [JOB] [flags]

Ends a job, and returns when nothing of it is left: its launcher gets SIGTERM
and gives the ranks the time of its --grace to end. JOB is the beginning of an
identifier that muster ps lists on this host; it may be left out if there is one
job only. A job that is ending already is waited for. A launcher that is stopped
is continued.
`

const killEnd = `
Examples
  muster kill
  muster kill 3f2a --now

Exit code
  0 if the job has ended; 1 if there is no such job, or it still runs some
  seconds after its ranks had to end; 64 if the command line is wrong. That of
  the job itself is 143.
`

const stacksSynopsis = `muster stacks [JOB] [flags]

Shows where the goroutines of all ranks are. Those that stand at the same place
are shown once, with their ranks: stacks are the same but for numbers,
addresses, arguments, and how long they have waited. Goroutines of your program
come first, and the places where most ranks are. The job goes on meanwhile; a
rank is held up for as long as its Go runtime takes to write its stacks.

JOB is the beginning of an identifier that muster ps lists on this host; it may
be left out if there is one job only. Ranks that do not answer within 3 seconds
are listed with the reason, and so are those that are stopped, have ended, or
have never joined the job, as programs that do not use package rank.
`

const stacksEnd = `
Examples
  muster stacks
  muster stacks 3f2a --rank 5
  muster stacks --json | jq '.groups[] | [.ranks, .state]'

Exit code
  0 if a rank has answered; 1 if none has, or there is no such job; 64 if the
  command line is wrong.
`

const exitCodes = `Exit codes of muster run

  0          every rank ended well; under --on-failure return, at least one
  1-63 …     the code of the first rank to fail, whatever it chose
   64        the command line is wrong
   65        a host file, a rank file or a batch system's list of hosts is wrong
   66        a host was not reached, a program not found, built or started, or
             a rank did not join
   67        ranks were built from different versions
   69        messages or requests were left over, with --strict
   70        a rank ended without leaving the job, or an error of muster's own
   71        a host, an agent or a link between ranks was lost, or a rank was
             stopped beyond --stop-timeout
   72        out of a resource: disk, file descriptors, memory
  124        the job exceeded --timeout
  129        the terminal was closed (SIGHUP)
  130        Ctrl-C (SIGINT)
  137        a rank was killed (SIGKILL), often for want of memory
  141        the reader of the output has gone, as in | head
  143        SIGTERM
  128+n      a rank, or the launcher, was ended by signal n

The last message of muster says which rank and why.
`

const environment = `Environment

Read by muster run:
  NO_COLOR            if not empty: no colours
  TERM                if dumb: no colours
  XDG_CACHE_HOME      programs built from Go source are kept in muster/build
  or HOME             there, the latest 16 used; if neither is set, in a
                      temporary directory until the job ends. On other hosts
                      muster is kept in muster/agent, programs in muster/program
  TMPDIR              where the go command works
  PATH                for TARGET, and for the go command
  GOFLAGS, GOCACHE …  as the go command reads them
  MUSTER_RSH          the command by which other hosts are reached, as --rsh
  SLURM_JOB_ID, PBS_JOBID, LSB_JOBID, PE_HOSTFILE, FLUX_URI, and what else
                      Slurm, PBS, LSF, SGE and Flux say about a job's hosts,
                      where neither --host nor --hostfile does

The ranks get the environment of muster run, with what -x sets. On other hosts
what belongs to a machine (PATH, HOME, SSH_…, XDG_… and the like) is as a login
there has it. To this come
  GOMAXPROCS          the cores a rank may use, unless it is set already
  MUSTER_RANK, MUSTER_SIZE, MUSTER_LOCAL_RANK, MUSTER_LOCAL_SIZE, MUSTER_JOB
                      for wrapper scripts: rank and number of ranks, in the job
                      and on this host, and the job's identifier
  MUSTER_TERMINAL     1 if standard output ends at a terminal, 2 if standard
                      error does, 12 if both; a rank itself sees only pipes
  MUSTER_CONTROL      the number of the descriptor on which a rank talks to its
                      agent. It is no secret, and nothing secret is in the
                      environment
  MUSTER_TUNE         the table of --tune, or as it is set for muster run

Names that begin with MUSTER_ are the launcher's; -x does not take them.

Read by a program that muster run has not started. Under srun --mpi=pmi2, and
other launchers that speak PMI, its processes are the ranks of a job; so are the
pods of muster manifest kubernetes, which sets the first five of these:
  MUSTER_RENDEZVOUS   host:port of rank 0
  MUSTER_TOKEN_FILE   a file with what only processes of the job know
  MUSTER_RUN          tells apart jobs with one token, one after the other
  MUSTER_RANK, MUSTER_SIZE
                      rank, or else JOB_COMPLETION_INDEX, and number of ranks
  MUSTER_START_TIMEOUT
                      how long ranks wait for each other, as 90s (default 1m,
                      on Kubernetes 10m)
  MUSTER_ON_FAILURE   abort (default) or return; read by rank 0
  MUSTER_ALONE        if 1, each process is a world of its own. Without it a
                      process that is one of several, and cannot meet the
                      others, ends with an error that says what to do
`

func help(args []string, stdout, stderr io.Writer) int {
	topic := ""
	if len(args) > 0 {
		topic = args[0]
	}
	switch topic {
	case "", "help", "-h", "-help", "--help":
		fmt.Fprint(stdout, overview)
	case "run":
		fmt.Fprint(stdout, runHelp())
	case "ps":
		fmt.Fprint(stdout, psHelp())
	case "kill":
		fmt.Fprint(stdout, killHelp())
	case "stacks":
		fmt.Fprint(stdout, stacksHelp())
	case "bench":
		fmt.Fprint(stdout, benchHelp())
	case "explain":
		fmt.Fprint(stdout, explainHelp())
	case "tune":
		fmt.Fprint(stdout, tuneHelp())
	case "doctor":
		fmt.Fprint(stdout, doctorHelp())
	case "manifest":
		fmt.Fprint(stdout, manifestHelp())
	case "exit-codes":
		fmt.Fprint(stdout, exitCodes)
	case "env":
		fmt.Fprint(stdout, environment)
	default:
		fmt.Fprintf(stderr, "muster: no help on %s: expected run, ps, kill, stacks, bench, explain, tune, doctor, manifest, exit-codes or env\n", quote(topic))
		return launcher.ExitUsage
	}
	return 0
}

// runHelp is the help on muster run, its flags taken from the table that parses
// them.
func runHelp() string {
	var b strings.Builder
	b.WriteString(runSynopsis)
	var rest []string // flags of go build that need no word
	for _, g := range groups {
		fmt.Fprintf(&b, "\n%s\n", g)
		for i := range options {
			o := &options[i]
			if o.group != g {
				continue
			}
			if o.help == "" {
				rest = append(rest, o.dashed())
				continue
			}
			left := o.dashed()
			for _, n := range o.names[1:] {
				left += ", " + dashed(n, true)
			}
			if o.value != "" {
				left += " " + o.value
			}
			entry(&b, left, o.help)
		}
		if g == groupBuild {
			entry(&b, "", "and "+strings.Join(rest, ", "))
		}
	}
	b.WriteString(runExamples)
	return b.String()
}

func psHelp() string     { return jobsHelp(psSynopsis, psFlags, psEnd) }
func killHelp() string   { return jobsHelp(killSynopsis, killFlags, killEnd) }
func stacksHelp() string { return jobsHelp(stacksSynopsis, stacksFlags, stacksEnd) }

func jobsHelp(synopsis string, flags []flagOf[jobLine], end string) string {
	var b strings.Builder
	b.WriteString(synopsis)
	flagsHelp(&b, flags)
	b.WriteString(end)
	return b.String()
}

// entry writes a flag and its help, wrapped to fit a terminal.
func entry(b *strings.Builder, left, text string) {
	const column, width = 26, 80
	line := "  " + left
	if len(line) > column-2 {
		fmt.Fprintln(b, line)
		line = ""
	}
	line = fmt.Sprintf("%-*s", column, line)
	start := true
	for word := range strings.FieldsSeq(text) {
		switch {
		case start:
		case len(line)+1+len(word) > width:
			fmt.Fprintln(b, line)
			line = strings.Repeat(" ", column)
		default:
			line += " "
		}
		line += word
		start = false
	}
	fmt.Fprintln(b, line)
}
