package launcher

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestStragglersWaitMuchLessThanTheOthers(t *testing.T) {
	for _, c := range []struct {
		what   string
		waited []int // percent of ten seconds
		want   []int // ranks
	}{
		{"nobody", nil, nil},
		{"one alone", []int{0}, nil},
		{"all alike", []int{40, 45, 50, 42}, nil},
		{"one of two", []int{80, 10}, []int{1}},
		{"one of four", []int{90, 91, 4, 92}, []int{2}},
		{"one of two hosts", []int{70, 5, 72, 6}, []int{1, 3}},
		{"a master that waits", []int{95, 3, 4, 2, 5}, nil},
		{"a master that is waited for", []int{1, 93, 94, 92}, []int{0}},
		{"all compute", []int{0, 0, 0}, nil},
	} {
		var all []RankResult
		for _, percent := range c.waited {
			all = append(all, RankResult{InJob: 10 * time.Second, Waited: time.Duration(percent) * 100 * time.Millisecond})
		}
		// They were in the job too briefly, or never, to say something.
		all = append(all, RankResult{InJob: 10 * time.Millisecond, Waited: 9 * time.Millisecond}, RankResult{})
		var got []int
		for _, s := range stragglers(all) {
			got = append(got, s.Rank)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.what, got, c.want)
		}
	}
}

// The median of the others is found without sorting them for each rank.
func TestStragglersAreThoseOfTheDefinition(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for n := 2; n < 40; n++ {
		var all []RankResult
		for range n {
			all = append(all, RankResult{InJob: 10 * time.Second, Waited: time.Duration(random.IntN(11)) * time.Second})
		}
		_, shares := waitShares(all)
		var want []Straggler
		for i, own := range shares {
			if others := median(slices.Concat(shares[:i], shares[i+1:])); others-own >= straggling {
				want = append(want, Straggler{Rank: i, WaitShare: own, OthersShare: others})
			}
		}
		if got := stragglers(all); !slices.Equal(got, want) {
			t.Errorf("%v: got %v, want %v", shares, got, want)
		}
	}
}

// Ranks that have nothing more to do wait for the others as well.
func TestWhoLeavesEarlyHasWaited(t *testing.T) {
	path, err := exchange()
	if err != nil {
		t.Fatal(err)
	}
	tr := newTrial(t, 4)
	tr.job.Apps[0].Argv = []string{"sh", "-c", `if [ $MUSTER_RANK = 1 ]; then set -- -last=1500ms; fi; exec "$0" -rounds=1 "$@"`, path}
	tr.run().expect(0)
	tr.assertStraggler(1)
}

func TestStragglersAreNamed(t *testing.T) {
	path, err := exchange()
	if err != nil {
		t.Fatal(err)
	}
	tr := newTrial(t, 4)
	tr.job.Apps[0].Argv = []string{"sh", "-c", `if [ $MUSTER_RANK = 2 ]; then set -- -pause=5ms; fi; exec "$0" -rounds=300 "$@"`, path}
	tr.job.Timing = true
	tr.run().expect(0, "muster:   rank 2 (host ", ") was waited for: it waited ", "% of its time, the others ")
	tr.assertStraggler(2)
}

// assertStraggler asserts that the report names one rank only that was waited for.
func (tr *trial) assertStraggler(rank int) {
	tr.t.Helper()
	data, err := os.ReadFile(tr.job.Report)
	var r Result
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil {
		tr.t.Fatal(err)
	}
	if s := r.Stragglers; len(s) != 1 || s[0].Rank != rank || s[0].OthersShare-s[0].WaitShare < straggling || s[0].Host == "" {
		tr.t.Errorf("stragglers %+v, want rank %d; ranks: %+v", s, rank, r.Ranks)
	}
}

// A report of where ranks are names the call that the program made, and not the messages by
// which it is carried out; and also the rank that has made none, which is who is waited for.
func TestWhereaboutsAreTheProgramsOwnCalls(t *testing.T) {
	path, err := exchange()
	if err != nil {
		t.Fatal(err)
	}
	for _, transport := range []string{"", "unix"} {
		tr := newTrial(t, 4)
		tr.job.Transport, tr.job.Timeout = transport, 5*time.Second
		tr.job.Apps[0].Argv = []string{"sh", "-c", `if [ $MUSTER_RANK = 2 ]; then set -- -first=1m; fi; exec "$0" -rounds=3 "$@"`, path}
		tr.run().expect(ExitTimeout, "rank 0 was in AllToAll on world", "rank 1 was in AllToAll on world",
			"rank 2 was in no call and had made none", "rank 3 was in AllToAll on world", "!Irecv", "!Isend")
	}
}

// The beginner's deadlock: a receive from one who has returned.
func TestWhoWaitsInVainIsNamed(t *testing.T) {
	path, err := exchange()
	if err != nil {
		t.Fatal(err)
	}
	for from, told := range map[string]string{"2": "rank 2 has come to its end", "-1": "every other rank has come to its end"} {
		tr := newTrial(t, 3)
		tr.job.Apps[0].Argv = []string{path, "-unmet=" + from}
		tr.start()
		tr.stderr.await(t, "muster stacks shows where they are", 1)
		tr.signals <- unix.SIGINT
		tr.wait().expect(130, "rank 1 is in Recv from ", told, "rank 1 was in Recv from ", "rank 0 was leaving")
		if n := strings.Count(tr.stderr.String(), "come to its end"); n != 1 {
			t.Errorf("it was said %d times, want once", n)
		}
	}
}
