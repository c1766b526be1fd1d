package collectives_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/rank"
	"github.com/muster-mpi/muster/rank/ranktest"
)

// record is a value that no fixed-size element holds.
type record struct {
	Name  string
	Parts map[string][]int
}

// recordOf is rank r's, of some n bytes.
func recordOf(r, n int) record {
	return record{strings.Repeat(fmt.Sprint(r%10), n), map[string][]int{"r": {r}, "n": make([]int, r)}}
}

func (a record) equal(b record) bool {
	return a.Name == b.Name && maps.EqualFunc(a.Parts, b.Parts, slices.Equal[[]int])
}

// objectSizes are lengths about where an encoding no longer fits a head.
var objectSizes = []int{0, 900, 1100, 200_000}

// TestObjectsArriveWhole moves records of every size by every call.
func TestObjectsArriveWhole(t *testing.T) {
	for _, over := range []string{"", "shm"} {
		for _, p := range []int{1, 2, 3, 5, 8} {
			ranktest.Run(t, p, func(t *testing.T, c *rank.Comm) {
				for _, n := range objectSizes {
					moveObjects(t, c, n)
				}
			}, rank.Over(over))
		}
	}
}

func moveObjects(t *testing.T, c *rank.Comm, n int) {
	me, p := c.Rank(), c.Size()
	root := n % p
	// Ranks have values of different lengths, and the root's is not the longest.
	of := func(r int) record { return recordOf(r, n*(1+(r+1)%p)) }
	check := func(what string, from int, got record, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s, rank %d of %d, root %d, %d bytes: %v", what, me, p, root, n, err)
		}
		if !got.equal(of(from)) {
			t.Fatalf("%s, rank %d of %d, root %d, %d bytes: got %.40v…, want %.40v…", what, me, p, root, n, got, of(from))
		}
	}
	got, err := collectives.BcastObject(t.Context(), c, root, of(me))
	check("BcastObject", root, got, err)

	all, err := collectives.AllGatherObject(t.Context(), c, of(me), collectives.With(rank.JSON))
	for r := range p {
		check("AllGatherObject", r, append(all, make([]record, p)...)[r], err)
	}
	all, err = collectives.GatherObject(t.Context(), c, root, of(me))
	if me != root && (all != nil || err != nil) {
		t.Fatalf("GatherObject, rank %d of %d, root %d: got %d values, %v, want none", me, p, root, len(all), err)
	}
	for r := range all {
		check("GatherObject", r, all[r], err)
	}

	var values []record
	if me == root {
		for r := range p {
			values = append(values, of(r))
		}
	}
	got, err = collectives.ScatterObject(t.Context(), c, root, values)
	check("ScatterObject", me, got, err)
}

// bracketed writes down how values are merged.
func bracketed(a, b string) string { return "(" + a + b + ")" }

func TestObjectsAreMergedInTheCanonicalBrackets(t *testing.T) {
	for p := 1; p <= 9; p++ {
		for _, n := range []int{1, 500, 3000} {
			var values []string
			for r := range p {
				values = append(values, strings.Repeat(string(rune('a'+r)), n))
			}
			want := canonical(values, bracketed)
			ranktest.Run(t, p, func(t *testing.T, c *rank.Comm) {
				v := values[c.Rank()]
				for root := range p {
					got, err := collectives.ReduceObject(t.Context(), c, root, v, bracketed)
					if c.Rank() != root && got == "" {
						got = want // nothing is to come
					}
					if err != nil || got != want {
						t.Fatalf("ReduceObject, rank %d of %d, root %d, %d bytes: got %.99q, %v, want %.99q", c.Rank(), p, root, n, got, err, want)
					}
				}
				got, err := collectives.AllReduceObject(t.Context(), c, v, bracketed)
				if err != nil || got != want {
					t.Fatalf("AllReduceObject, rank %d of %d, %d bytes: got %.99q, %v, want %.99q", c.Rank(), p, n, got, err, want)
				}
			})
		}
	}
}

// TestProtocolBuffersGoAsSuch, and a codec that leaves something out leaves it out on
// every rank.
func TestProtocolBuffersGoAsSuch(t *testing.T) {
	type half struct {
		Seen   int
		hidden int
	}
	ranktest.Run(t, 3, func(t *testing.T, c *rank.Comm) {
		m, err := collectives.AllReduceObject(t.Context(), c, wrapperspb.Int64(int64(c.Rank())),
			func(a, b *wrapperspb.Int64Value) *wrapperspb.Int64Value { return wrapperspb.Int64(a.Value + b.Value) })
		if err != nil || m.GetValue() != 3 {
			t.Errorf("rank %d: got %v, %v, want 3", c.Rank(), m, err)
		}
		got, err := collectives.AllReduceObject(t.Context(), c, half{1, 1},
			func(a, b half) half { return half{a.Seen + b.Seen, a.hidden + b.hidden} }, collectives.With(rank.JSON))
		if err != nil || got != (half{3, 0}) {
			t.Errorf("rank %d: got %v, %v, want %v", c.Rank(), got, err, half{3, 0})
		}
	})
}

