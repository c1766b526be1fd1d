package place

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/muster-mpi/muster/internal/hostfile"
)

// hosts reads lines of a host file, with commas between.
func hosts(t *testing.T, text string, topology *Topology) []Host {
	t.Helper()
	list, err := hostfile.Parse(strings.NewReader(strings.ReplaceAll(text, ", ", "\n")), "hosts")
	if err != nil {
		t.Fatal(err)
	}
	var all []Host
	for _, h := range list {
		all = append(all, Host{h, topology})
	}
	return all
}

// show lists the ranks of each host, with the CPUs that they are bound to.
func show(hosts []Host, places []Place) string {
	var parts []string
	for i, h := range hosts {
		part := h.Name
		for rank, p := range places {
			if p.Host != i {
				continue
			}
			part += fmt.Sprintf(" %d", rank)
			if p.CPUs != nil {
				part += strings.ReplaceAll(fmt.Sprint(p.CPUs), " ", ",")
			}
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, "; ")
}

func TestRanksArePlaced(t *testing.T) {
	// Those without a remark are what Open MPI 4.1.4 does.
	for _, test := range []struct {
		hosts   string
		options Options
		want    string
	}{
		{"aa slots=4, bb slots=4, cc slots=4", Options{Ranks: 6}, "aa 0 1 2 3; bb 4 5; cc"},
		{"aa slots=4, bb slots=4, cc slots=4", Options{Ranks: 6, MapBy: "node"}, "aa 0 3; bb 1 4; cc 2 5"},
		{"aa slots=2, bb slots=2, cc slots=2", Options{}, "aa 0 1; bb 2 3; cc 4 5"},
		{"aa, aa, bb, aa", Options{}, "aa 0 1 2; bb 3"},
		{"aa slots=2, bb slots=2", Options{Ranks: 5, Oversubscribe: true}, "aa 0 1 2; bb 3 4"},
		{"aa slots=1, bb slots=3", Options{Ranks: 4, MapBy: "node"}, "aa 0; bb 1 2 3"},
		{"aa slots=3, bb slots=2", Options{Ranks: 4, MapBy: "node", RankBy: "slot"}, "aa 0 1; bb 2 3"},
		{"aa slots=3, bb slots=2", Options{RankBy: "node"}, "aa 0 2 4; bb 1 3"},
		{"aa slots=1, bb slots=5, cc slots=2", Options{Ranks: 14, Oversubscribe: true}, "aa 0 1 2; bb 3 4 5 6 7 8 9; cc 10 11 12 13"},
		{"aa slots=1, bb slots=5, cc slots=2", Options{Ranks: 14, Oversubscribe: true, MapBy: "node"}, "aa 0 3 6 9 12; bb 1 4 7 10 13; cc 2 5 8 11"},
		{"aa slots=1, bb slots=5, cc slots=2", Options{Oversubscribe: true, MapBy: "ppr:2:node"}, "aa 0 1; bb 2 3; cc 4 5"},
		{"aa slots=4, bb slots=4", Options{PerHost: 2}, "aa 0 1; bb 2 3"},
		{"aa slots=4, bb slots=4", Options{PerHost: 2, Ranks: 3}, "aa 0 1; bb 2"},
		// Its manual has this too, though it does not do it.
		{"aa, bb", Options{PerHost: 2}, "aa 0 1; bb 2 3"},
		{"aa slots=4 max_slots=4, bb max_slots=4, cc slots=4", Options{Ranks: 14, Oversubscribe: true}, "aa 0 1 2 3; bb 4 5 6 7; cc 8 9 10 11 12 13"},
		// It would put a fourth rank on bb.
		{"aa slots=1, bb slots=3 max_slots=3, cc slots=2", Options{Ranks: 10, Oversubscribe: true}, "aa 0 1 2; bb 3 4 5; cc 6 7 8 9"},
		{"aa slots=1, bb slots=3 max_slots=3, cc slots=2", Options{Ranks: 10, Oversubscribe: true, MapBy: "node"}, "aa 0 3 6 9; bb 1 4 7; cc 2 5 8"},
		{"aa slots=4, bb slots=4", Options{PerHost: 2, MapBy: "node"}, "aa 0 2; bb 1 3"},
		{"aa slots=1", Options{Ranks: 3, Oversubscribe: true, MapBy: "core"}, "aa 0 1 2"},
		{"aa slots=3, bb slots=1", Options{MapBy: "slot", BindTo: "none", Ranks: 2}, "aa 0 1; bb"},
	} {
		all := hosts(t, test.hosts, nil)
		places, err := Ranks(all, test.options)
		if got := show(all, places); err != nil || got != test.want {
			t.Errorf("%s, %+v\n got: %s %v\nwant: %s", test.hosts, test.options, got, err, test.want)
		}
	}
}

func TestRankfilesPlaceRanks(t *testing.T) {
	two := twoSockets()
	for _, test := range []struct {
		hosts    string
		topology *Topology
		file     string
		options  Options
		want     string
	}{
		{"aa, bb, cc, dd", two, "rank 0=aa slot=1:0-1; rank 1=bb slot=0:0,1; rank 2=cc slot=1-2", Options{},
			"aa 0[2,3,6,7]; bb 1[0,1,4,5]; cc 2[1,2]; dd"},
		{"aa, bb, cc, dd", nil, "rank 0=+n3 slot=9; rank 1=+n1; rank 2=aa slot=1-2", Options{}, "aa 2[1,2]; bb 1; cc; dd 0[9]"},
		{"aa slots=2, bb slots=2", nil, "rank 2=aa slot=1", Options{Ranks: 4}, "aa 0 2[1]; bb 1 3"},
		{"aa slots=2, bb slots=2", nil, "rank 3=aa", Options{Ranks: 4, MapBy: "node"}, "aa 0 3; bb 1 2"},
		{"aa slots=2, bb slots=2", nil, "rank 1=bb slot=1; rank 3=bb slot=1", Options{}, "aa 0 2; bb 1[1] 3[1]"},
		{"aa slots=1, bb slots=1", nil, "rank 0=bb; rank 1=bb; rank 2=bb", Options{Oversubscribe: true, Ranks: 4}, "aa 3; bb 0 1 2"},
		{"u@aa, aa port=2", nil, "rank 0=+n1; rank 1=u@+n0", Options{}, `ranks:2:10: "+n0": expected a host: letters, digits, '.', '_' and '-', not beginning with '-'`},
		{"aa slots=8", two, "rank 0=aa slot=1:0; rank 1=aa slot=0:*; rank 2=aa slot=7,0", Options{Ranks: 4, BindTo: "core"},
			"aa 0[2,6] 1[0,1,4,5] 2[0,7] 3[0,1,2,3,4,5,6,7]"},

		{"aa, bb", nil, "rank 0=aa; rank 2=bb", Options{}, "3 ranks on 2 slots (aa,bb: 1 each): expected fewer ranks, more slots as in aa:2, or --oversubscribe"},
		{"aa, bb", nil, "rank 0=aa; rank 2=bb", Options{Ranks: 2}, `ranks:2:8: "bb": rank 2, and the job has 2 ranks`},
		{"aa, bb", nil, "rank 0=aa; rank 1=aa", Options{}, `ranks:2:8: "aa": rank 1 is one more than the 1 slot of the host`},
		{"aa max_slots=2, bb", nil, "rank 0=aa; rank 1=aa; rank 2=aa", Options{Oversubscribe: true}, `ranks:3:8: "aa": rank 2 is one more than the 2 slots of the host`},
		{"aa, bb", nil, "rank 0=cc", Options{}, `ranks:1:8: "cc": expected a host of the job: aa,bb`},
		{"n[1-30]", nil, "rank 0=+n30", Options{}, `ranks:1:8: "+n30": the job has 30 hosts, counted from 0`},
		{"n[1-30]", nil, "rank 0=n31", Options{}, `ranks:1:8: "n31": expected a host of the job: n[1-30]`},
		{"aa, aa port=2", nil, "rank 0=aa", Options{}, `ranks:1:8: "aa": two hosts of the job have this name: expected +n0 or +n1`},
		{"u@aa", nil, "rank 0=v@aa", Options{}, `ranks:1:8: "aa": user v here, and "u" where the job's hosts are named`},
		{"aa", nil, "rank 0=aa slot=1:0", Options{}, `ranks:1:8: "aa": the host's sockets are not known before the job starts there: expected the system's numbers of CPUs, as in slot=4,6-7`},
		{"aa", two, "rank 0=aa slot=2:0", Options{}, `ranks:1:8: "aa": there is no socket 2 on the host, or it may not be used`},
		{"aa", two, "rank 0=aa slot=1:1-2", Options{}, `ranks:1:8: "aa": core 2 of socket 1, which has 2 cores, counted from 0`},
		{"aa", two, "rank 0=aa slot=7-8", Options{}, `ranks:1:8: "aa": there is no CPU 8 on the host, or it may not be used`},
	} {
		all := hosts(t, test.hosts, test.topology)
		f, err := hostfile.ParseRankfile(strings.NewReader(strings.ReplaceAll(test.file, "; ", "\n")), "ranks")
		test.options.Rankfile = f
		var places []Place
		if err == nil {
			places, err = Ranks(all, test.options)
		}
		got := show(all, places)
		if err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%s, %s, %+v\n got: %s\nwant: %s", test.hosts, test.file, test.options, got, test.want)
		}
	}
}

