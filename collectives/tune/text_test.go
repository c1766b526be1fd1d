package tune

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/muster-mpi/muster/collectives/algo"
	"github.com/muster-mpi/muster/collectives/schedule"
)

const head = `machine  2 cores of a Xeon, Linux 6.1
date     2026-11-26
commit   9f46639
command  muster tune --ranks 2,8
`

const example = head + `
allgather ranks=8 hosts=one
    below 1025    bruck
    below 64KiB   shared-memory or recursive-doubling
    else          ring

allreduce ranks=8 hosts=many order=canonical
    else          recursive-doubling
`

// parse is Parse of a text that is right.
func parse(t *testing.T, text string) *Table {
	t.Helper()
	table, err := Parse(text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return table
}

func TestParseReadsATable(t *testing.T) {
	want := &Table{
		Machine: "2 cores of a Xeon, Linux 6.1", Date: "2026-11-26", Commit: "9f46639", Command: "muster tune --ranks 2,8",
		Entries: []Entry{
			{Case{schedule.AllGather, 8, false, algo.Unordered}, []Use{{Below: 1025, Name: "bruck"}, {64 << 10, "recursive-doubling", true}, {Name: "ring"}}},
			{Case{schedule.AllReduce, 8, true, algo.Canonical}, []Use{{Name: "recursive-doubling"}}},
		},
	}
	got := parse(t, example)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got.String() != example {
		t.Errorf("written again:\n%s\nwant\n%s", got, example)
	}
	loose := strings.NewReplacer("\n", "  \r\n # a remark\n\n", "    ", "\t").Replace(example)
	if got := parse(t, loose); !reflect.DeepEqual(got, want) {
		t.Errorf("with remarks and other space: got %+v\nwant %+v", got, want)
	}
}

func TestErrorsOfATableSayWhere(t *testing.T) {
	for _, test := range []struct {
		text         string
		line, column int
		message      string
	}{
		{"", 1, 1, `the head has no line "machine"`},
		{"machine m\ndate d\ncommit c\n", 4, 1, `the head has no line "command"`},
		{"machine\n", 1, 8, "wants what the machine is"},
		{"machine m\n  machine n\n", 2, 3, `a second line "machine"`},
		{"ring 4\n", 1, 1, `"ring" is no operation, no line of the head, and no bound`},
		{"else ring\n", 1, 1, "a bound before any entry"},
		{"allgather\n", 1, 10, "wants ranks="},
		{"allgather ranks=0 hosts=one\n", 1, 11, `"ranks=0": wants ranks=N, from 1 to 2147483647`},
		{"allgather ranks=2147483648 hosts=one\n", 1, 11, `"ranks=2147483648": wants ranks=N, from 1 to 2147483647`},
		{"allgather ranks=4 hosts=two\n", 1, 19, `"hosts=two": wants hosts=one or hosts=many`},
		{"allgather ranks=4 order=any\n", 1, 19, `"order=any": wants hosts=one or hosts=many`},
		{"allgather ranks=4 hosts=one order=any\n", 1, 29, `"order=any" is too much`},
		{"allreduce ranks=4 hosts=one\n", 1, 28, "wants order="},
		{"allreduce ranks=4 hosts=one order=rank\n", 1, 29, `"order=rank": wants order=any, order=ordered or order=canonical`},
		{"allgather ranks=4 hosts=one\n else ring\nmachine m\n", 3, 1, "the head ends where the entries begin"},
		{"allgather ranks=4 hosts=one\n\n", 1, 1, "allgather ranks=4 hosts=one wants a last line: else NAME"},
		{"allgather ranks=4 hosts=one\n below 4 ring\nbarrier ranks=2 hosts=one\n", 1, 1, "allgather ranks=4 hosts=one wants a last line: else NAME"},
		{"allgather ranks=4 hosts=one\n else ring\nallgather ranks=4 hosts=one\n", 3, 1, "a second entry for allgather ranks=4 hosts=one"},
		{"allgather ranks=4 hosts=one\n below\n", 2, 7, "wants a bound, such as 4KiB"},
		{"allgather ranks=4 hosts=one\n below 4kB ring\n", 2, 8, `"4kB" is no bound: wants a positive number of bytes, KiB, MiB or GiB`},
		{"allgather ranks=4 hosts=one\n below -4 ring\n", 2, 8, `"-4" is no bound: wants a positive number of bytes, KiB, MiB or GiB`},
		{"allgather ranks=4 hosts=one\n below 9999999999999GiB ring\n", 2, 8, `"9999999999999GiB" is no bound: wants a positive number of bytes, KiB, MiB or GiB`},
		{"allgather ranks=4 hosts=one\n below 4\n", 2, 9, "wants the name of an algorithm"},
		{"allgather ranks=4 hosts=one\n else ring bruck\n", 2, 12, `"bruck" is too much`},
		{"allgather ranks=4 hosts=one\n below 4 ring\n below 4 ring\n", 3, 8, `"4" is not above the bound before`},
		{"allgather ranks=4 hosts=one\n else ring\n else ring\n", 3, 2, "a bound after else"},
		{"allgather ranks=4 hosts=one\n else shared-memory or\n", 2, 23, "wants the name of an algorithm"},
		{"allgather ranks=4 hosts=one\n else shared-memory\n", 2, 7, "wants what nonblocking calls use: shared-memory or NAME"},
		{"allgather ranks=4 hosts=many\n else shared-memory or ring\n", 2, 24, "ranks of several hosts share no memory"},
		{"gather ranks=4 hosts=one\n else ring\n", 2, 7, `no algorithm of gather is called "ring"; there are ` + names(schedule.Gather)},
	} {
		_, err := Parse(test.text)
		var got *SyntaxError
		if want := (SyntaxError{test.line, test.column, test.message}); !errors.As(err, &got) || *got != want {
			t.Errorf("%q:\ngot  %v\nwant %v", test.text, err, &want)
		}
	}
}

func names(op schedule.Operation) string {
	var list []string
	for _, a := range algo.Of(op) {
		list = append(list, a.Name)
	}
	return strings.Join(list, ", ")
}

// FuzzParse holds that whatever Parse reads it reads again from what String writes,
// and that an error lies within the text.
func FuzzParse(f *testing.F) {
	f.Add(example)
	f.Add("machine \t#\xff\n" + example[strings.Index(example, "date"):])
	f.Add("barrier ranks=2 hosts=one\n below 1KiB dissemination\n else tree")
	f.Add("allreduce ranks=3 hosts=many order=any\nbelow 3 recursive-doubling\nelse ring")
	f.Fuzz(func(t *testing.T, text string) {
		table, err := Parse(text)
		if err != nil {
			var at *SyntaxError
			if !errors.As(err, &at) {
				t.Fatalf("%T: %v", err, err)
			}
			lines := strings.SplitAfter(text+"\n", "\n")
			if at.Line < 1 || at.Line > len(lines) || at.Column < 1 || at.Column > len(lines[at.Line-1])+1 {
				t.Fatalf("%v: not in %q", err, text)
			}
			return
		}
		again, err := Parse(table.String())
		if err != nil || !reflect.DeepEqual(again, table) {
			t.Fatalf("%q: written again %q, read again %+v, %v; want %+v", text, table, again, err, table)
		}
		if again.Hash() != table.Hash() {
			t.Fatalf("%q: another hash when read again", text)
		}
	})
}
