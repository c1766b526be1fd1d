package chaos

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/muster-mpi/muster/launcher"
	"github.com/muster-mpi/muster/rank"
)

var (
	full = flag.Bool("campaign", false, "break thousands of jobs instead of a few")
	seed = flag.Uint64("seed", 0, "what is done when follows from it; 0: a new one")
	only = flag.Int("only", -1, "run this case of a part alone")
	out  = flag.String("out", "", "directory that keeps what parts have found, for the page")
)

// The test binary is launcher, agent and rank in turn: its first argument says which.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "agent":
			os.Exit(launcher.AgentMain(os.Args[2:]...))
		case "launch":
			os.Exit(launch(os.Args[2]))
		case "lines":
			lines(os.Args[2])
			os.Exit(0)
		}
	}
	os.Exit(m.Run())
}

// order is what a launcher process is to do.
type order struct {
	Argv       []string
	Ranks      int
	Hosts      []string // nil: the launcher's own
	NetTimeout time.Duration
	Report     string
}

func launch(text string) int {
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return launcher.ExitUsage
	}
	self, err := os.Executable()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return launcher.ExitUsage
	}
	job := launcher.Job{
		Apps:  []launcher.App{{Ranks: o.Ranks, Argv: o.Argv}},
		Agent: []string{self, "agent"}, NetTimeout: o.NetTimeout, Report: o.Report,
	}
	for _, name := range o.Hosts {
		job.Hosts = append(job.Hosts, launcher.Host{Name: name})
	}
	if len(o.Hosts) > 0 {
		for r := range o.Ranks {
			job.Placement = append(job.Placement, r%len(o.Hosts))
		}
	}
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	result, err := launcher.Run(context.Background(), job, signals)
	if err != nil {
		fmt.Fprintln(os.Stderr, "muster:", err)
	}
	return result.Code
}

// lines has a rank print so many lines, each of which says what it has to be.
func lines(count string) {
	n, err := strconv.Atoi(count)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(launcher.ExitUsage)
	}
	rank.Run(func(_ context.Context, world *rank.Comm) error {
		w := bufio.NewWriter(os.Stdout)
		for i := range n {
			fmt.Fprintln(w, line(world.Rank(), i))
		}
		return w.Flush()
	})
}

// line is the ith line of a rank, of a length that changes.
func line(rank, i int) string {
	const text = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	return fmt.Sprintf("%d %d %s", rank, i, text[:(rank+i)%len(text)])
}

// build compiles a main package of ours into dir.
func build(t *testing.T, dir, pkg string) string {
	t.Helper()
	path := filepath.Join(dir, filepath.Base(pkg))
	if out, err := exec.Command("go", "build", "-o", path, pkg).CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", pkg, err, out)
	}
	return path
}