func TestWhatCannotBePlacedIsExplained(t *testing.T) {
	for _, test := range []struct {
		hosts   string
		options Options
		want    string
	}{
		{"aa slots=2, bb slots=2", Options{Ranks: 5}, "5 ranks on 4 slots (aa,bb: 2 each): expected fewer ranks, more slots as in aa:3, or --oversubscribe"},
		{"n[1-3] slots=2, x, [::1]:4", Options{Ranks: 50}, "50 ranks on 11 slots (n[1-3]: 2 each, x: 1, ::1: 4): expected fewer ranks, more slots as in x:10, or --oversubscribe"},
		{"[::1]:4", Options{Ranks: 5, MapBy: "node"}, "5 ranks on 4 slots (::1: 4): expected fewer ranks, more slots as in [::1]:5, or --oversubscribe"},
		{"aa, bb max_slots=2", Options{Ranks: 5, PerHost: 2}, "5 ranks, and 2 each on 2 hosts makes 4: expected no more"},
		{"aa, bb max_slots=2", Options{Ranks: 5, MapBy: "ppr:2:node", Oversubscribe: true}, "5 ranks, and ppr:2:node on 2 hosts makes 4: expected no more"},
		{"aa slots=1, bb", Options{PerHost: 2}, "2 ranks on host aa, which has 1 slot: expected fewer ranks, more slots as in aa:2, or --oversubscribe"},
		{"aa max_slots=1, bb", Options{PerHost: 2, Oversubscribe: true}, "2 ranks on host aa, which has 1 slot: expected no more than max_slots"},
		{"aa max_slots=1, bb max_slots=2", Options{Ranks: 4, Oversubscribe: true}, "4 ranks on 3 slots (aa: 1, bb: 2): expected no more than max_slots"},
		{"n[1-60000] slots=2", Options{}, "120000 ranks: expected 65536 at most"},
		{"aa", Options{MapBy: "board"}, `mapping by "board": expected slot, node, core, hwthread, socket, numa, l3cache, or ppr:N:UNIT with node or one of the last three`},
		{"aa", Options{MapBy: "ppr:0:node"}, `mapping by "ppr:0:node": expected slot, node, core, hwthread, socket, numa, l3cache, or ppr:N:UNIT with node or one of the last three`},
		{"aa", Options{MapBy: "ppr:2"}, `mapping by "ppr:2": expected slot, node, core, hwthread, socket, numa, l3cache, or ppr:N:UNIT with node or one of the last three`},
		{"aa", Options{MapBy: "ppr:2:node", PerHost: 3}, "mapping by ppr:2:node and 3 ranks a host at once: expected one of them"},
		{"aa", Options{MapBy: "socket"}, "mapping by socket: the topology of host aa is not known before the job starts there"},
		{"aa", Options{MapBy: "ppr:1:numa"}, "mapping by numa: the topology of host aa is not known before the job starts there"},
		{"aa", Options{BindTo: "hwthread"}, "binding to hwthread: the topology of host aa is not known before the job starts there"},
		{"aa", Options{BindTo: "board"}, `binding to "board": expected none, core, hwthread, socket, numa or l3cache`},
		{"aa", Options{RankBy: "socket"}, `ranking by "socket": expected slot or node`},
	} {
		_, err := Ranks(hosts(t, test.hosts, nil), test.options)
		if err == nil || err.Error() != test.want {
			t.Errorf("%s, %+v\n got: %v\nwant: %s", test.hosts, test.options, err, test.want)
		}
	}
	if _, err := Ranks(nil, Options{Ranks: 1}); err == nil || err.Error() != "there is no host" {
		t.Errorf("no hosts: %v", err)
	}
}