// stubborn is a codec that does not encode or decode the values that it names.
func stubborn(encodes, decodes func(v string) bool) rank.Codec {
	return rank.Codec{
		Name: "stubborn",
		Marshal: func(v any) ([]byte, error) {
			s := *v.(*string)
			if !encodes(s) {
				return nil, fmt.Errorf("will not write %q", s)
			}
			return []byte(s), nil
		},
		Unmarshal: func(b []byte, v any) error {
			if !decodes(string(b)) {
				return fmt.Errorf("will not read %q", b)
			}
			*v.(*string) = string(b)
			return nil
		},
	}
}

func always(string) bool { return true }

// TestAValueThatCannotBeEncodedFailsOnAllRanks, with the reason, and the next call is
// not affected.
func TestAValueThatCannotBeEncodedFailsOnAllRanks(t *testing.T) {
	for _, p := range []int{1, 2, 3, 6} {
		for bad := range p {
			ranktest.Run(t, p, func(t *testing.T, c *rank.Comm) {
				ctx := t.Context()
				mine := fmt.Sprint("of rank ", c.Rank())
				poor := collectives.With(stubborn(func(s string) bool { return !strings.Contains(s, fmt.Sprint("of rank ", bad)) }, always))
				root := p / 2
				calls := map[string]func() error{
					"BcastObject": func() error {
						_, err := collectives.BcastObject(ctx, c, bad, mine, poor)
						return err
					},
					"GatherObject": func() error {
						_, err := collectives.GatherObject(ctx, c, root, mine, poor)
						return err
					},
					"AllGatherObject": func() error {
						_, err := collectives.AllGatherObject(ctx, c, mine, poor)
						return err
					},
					"ScatterObject": func() error {
						values := slices.Repeat([]string{mine}, p)
						_, err := collectives.ScatterObject(ctx, c, bad, values, poor)
						return err
					},
					"AllReduceObject": func() error {
						_, err := collectives.AllReduceObject(ctx, c, mine, bracketed, poor)
						return err
					},
				}
				if bad != root { // which does not encode
					calls["ReduceObject"] = func() error {
						_, err := collectives.ReduceObject(ctx, c, root, mine, bracketed, poor)
						return err
					}
				}
				for _, name := range slices.Sorted(maps.Keys(calls)) {
					err := calls[name]()
					reason := "will not write"
					if !errors.Is(err, rank.ErrCodec) || !strings.Contains(err.Error(), reason) || !strings.Contains(err.Error(), name) {
						t.Fatalf("%s, rank %d of %d, rank %d cannot: got %v, want ErrCodec and %q", name, c.Rank(), p, bad, err, reason)
					}
					if err := collectives.Barrier(ctx, c); err != nil {
						t.Fatalf("after %s, rank %d of %d: %v", name, c.Rank(), p, err)
					}
				}
			})
		}
	}
}

// TestAValueThatCannotBeDecodedFailsWhereItArrives. Where it is to be merged with
// others, all ranks need it.
func TestAValueThatCannotBeDecodedFailsWhereItArrives(t *testing.T) {
	ranktest.Run(t, 4, func(t *testing.T, c *rank.Comm) {
		ctx := t.Context()
		poor := collectives.With(stubborn(always, func(s string) bool { return s != "rank 3" }))
		mine := fmt.Sprint("rank ", c.Rank())
		fails := func(name string, want bool, err error) {
			t.Helper()
			if errors.Is(err, rank.ErrCodec) != want || (err != nil) != want {
				t.Errorf("%s, rank %d: got %v, want an error: %v", name, c.Rank(), err, want)
			}
		}
		_, err := collectives.GatherObject(ctx, c, 1, mine, poor)
		fails("GatherObject", c.Rank() == 1, err)
		_, err = collectives.BcastObject(ctx, c, 3, mine, poor)
		fails("BcastObject", c.Rank() != 3, err)
		_, err = collectives.ReduceObject(ctx, c, 1, mine, bracketed, poor)
		fails("ReduceObject", true, err)
		fails("Barrier", false, collectives.Barrier(ctx, c))
	})
}

func TestObjectsRefuseBadArguments(t *testing.T) {
	ranktest.Run(t, 2, func(t *testing.T, c *rank.Comm) {
		ctx := t.Context()
		fails := func(what string, err, class error) {
			t.Helper()
			if !errors.Is(err, class) {
				t.Errorf("%s, rank %d: got %v, want %v", what, c.Rank(), err, class)
			}
		}
		_, err := collectives.GatherObject(ctx, c, 2, "")
		fails("root 2", err, rank.ErrRank)
		_, err = collectives.ReduceObject(ctx, c, -1, "", bracketed)
		fails("root −1", err, rank.ErrRank)
		_, err = collectives.ReduceObject(ctx, c, 0, "", nil)
		fails("no merge", err, rank.ErrArgument)
		_, err = collectives.BcastObject(ctx, nil, 0, "")
		fails("no communicator", err, rank.ErrComm)
		_, err = collectives.BcastObject[any](ctx, c, 0, 1)
		fails("an interface type", err, rank.ErrCodec)
		_, err = collectives.BcastObject(ctx, c, 0, 1, collectives.With(rank.Gob), collectives.With(rank.JSON))
		fails("two codecs", err, rank.ErrArgument)
		_, err = collectives.AllReduceObject(ctx, c, "", bracketed, collectives.Using("binomial"))
		fails("an algorithm", err, rank.ErrArgument)
		_, err = collectives.BcastObject(ctx, c, 0, "", collectives.Using("no such"))
		fails("no such algorithm", err, rank.ErrArgument)
		fails("Barrier", collectives.Barrier(ctx, c), nil)
	})
}
