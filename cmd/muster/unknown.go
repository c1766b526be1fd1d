package main

import (
	"fmt"
	"strings"
)

// Words for the hints below.
const (
	someHosts = "say --host LIST or --hostfile FILE"
	meeting   = "hosts are named by --host LIST or --hostfile FILE, and ranks meet through the launcher"
	oneLine   = "say all programs in one command line, with colons between"
	shells    = "hosts are reached by ssh, or by srun in a job of Slurm's; --rsh COMMAND names another way"
	placement = "there is no such placement; --bind-to core gives each rank its share of the cores"
	debugging = "starting ranks in a debugger is not there yet"
)

// elsewhere says what the flags of other launchers (Open MPI, MPICH, Slurm,
// torchrun) are called here.
var elsewhere = []struct{ names, hint string }{
	{"machine-file default-hostfile", "say --hostfile FILE"},
	{"nodelist w nodes hostlist", someHosts},
	{"nnodes node-rank node_rank rdzv-endpoint rdzv_endpoint rdzv-backend rdzv_backend rdzv-id rdzv_id " +
		"master-addr master_addr master-port master_port standalone", meeting},
	{"configfile app", oneLine},
	{"launcher bootstrap rmk plm ssh", shells},
	{"launcher-exec bootstrap-exec", "say --rsh COMMAND"},
	{"nolocal skip-launch-node", "name the hosts that are to be used, with --host LIST or --hostfile FILE"},
	{"perhost ntasks-per-node grr", "say -N N"},
	{"pernode", "say -N 1"},
	{"npersocket", "say --map-by ppr:N:socket"},
	{"rr byslot", "say --map-by slot"},
	{"bynode", "say --map-by node"},
	{"bycore", "say --map-by core"},
	{"cpus-per-proc cpus-per-rank cpus-per-task", "say --bind-to core: each rank has its share of its host's cores"},
	{"c ntasks nproc-per-node nproc_per_node num-procs nprocs numprocs", "say -n N"},
	{"cpu-set cpu-list cpu-bind mem-bind distribution", placement},
	{"bind-to-core bycpu binding", "say --bind-to core"},
	{"bind-to-none", "say --bind-to none"},
	{"mca gmca prtemca pmixmca omca am gpmixmca",
		"there are no MCA parameters; --transport, --eager and --unexpected set what matters here"},
	{"env genv", "say -x NAME=VALUE"},
	{"envlist genvlist export envall genvall envnone genvnone", "the ranks have the launcher's environment; -x NAME=VALUE adds to it"},
	{"interface network", "say --iface NAME, or --subnet NETWORK"},
	{"outfile-pattern errfile-pattern output-filename output outfile errfile o e log-dir log_dir redirects tee",
		"say --output-dir DIR"},
	{"prepend-rank prepend-pattern label tag-output-detailed", "say --tag-output, or -l"},
	{"merge-stderr-to-stdout", "say 2>&1"},
	{"allow-run-as-root", "it is not needed"},
	{"use-hwthread-cpus use-hwthreads", "it is not needed: any number of ranks may share the cores"},
	{"overcommit O map-by-oversubscribe", "say --oversubscribe"},
	{"nooversubscribe no-oversubscribe", "it is not needed: hosts that are named have no more ranks than slots without --oversubscribe"},
	{"display-map devel-map", "say --display map"},
	{"display-allocation", "say --display allocation"},
	{"display-topo", "say --report-bindings"},
	{"cwd chdir D work-dir", "say --wdir DIR"},
	{"path prefix", "say the program's path as TARGET"},
	{"s i input", "say --stdin RANK, all or none"},
	{"enable-recovery disable-auto-cleanup max-restarts max_restarts no-kill kill-on-bad-exit K", "say --on-failure abort or return"},
	{"t time wall-time walltime", "say --timeout TIME"},
	{"gdb tv debug xterm ddt totalview valgrind dlv", debugging},
	{"q quiet v verbose d debug-daemons print-rank-map print-all-exitcodes", "there is nothing to be quiet or verbose about; --report FILE tells how the job ended"},
	{"m module", "name the program as TARGET: an executable, a Go package directory, an import path or .go files"},
	{"usize universe-size max-vm-size", "there is no universe: the job has the ranks of -n"},
}

// unknownFlag says what to write instead of a flag that does not exist.
func unknownFlag(arg, name string) error {
	shown := quote(arg)
	for _, e := range elsewhere {
		for known := range strings.FieldsSeq(e.names) {
			if known == name {
				return fmt.Errorf("flag %s: %s", shown, e.hint)
			}
		}
	}
	if n := strings.TrimPrefix(strings.TrimPrefix(name, "n"), "p"); n != name && n != "" && strings.Trim(n, "0123456789") == "" {
		return fmt.Errorf("flag %s: say -n %s", shown, n)
	}
	var known []string
	for _, o := range options {
		known = append(known, o.names...)
	}
	if s := nearest(name, known); s != "" {
		return fmt.Errorf("no flag %s; did you mean %s?", shown, find(s).dashed())
	}
	return fmt.Errorf("no flag %s; muster help run lists them, and flags of the program go after TARGET", shown)
}

// nearest is the one of known that is at most two letters, and a third of its
// length, away from name; empty if none is.
func nearest(name string, known []string) string {
	const longest = 40
	if len(name) > longest {
		return ""
	}
	best, least := "", 3
	for _, k := range known {
		if d := distance(name, k); d < least && 3*d <= len(k) {
			best, least = k, d
		}
	}
	return best
}

// distance is how many letters to insert, delete, replace or swap with the next
// one make a out of b.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