// plainRanks is what Ranks does without rank files and topologies: it looks for the
// host of one rank at a time. It returns nil where there is none.
func plainRanks(hosts []Host, o Options) []int {
	goal, most := make([]int, len(hosts)), make([]int, len(hosts))
	for i, h := range hosts {
		goal[i], most[i] = h.Slots, h.Slots
		if o.PerHost > 0 {
			goal[i] = o.PerHost
			if !h.Counted {
				most[i] = o.PerHost
			}
		}
		switch {
		case o.Oversubscribe && h.Max > 0:
			most[i] = h.Max
		case o.Oversubscribe:
			most[i] = 1 << 30
		}
	}
	n := o.Ranks
	if n == 0 {
		n = sum(goal)
	}
	over := n > sum(goal)
	if over && o.PerHost > 0 {
		return nil
	}
	used := make([]int, len(hosts))
	for range n {
		best, least := -1, 0
		for i := range hosts {
			full := used[i] >= goal[i] && (!over || used[i] >= most[i])
			rank := used[i] // the emptiest host, by node
			if o.MapBy != "node" {
				rank = max(used[i]-goal[i]+1, 0) // the first with a slot left, or the least overloaded
			} else if over {
				full = used[i] >= most[i]
			}
			if !full && (best < 0 || rank < least) {
				best, least = i, rank
			}
		}
		if best < 0 {
			return nil
		}
		used[best]++
	}
	for i := range hosts {
		if used[i] > most[i] {
			return nil
		}
	}
	byNode := o.RankBy == "node" || o.RankBy == "" && o.MapBy == "node"
	var order []int
	for sum(used) > 0 {
		for i := range hosts {
			for used[i] > 0 {
				used[i]--
				order = append(order, i)
				if byNode {
					break
				}
			}
		}
	}
	return order
}

