package contest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/muster-mpi/muster/bench/results"
)

func TestContestantsTakeTurns(t *testing.T) {
	var ran []string
	value := 0
	contestant := func(name string) Contestant {
		return Contestant{Kind: results.Peer, Name: name, Run: func(_ context.Context, test Test) (string, error) {
			ran = append(ran, name+test.Name)
			value++
			return fmt.Sprintf("noise\nsample test=%s size=8 messages=1000 ns=%d000000\n", test.Name, value), nil
		}}
	}
	picky := contestant("C")
	picky.Takes = func(t Test) bool { return t.Name == "rate" }
	series, err := Run(t.Context(), 2, []Test{{Name: "latency", Ranks: 2}, {Name: "rate", Ranks: 4}},
		[]Contestant{contestant("A"), contestant("B"), picky}, func(string, int, string) {})
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Fields("Alatency Blatency Alatency Blatency Arate Brate Crate Arate Brate Crate"); !slices.Equal(ran, want) {
		t.Errorf("ran %v, want %v", ran, want)
	}
	if len(series) != 5 || series[0].Name != "A" || series[0].Ranks != 2 || len(series[0].Rounds) != 2 || series[0].Rounds[1][0] != 3 {
		t.Errorf("got %+v", series[0])
	}
}

func TestFailureNamesWhoRoundAndTest(t *testing.T) {
	failing := Contestant{Name: "mpich", Transport: "tcp", Run: func(context.Context, Test) (string, error) { return "", errors.New("exit status 1\nno route") }}
	_, err := Run(t.Context(), 2, []Test{{Name: "bw"}}, []Contestant{failing}, func(string, int, string) {})
	if err == nil || err.Error() != "mpich over tcp, round 1 of bw: exit status 1\nno route" {
		t.Errorf("got %v", err)
	}
}

func TestFailureKeepsWhatWasMeasured(t *testing.T) {
	runs := 0
	series, err := Run(t.Context(), 3, []Test{{Name: "latency"}}, []Contestant{{Name: "a", Run: func(context.Context, Test) (string, error) {
		if runs++; runs == 3 {
			return "", errors.New("no more")
		}
		return "sample test=latency size=8 messages=1000 ns=1000000", nil
	}}}, func(string, int, string) {})
	if err == nil || len(series) != 1 || len(series[0].Rounds) != 2 {
		t.Errorf("got %+v, %v", series, err)
	}
}

func TestEndOfTheContextEndsTheContest(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	cancel(cause)
	if _, err := Run(ctx, 1, []Test{{Name: "bw"}}, []Contestant{{Name: "a"}}, func(string, int, string) {}); !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
}
