package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/muster-mpi/muster/bench/peer"
	"github.com/muster-mpi/muster/bench/results"
)

// short are flags that make a benchmark short.
var short = map[string][]string{
	"p2p":     {"-m", "8:8", "-i", "3", "--rounds", "1", "--repeat", "2", "--compute", "1ms"},
	"coll":    {"-n", "2", "-m", "8:8", "-i", "3", "--rounds", "1", "--repeat", "2"},
	"startup": {"-n", "2", "--memory", "2", "--rounds", "1"},
}

// peersHere skips the test if peers are missing, and says what to install.
func peersHere(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("waits for other MPIs, which say nothing of this program")
	}
	if _, err := peer.Find(t.Context(), peer.Names()); errors.Is(err, peer.ErrMissing) {
		t.Skip(err)
	}
}

// measured runs muster bench with --json and returns the report.
func measured(t *testing.T, args ...string) *results.Report {
	t.Helper()
	file := filepath.Join(t.TempDir(), "report.json")
	stdout, stderr, code := muster(t, slices.Concat([]string{"bench"}, args, []string{"--json", file})...)
	if code != 0 {
		t.Fatalf("muster bench %v: exit code %d\n%s", args, code, stderr)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := results.ReadJSON(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range r.Series {
		if s.Kind == results.Ours && s.Transport != "" && !strings.Contains(stdout, ", "+s.Transport+", ") {
			t.Errorf("no table of %s in:\n%s", s.Transport, stdout)
		}
	}
	return r
}

// has reports whether r has a series, with so many rounds.
func has(r *results.Report, kind results.Kind, name, transport, test string, rounds int) bool {
	return slices.ContainsFunc(r.Series, func(s *results.Series) bool {
		return s.Kind == kind && s.Name == name && s.Transport == transport && s.Test == test && len(s.Rounds) == rounds
	})
}

func TestBenchMeasuresEveryTestOnEveryTransport(t *testing.T) {
	args := append([]string{"p2p", "-c", "--limits"}, short["p2p"]...)
	r := measured(t, args...)
	for _, test := range p2pTests {
		for _, tr := range benchTransports() {
			if !has(r, results.Ours, "muster", tr.name, test.name, 1) {
				t.Errorf("no %s over %s", test.name, tr.name)
			}
		}
	}
	for _, limit := range []string{"memcpy latency", "flag latency", "unix bw", "unix-poll latency", "tcp bw", "tcp-poll latency", "tls bw", "grpc latency", "grpc bw"} {
		if name, test, _ := strings.Cut(limit, " "); !has(r, results.Limit, name, "", test, 1) {
			t.Errorf("no limit %s", limit)
		}
	}
	if r.Environment.Command == "" || r.Environment.Commit == "" {
		t.Errorf("environment %+v", r.Environment)
	}
}

func TestBenchMeasuresEveryCollectiveInProcessesAndInOne(t *testing.T) {
	r := measured(t, append([]string{"coll", "-c", "--local", "--transport", "shm"}, append(short["coll"], "-n", "2,3")...)...)
	for _, test := range results.Collectives {
		for _, transport := range []string{"shm", "local"} {
			for _, ranks := range []int{2, 3} {
				if !slices.ContainsFunc(r.Series, func(s *results.Series) bool {
					return s.Test == test && s.Transport == transport && s.Ranks == ranks && len(s.Values()) == 2 && len(s.Also["calls"]) == 2 && s.Also["calls"][0] == 3
				}) {
					t.Errorf("no %s on %d ranks over %s", test, ranks, transport)
				}
			}
		}
	}
}

func TestBenchOfAnAlgorithmByName(t *testing.T) {
	measured(t, append([]string{"coll", "allreduce", "--using", "ring"}, short["coll"]...)...)
	_, stderr, code := muster(t, append([]string{"bench", "coll", "allreduce", "--using", "teleport"}, short["coll"]...)...)
	if code == 0 || !strings.Contains(stderr, "teleport") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
}

func TestBenchOfCollectivesAgainstPeers(t *testing.T) {
	peersHere(t)
	r := measured(t, append([]string{"coll", "-c", "--against", "openmpi,mpich"}, short["coll"]...)...)
	for _, test := range results.Collectives {
		for _, name := range peer.Names() {
			if !has(r, results.Peer, name, "shm", test, 1) {
				t.Errorf("no %s of %s", test, name)
			}
		}
	}
	for _, row := range r.Rows() {
		if len(row.Comparisons) < 3 {
			t.Errorf("%+v has comparisons %+v", row.Key, row.Comparisons)
		}
	}
}

func TestBenchOfPairsAndLargeMessages(t *testing.T) {
	measured(t, append([]string{"p2p", "latency", "bw", "-c", "-n", "6", "--transport", "unix"}, append(short["p2p"], "-m", "0:8MiB", "-W", "2", "-i", "1")...)...)
}

func TestBenchAgainstPeers(t *testing.T) {
	peersHere(t)
	r := measured(t, append([]string{"p2p", "-c", "--against", "openmpi,mpich", "--transport", "unix,tcp", "--limits=false"}, append(short["p2p"], "--rounds", "2")...)...)
	for _, test := range p2pTests {
		for _, name := range peer.Names() {
			for _, wire := range []string{"shm", "tcp"} {
				if !has(r, results.Peer, name, wire, test.name, 2) {
					t.Errorf("no %s of %s over %s", test.name, name, wire)
				}
			}
		}
	}
	for _, row := range r.Rows() {
		if len(row.Comparisons) < 3 {
			t.Errorf("%+v has comparisons %+v", row.Key, row.Comparisons)
		}
	}
	startup := measured(t, append([]string{"startup", "--against", "openmpi,mpich"}, short["startup"]...)...)
	for _, test := range []string{"startup", "memory"} {
		for _, name := range peer.Names() {
			if !has(startup, results.Peer, name, "shm", test, 1) {
				t.Errorf("no %s of %s", test, name)
			}
		}
	}
}

// The commands of bench/README.md run, in short form.
func TestCommandsOfTheBenchReadmeRun(t *testing.T) {
	if testing.Short() {
		t.Skip("runs for half a minute")
	}
	readme, err := os.ReadFile("../../bench/README.md")
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for line := range strings.Lines(string(readme)) {
		words := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "go run ./cmd/"))
		if !strings.HasPrefix(line, "muster bench ") && !strings.HasPrefix(line, "go run ./cmd/muster bench ") || short[words[2]] == nil {
			continue
		}
		ran++
		t.Run(strings.Join(words[2:], " "), func(t *testing.T) {
			args := slices.Clone(words[1:])
			for i, a := range args {
				switch a {
				case "--against":
					peersHere(t)
				case "--json", "--csv":
					args[i+1] = filepath.Join(t.TempDir(), args[i+1])
				}
			}
			if stdout, stderr, code := muster(t, append(args, short[args[1]]...)...); code != 0 || !strings.Contains(stdout, "# Muster ") {
				t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
			}
		})
	}
	if ran < 4 {
		t.Errorf("only %d commands found", ran)
	}
}
