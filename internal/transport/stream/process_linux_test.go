package stream_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	linux "golang.org/x/sys/unix"

	"github.com/muster-mpi/muster/internal/socketpair"
)

// The figures that count are taken between two processes, each with one
// processor, as ranks have. This binary starts itself again as the other one.

const (
	// envPeer makes this binary the far end of a benchmark: "way pattern".
	envPeer = "STREAM_BENCH_PEER"
	// envBind, if set, puts the two ends on cores of their own, as muster run
	// --bind-to core does. Otherwise the system places them.
	envBind = "STREAM_BENCH_BIND"
)

func TestMain(m *testing.M) {
	if arg, ok := os.LookupEnv(envPeer); ok {
		way, pattern, _ := strings.Cut(arg, " ")
		if err := servePeer(way, pattern); err != nil {
			fmt.Fprintf(os.Stderr, "benchmark peer %s: %v\n", arg, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// A pattern is: batch messages of size bytes one way, one of 8 bytes back.
type pattern struct {
	name        string
	size, batch int
}

var patterns = []pattern{
	{"Latency8B", 8, 1},
	{"Bandwidth4MiB", 4 << 20, 8},
	{"Rate64B", 64, 20_000},
}

// figure turns the time of one batch into what the pattern is about.
func (p pattern) figure(d time.Duration) (float64, string) {
	switch p.name {
	case "Latency8B":
		return d.Seconds() / 2 * 1e6, "us"
	case "Bandwidth4MiB":
		return float64(p.size) * float64(p.batch) / d.Seconds() / 1e9, "GB/s"
	}
	return float64(p.batch) / d.Seconds() / 1e6, "M/s"
}

// An end does one side of a pattern over a connection.
type end interface {
	batch() error // the near side: a batch out, an answer in
	serve() error // the far side, until the connection ends
}

// ways are how a pattern can be done.
var ways = map[string]func(conn net.Conn, near bool, p pattern) (end, error){
	"link":    newLinkEnd,
	"raw":     newRawEnd,
	"polling": newPollingEnd,
	"tls":     newTLSEnd,
	"linktls": newLinkTLSEnd,
	"grpc":    newGRPCEnd,
}

func servePeer(way, name string) error {
	bind(1)
	f := os.NewFile(3, "connection")
	conn, err := net.FileConn(f)
	if err != nil {
		return err
	}
	f.Close()
	p := patterns[slices.IndexFunc(patterns, func(p pattern) bool { return p.name == name })]
	e, err := ways[way](conn, false, p)
	if err != nil {
		return err
	}
	e.serve() // ends with the near end's connection, which is how it is told
	return nil
}

// processors is GOMAXPROCS at both ends of way: one for each rank, as muster run
// has it, and for gRPC as it comes what the runtime finds.
func processors(way string) int {
	if way == "grpc" {
		return runtime.NumCPU()
	}
	return 1
}

// startPeer starts the far end of way and returns the near one, and the far one's
// process: it is stopped while others are measured, since some ways never sleep.
func startPeer(b *testing.B, pair func() (net.Conn, net.Conn, error), way string, p pattern) (end, *os.Process) {
	near, far, err := pair()
	if err != nil {
		b.Fatal(err)
	}
	f, err := far.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		b.Fatal(err)
	}
	far.Close()
	if _, err := minted(); err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envPeer+"="+way+" "+p.name, "GOMAXPROCS="+strconv.Itoa(processors(way)))
	cmd.ExtraFiles = []*os.File{f}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	f.Close()
	b.Cleanup(func() {
		near.Close()
		cmd.Process.Kill()
		cmd.Wait()
	})
	e, err := ways[way](near, true, p)
	if err != nil {
		b.Fatalf("%s: %v", way, err)
	}
	return e, cmd.Process
}

// bind moves this process to one core, if that is asked for.
func bind(core int) {
	if os.Getenv(envBind) == "" {
		return
	}
	var set linux.CPUSet
	set.Set(core)
	threads, _ := os.ReadDir("/proc/self/task")
	for _, t := range threads {
		tid, _ := strconv.Atoi(t.Name())
		linux.SchedSetaffinity(tid, &set)
	}
}

// BenchmarkProcesses compares a link between two processes with what is below
// it and with gRPC as it comes, in alternating rounds: b.N of them, so
// -benchtime 9x gives medians of nine.
func BenchmarkProcesses(b *testing.B) {
	for _, n := range []struct {
		name string
		pair func() (net.Conn, net.Conn, error)
		ways []string
	}{
		{"Unix", socketpair.Unix, []string{"link", "raw", "polling", "grpc"}},
		{"TCP", socketpair.TCP, []string{"link", "raw", "polling", "grpc"}},
		{"TLS", socketpair.TCP, []string{"linktls", "tls"}},
	} {
		for _, p := range patterns {
			b.Run(n.name+"/"+p.name, func(b *testing.B) {
				if p.name == "Rate64B" {
					n.ways = slices.DeleteFunc(slices.Clone(n.ways), func(w string) bool { return w == "raw" || w == "polling" || w == "tls" })
				}
				compare(b, n.pair, n.ways, p)
			})
		}
	}
}

func compare(b *testing.B, pair func() (net.Conn, net.Conn, error), ways []string, p pattern) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	bind(0)
	ends, peers := make([]end, len(ways)), make([]*os.Process, len(ways))
	for i, way := range ways {
		ends[i], peers[i] = startPeer(b, pair, way, p)
		if err := ends[i].batch(); err != nil { // connects, and warms up
			b.Fatalf("%s: %v", way, err)
		}
		peers[i].Signal(syscall.SIGSTOP)
	}
	figures := make([][]float64, len(ways)) // of slices of a millisecond: what disturbs the machine hits few
	var unit string
	for range b.N {
		for i, e := range ends {
			runtime.GOMAXPROCS(processors(ways[i]))
			peers[i].Signal(syscall.SIGCONT)
			for round := time.Now(); time.Since(round) < 150*time.Millisecond; {
				n, start := 0, time.Now()
				for ; n == 0 || time.Since(start) < time.Millisecond; n++ {
					if err := e.batch(); err != nil {
						b.Fatalf("%s: %v", ways[i], err)
					}
				}
				var f float64
				f, unit = p.figure(time.Since(start) / time.Duration(n))
				figures[i] = append(figures[i], f)
			}
			peers[i].Signal(syscall.SIGSTOP)
		}
	}
	for i, way := range ways {
		slices.Sort(figures[i])
		b.ReportMetric(figures[i][len(figures[i])/2], way+"-"+unit)
	}
	b.ReportMetric(0, "ns/op")
}
