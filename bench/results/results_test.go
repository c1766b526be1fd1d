package results

import (
	"bytes"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestSamplesAreReadAsWhatTheyMeasure(t *testing.T) {
	for _, test := range []struct {
		line string
		want float64
		also string // name=value
	}{
		{"sample test=latency size=8 rep=0 messages=2000 ns=1000000 window=64 allocs=4000", 0.5, "allocs=2"},
		{"sample test=bw size=1000 rep=0 messages=64 ns=64000", 1000, ""},
		{"sample test=bibw size=1000 rep=0 messages=128 ns=64000", 2000, ""},
		{"sample test=rate size=64 rep=0 messages=5000 ns=1000000", 5, ""},
		{"sample test=overlap size=4 rep=0 messages=2 ns=56000 transfer=10000 compute=50000 complete=3 of=4", 56. / 60, "excess=0.6"},
		{"sample test=overlap size=4 rep=0 messages=2 ns=56000 transfer=10000 compute=50000 complete=3 of=4", 56. / 60, "incomplete=25"},
		{"sample test=overlap size=4 rep=0 messages=2 ns=56000 transfer=10000 compute=50000 complete=3 of=4", 56. / 60, "overlap=40"},
		{"sample test=scan size=8 rep=0 calls=1000 ns=5000000 min=3000000 avg=4000000 allocs=2000", 5, "allocs=2"},
		{"sample test=scan size=8 rep=0 calls=1000 ns=5000000 min=3000000 avg=4000000", 5, "min=3"},
		{"sample test=scan size=8 rep=0 calls=1000 ns=5000000 min=3000000 avg=4000000", 5, "avg=4"},
		{"sample test=barrier size=0 rep=0 calls=1000 ns=5000000 min=3000000 avg=4000000", 5, "calls=1000"},
		{"sample test=startup size=0 rep=0 ns=1500000000", 1.5, ""},
		{"sample test=memory size=0 rep=0 ranks=4 bytes=8388608", 2, ""},
	} {
		p, ok, err := parseSample(test.line)
		if !ok || err != nil || math.Abs(p.value-test.want) > 1e-9 {
			t.Errorf("%s: got %v, %v, %v, want %v", test.line, p.value, ok, err, test.want)
		}
		if name, text, has := strings.Cut(test.also, "="); has && fmt.Sprintf("%.6g", p.also[name]) != text {
			t.Errorf("%s: %s is %v, want %s", test.line, name, p.also[name], text)
		}
	}
	for _, line := range []string{
		"sample test=latency size=8 messages=x ns=1", "sample test=dance size=8 messages=1 ns=1", "sample", "sample test=latency",
		"sample test=latency size=8 messages=0 ns=1", "sample test=bw size=8 messages=1 ns=0", "sample test=latency size=8 messages=1 ns=NaN",
	} {
		if p, ok, err := parseSample(line); !ok || err == nil {
			t.Errorf("%s: taken for %v", line, p.value)
		}
	}
	if _, ok, err := parseSample("[mpiexec] hello"); ok || err != nil {
		t.Errorf("a line of something else: %v, %v", ok, err)
	}
}

func TestOutputWithoutSamplesIsAnError(t *testing.T) {
	var c Collection
	if err := c.AddOutput(Key{Test: "bw"}, 0, "usage: …\n"); err == nil {
		t.Error("taken")
	}
	if err := c.AddOutput(Key{Test: "bw"}, 0, "sample test=rate size=8 messages=1 ns=1\n"); err == nil {
		t.Error("samples of another test taken")
	}
}

// sample is a report with everything in it: five rounds, in which ours is so
// many times the peers.
func sample() *Report {
	var c Collection
	add := func(kind Kind, name, transport, test string, size int, base float64) {
		for round := range 5 {
			for rep := range 3 {
				var also map[string]float64
				if kind == Ours {
					also = map[string]float64{"allocs": 0.5}
					if test == "overlap" {
						also = map[string]float64{"compute": 50000, "transfer": 300, "overlap": 60, "excess": 0.4, "incomplete": 0}
					}
				}
				c.Add(Key{kind, name, transport, test, 2, size}, round, base*(1+0.01*float64(round)+0.001*float64(rep)), also)
			}
		}
	}
	add(Ours, "muster", "shm", "latency", 8, 0.1)
	add(Peer, "openmpi", "shm", "latency", 8, 0.2)
	add(Peer, "mpich", "shm", "latency", 8, 0.25)
	add(Ours, "muster", "shm", "latency", 4096, 1)
	add(Peer, "openmpi", "shm", "latency", 4096, 1.01)
	add(Peer, "mpich", "shm", "latency", 4096, 1.02)
	add(Ours, "muster", "tcp", "latency", 8, 40)
	add(Peer, "openmpi", "tcp", "latency", 8, 10)
	add(Limit, "tcp-poll", "", "latency", 8, 10)
	add(Limit, "memcpy", "", "latency", 4096, 0.05)
	add(Ours, "muster", "shm", "overlap", 4<<20, 1.001)
	return &Report{
		Environment: Environment{Machine: "a processor", Cores: 2, Go: "go1.26", Command: "muster bench p2p", Start: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Peers: []string{"openmpi: 4"}},
		Series:      c.Series(),
		Notes:       []string{"a note"},
	}
}

func TestTablesShowRatiosIntervalsAndVerdicts(t *testing.T) {
	var b strings.Builder
	if err := sample().WriteTables(&b, false); err != nil {
		t.Fatal(err)
	}
	want := `# Muster latency, shm, 2 ranks
# Size      Latency (us)  openmpi  /openmpi        95% CI  mpich  /mpich        95% CI  /better        95% CI                  Goal
8                  0.102    0.204     0.50x  [0.49, 0.51]  0.255   0.40x  [0.39, 0.41]    0.50x  [0.49, 0.51]   <=0.90x better: met
4096                1.02     1.03     0.99x  [0.96, 1.02]   1.04   0.98x  [0.95, 1.01]    0.99x  [0.96, 1.02]  <=0.90x better: lost

# Muster latency, tcp, 2 ranks
# Size      Latency (us)  openmpi  /openmpi        95% CI  /better        95% CI                              Goal
8                  40.84    10.21     4.00x  [3.88, 4.12]    4.00x  [3.88, 4.12]  <=3.00x tcp-poll, is 4.00x: lost

# Limits of latency (us)
# Size      tcp-poll  memcpy
8              10.21       -
4096               -   0.051

# Muster total/(compute+transfer), shm, 2 ranks
# Size      Total/(compute+transfer)  Compute (us)  Transfer (us)  Overlap (%)  Excess  Incomplete (%)                                          Goal
4194304                        1.022         50000            300           60     0.4               0  excess <=1.15: open; incomplete <=1.00: open

`
	if got := b.String(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	b.Reset()
	if err := sample().WriteTables(&b, true); err != nil {
		t.Fatal(err)
	}
	if _, text, _ := strings.Cut(b.String(), "\n"); strings.Join(strings.Fields(text)[:12], " ") != "# Size Latency (us) Min p25 p50 p75 p90 p99 Max Allocs" {
		t.Errorf("no percentiles in:\n%s", b.String())
	}
}

// What is slower than it should be, and what was not measured as asked, is said
// again below the tables.
func TestCollectivesHaveTheColumnsOfOSUAndLostCellsShow(t *testing.T) {
	var c Collection
	add := func(kind Kind, name, transport, test string, size int, base float64) {
		for round := range 5 {
			c.Add(Key{kind, name, transport, test, 8, size}, round, base*(1+0.01*float64(round)), map[string]float64{"min": base / 2, "avg": base * 0.75, "calls": 1000})
		}
	}
	add(Ours, "muster", "shm", "allreduce", 8, 10)
	add(Peer, "openmpi", "shm", "allreduce", 8, 20)
	add(Peer, "mpich", "shm", "allreduce", 8, 40000)
	add(Ours, "muster", "shm", "allreduce", 4096, 30)
	add(Peer, "openmpi", "shm", "allreduce", 4096, 20)
	add(Ours, "muster", "shm", "barrier", 0, 14)
	add(Peer, "openmpi", "shm", "barrier", 0, 20)
	r := &Report{Series: c.Series(), Notes: []string{"mpich was slow"}}
	var b strings.Builder
	if err := r.WriteTables(&b, false); err != nil {
		t.Fatal(err)
	}
	if err := r.WriteSummary(&b); err != nil {
		t.Fatal(err)
	}
	want := `# Muster allreduce, shm, 8 ranks
# Size      Avg Latency (us)  Min Latency (us)  Max Latency (us)  Iterations  openmpi  /openmpi        95% CI     mpich    /mpich                95% CI  /better        95% CI                  Goal
8                       7.50              5.00             10.20        1000    20.40     0.50x  [0.49, 0.51]  40800.00  0.00025x  [0.000243, 0.000257]    0.50x  [0.49, 0.51]   <=0.60x better: met
4096                   22.50             15.00             30.60        1000    20.40     1.50x  [1.46, 1.54]         -         -                     -    1.50x  [1.46, 1.54]  <=1.00x better: lost

# Muster barrier, shm, 8 ranks
# Size      Avg Latency (us)  Min Latency (us)  Max Latency (us)  Iterations  openmpi  /openmpi        95% CI  /better        95% CI                  Goal
0                      10.50              7.00             14.28        1000    20.40     0.70x  [0.68, 0.72]    0.70x  [0.68, 0.72]  <=0.60x better: lost

# Goals: 1 met, 0 open, 2 lost
# Lost: allreduce, shm, 8 ranks, 4096 bytes: 1.50x [1.46, 1.54] of openmpi, wanted <=1.00x
# Lost: barrier, shm, 8 ranks: 0.70x [0.68, 0.72] of openmpi, wanted <=0.60x
# Note: mpich was slow
`
	if got := b.String(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	b.Reset()
	if (&Report{}).WriteSummary(&b); b.Len() > 0 {
		t.Errorf("of nothing: %q", b.String())
	}
}

func TestVerdictNeedsTheWholeInterval(t *testing.T) {
	for _, test := range []struct {
		lower            bool
		low, high, bound float64
		known            bool
		want             Verdict
	}{
		{true, 0.5, 0.9, 0.9, true, Met},
		{true, 0.5, 0.91, 0.9, true, Open},
		{true, 0.9, 1.2, 0.9, true, Open},
		{true, 0.91, 1.2, 0.9, true, Lost},
		{false, 1.3, 2, 1.3, true, Met},
		{false, 1.2, 2, 1.3, true, Open},
		{false, 1.1, 1.29, 1.3, true, Lost},
		{true, 0.5, 0.6, 0.9, false, Open},
	} {
		if got := judge(test.lower, test.low, test.high, test.bound, test.known); got != test.want {
			t.Errorf("%+v: got %s", test, got)
		}
	}
}

func TestTheBetterPeerIsTheOneThatIsHarderToBeat(t *testing.T) {
	for test, want := range map[string]string{"latency": "fast", "bw": "slow"} { // least latency, most bandwidth
		var c Collection
		for round := range 4 {
			c.Add(Key{Ours, "muster", "unix", test, 2, 8}, round, 5, nil)
			c.Add(Key{Peer, "fast", "shm", test, 2, 8}, round, 1, nil)
			c.Add(Key{Peer, "slow", "shm", test, 2, 8}, round, 2, nil)
			c.Add(Key{Peer, "elsewhere", "tcp", test, 2, 8}, round, 1.5, nil)
		}
		row := (&Report{Series: c.Series()}).Rows()[0]
		if better := row.find(Better); better == nil || better.Who != want || len(row.Peers) != 2 {
			t.Errorf("%s: %+v, want %s", test, row.Comparisons, want)
		}
	}
}

func TestEveryGoalIsOfATestWithAUnit(t *testing.T) {
	for _, g := range Goals {
		if Unit(g.Test) == "" || g.Bound <= 0 || g.Low > g.High || g.Ranks == 0 || g.Against == "" {
			t.Errorf("%+v", g)
		}
	}
}

func TestJSONIsReadBackAsItWas(t *testing.T) {
	var b bytes.Buffer
	want := sample()
	if err := want.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"schema": "muster-bench/1"`, `"against": "better"`, `"who": "openmpi"`, `"verdict": "lost"`} {
		if !strings.Contains(b.String(), part) {
			t.Errorf("no %s", part)
		}
	}
	got, err := ReadJSON(&b)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
	if _, err := ReadJSON(strings.NewReader(`{"schema": "muster-bench/0"}`)); err == nil {
		t.Error("another schema is read")
	}
}

func TestCSVIsReadBackAsItWas(t *testing.T) {
	var b bytes.Buffer
	r := sample()
	if err := r.WriteCSV(&b); err != nil {
		t.Fatal(err)
	}
	lines, err := ReadCSV(&b)
	if err != nil {
		t.Fatal(err)
	}
	want := 0
	for _, row := range r.Rows() {
		want += len(row.Comparisons)
	}
	for _, s := range r.Series {
		if s.Kind != Ours {
			want++
		}
	}
	if len(lines) != want {
		t.Fatalf("%d lines, want %d", len(lines), want)
	}
	for i, want := range map[int]map[string]string{
		0: {"kind": "muster", "transport": "shm", "size": "8", "unit": "us", "rounds": "5", "values": "15", "against": "openmpi", "goal": "", "verdict": "", "machine": "a processor", "start": "2026-01-02T03:04:05Z"},
		2: {"kind": "muster", "against": "better", "goal": "0.9", "verdict": "met"},
		3: {"kind": "peer", "name": "openmpi", "against": "", "ratio": ""},
	} {
		for column, value := range want {
			if lines[i][column] != value {
				t.Errorf("line %d: %s is %q, want %q", i, column, lines[i][column], value)
			}
		}
	}
}

func TestThisMachineIsDescribed(t *testing.T) {
	e := Here()
	if e.Cores < 1 || e.Go == "" || e.Start.IsZero() || e.OS == "linux" && (e.Kernel == "" || e.MemoryMB == 0) {
		t.Errorf("%+v", e)
	}
}