func TestPlacesAreThoseOfThePlainTwin(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 3))
	pick := func(of ...string) string { return of[random.IntN(len(of))] }
	placed := 0
	for trial := range 20000 {
		var all []Host
		for i := range 1 + random.IntN(5) {
			h := Host{Host: hostfile.Host{Name: fmt.Sprint("n", i), Slots: 1}}
			if random.IntN(2) == 0 {
				h.Slots, h.Counted = 1+random.IntN(4), true
			}
			if random.IntN(3) == 0 {
				h.Max, h.Counted = h.Slots+random.IntN(3), true
			}
			all = append(all, h)
		}
		o := Options{
			Ranks: random.IntN(20), MapBy: pick("", "slot", "node"), RankBy: pick("", "slot", "node"), Oversubscribe: random.IntN(2) == 0,
		}
		if random.IntN(3) == 0 {
			o.PerHost = 1 + random.IntN(4)
		}
		want := plainRanks(all, o)
		places, err := Ranks(all, o)
		var got []int
		local := make([]int, len(all))
		for rank, p := range places {
			got = append(got, p.Host)
			if p.Slot != local[p.Host] {
				t.Fatalf("trial %d: rank %d has slot %d of host %d, want %d", trial, rank, p.Slot, p.Host, local[p.Host])
			}
			local[p.Host]++
		}
		if (err == nil) != (want != nil) || err == nil && !slices.Equal(got, want) {
			t.Fatalf("trial %d: %+v, %+v\n got: %v %v\nwant: %v", trial, all, o, got, err, want)
		}
		if err == nil {
			placed++
		}
	}
	if placed < 5000 {
		t.Errorf("only %d of the trials placed ranks", placed)
	}
}

func TestManyRanksAndHosts(t *testing.T) {
	var all []Host
	for i := range 5000 {
		all = append(all, Host{Host: hostfile.Host{Name: fmt.Sprint("n", i), Slots: 1 + i%13, Counted: true}})
	}
	all[7].Slots = 30000
	for _, by := range []string{"slot", "node"} {
		for _, rank := range []string{"slot", "node"} {
			places, err := Ranks(all, Options{MapBy: by, RankBy: rank, Ranks: 64321})
			if err != nil {
				t.Fatal(err)
			}
			used := make([]int, len(all))
			for r, p := range places {
				used[p.Host]++
				if rank == "slot" && r > 0 && p.Host < places[r-1].Host {
					t.Fatalf("rank %d is on a host before that of rank %d", r, r-1)
				}
			}
			for i, n := range used {
				if n > all[i].Slots {
					t.Fatalf("%d ranks on host %d, which has %d slots", n, i, all[i].Slots)
				}
			}
			if len(places) != 64321 {
				t.Fatalf("%d places", len(places))
			}
		}
	}
}

func TestPlacesDependOnNothingElse(t *testing.T) {
	all := hosts(t, "aa slots=3, bb slots=2, cc", twoSockets())
	o := Options{BindTo: "core", MapBy: "socket"}
	first, err := Ranks(all, o)
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if again, err := Ranks(all, o); err != nil || !reflect.DeepEqual(again, first) {
			t.Fatalf("%v, then %v %v", first, again, err)
		}
	}
}
