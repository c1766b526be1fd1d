package hostfile

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

// show writes hosts as a host file of Open MPI's has them, one behind the other.
func show(hosts []Host) string {
	var lines []string
	for _, h := range hosts {
		line := h.Name
		if h.Counted {
			line += fmt.Sprintf(" slots=%d", h.Slots)
		} else if h.Slots != 1 {
			line += fmt.Sprintf(" %d slots that nobody counted", h.Slots)
		}
		if h.Max > 0 {
			line += fmt.Sprintf(" max_slots=%d", h.Max)
		}
		if h.User != "" {
			line += " user=" + h.User
		}
		if h.Port != 0 {
			line += fmt.Sprintf(" port=%d", h.Port)
		}
		if h.Binding != "" {
			line += " binding=" + h.Binding
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "; ")
}

func TestEveryGrammarIsRead(t *testing.T) {
	for _, test := range []struct{ what, file, want string }{
		{"Open MPI's manual", "aa slots=2\nbb slots=2\ncc slots=2\n", "aa slots=2; bb slots=2; cc slots=2"},
		{"its limits", "aa slots=4 max_slots=4\nbb         max_slots=4\ncc slots=4\n",
			"aa slots=4 max_slots=4; bb slots=4 max_slots=4; cc slots=4"},
		{"its documentation", "# This is a comment line, and will be ignored\nnode01  slots=10\nnode13  slots=5\n\nnode15\nnode16\nnode17  slots=3\n",
			"node01 slots=10; node13 slots=5; node15; node16; node17 slots=3"},
		{"its other words", "a cpu=1\nb count=2 max-count=3\nc slots = 4 cpu_max =5\n", "a slots=1; b slots=2 max_slots=3; c slots=4 max_slots=5"},
		{"its users and ports", "alice@a\nb username=bob\nc user_name=carol slots=2 port=2222\n", "a user=alice; b user=bob; c slots=2 user=carol port=2222"},
		{"its comments", "a // b\n/* c\nd\n*/ b slots=2\n/* */c#d\n", "a; b slots=2; c"},
		{"MPICH's", "host1\nhost2:4\nhost3:2 binding=user:0,1 user=x # c\n", "host1; host2 slots=4; host3 slots=2 user=x binding=user:0,1"},
		{"PBS's", "n7\nn7\nn9.cluster\nn7\nn9.cluster\n", "n7 slots=3; n9.cluster slots=2"},
		{"LSF's file", "hostA\nhostA\nhostB\n", "hostA slots=2; hostB"},
		{"LSF's variable", "hostA 4 hostB 2 hostA 1\n", "hostA slots=5; hostB slots=2"},
		{"SGE's", "node3.example.org 4 all.q@node3.example.org UNDEFINED\nnode5 2 all.q@node5 <NULL>\nnode5 1 b.q@node5 0,0:0,1\nnode6 3\nnode7 1 q\n",
			"node3.example.org slots=4; node5 slots=3; node6 slots=3; node7 slots=1"},
		{"Slurm's", "n[1-3,07-08]:2\ngpu[01-02]-ib slots=4\n",
			"n1 slots=2; n2 slots=2; n3 slots=2; n07 slots=2; n08 slots=2; gpu01-ib slots=4; gpu02-ib slots=4"},
		{"IPv6", "::1\nfe80::1:4\n[::1]:4\n[fe80::2%eth0]\nu@[2001:DB8::0:1]:3 max_slots=4\n0:0::1 port=22\n10.0.0.1:2\n",
			"::1 slots=5; fe80::1:4; fe80::2%eth0; 2001:db8::1 slots=3 max_slots=4 user=u; ::1 port=22; 10.0.0.1 slots=2"},
		{"ends of lines", "\ufeffa\r\n\tb slots=2\t\r\n\r\nc", "a; b slots=2; c"},
		{"several lines of a host", "a\nb slots=8 max_slots=9 binding=core\na slots=3\nu@a\nb user=v\nu@a port=4\n",
			"a slots=5 user=u; b slots=9 max_slots=9 user=v binding=core; a user=u port=4"},
	} {
		got, err := Parse(strings.NewReader(test.file), "hosts")
		if err != nil || show(got) != test.want {
			t.Errorf("%s: %q\n got: %s %v\nwant: %s", test.what, test.file, show(got), err, test.want)
		}
	}
}

func TestHostsKnowTheirLines(t *testing.T) {
	got, err := Parse(strings.NewReader("# c\n\nb\nn[1-2]\nb 2 c 1\n"), "hosts")
	want := []Host{
		{Name: "b", Slots: 3, Counted: true, Line: 3}, {Name: "n1", Slots: 1, Line: 4}, {Name: "n2", Slots: 1, Line: 4},
		{Name: "c", Slots: 1, Counted: true, Line: 5},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\n got %+v\nwant %+v", err, got, want)
	}
}

func TestMistakesAreShown(t *testing.T) {
	for _, test := range []struct{ file, want string }{
		{"", "hosts:1:1: the file names no host"},
		{"# nobody\n\n", "hosts:2:1: the file names no host"},
		{"a\n  b slots=x\n", `hosts:2:11: "x": expected a number of slots, 1 to 65536`},
		{"a slots=0\n", `hosts:1:9: "0": expected a number of slots, 1 to 65536`},
		{"a slots=65537\n", `hosts:1:9: "65537": expected a number of slots, 1 to 65536`},
		{"a slots=99999999999999999999999\n", `hosts:1:9: "99999999999999999999999": expected a number of slots, 1 to 65536`},
		{"a slots=-1\n", `hosts:1:9: "-1": expected a number of slots, 1 to 65536`},
		{"a slots=2 cpu=3\n", `hosts:1:11: "cpu": this was said before`},
		{"a:2 slots=3\n", `hosts:1:5: "slots": this was said before`},
		{"a slots=\n", `hosts:1:3: "slots=": expected a value behind the equals sign`},
		{"a slots\n", `hosts:1:3: "slots": expected slots=N, max_slots=N, user=NAME, port=N or binding=HOW, and one host a line`},
		{"a b\n", `hosts:1:3: "b": expected slots=N, max_slots=N, user=NAME, port=N or binding=HOW, and one host a line`},
		{"a cores=2\n", `hosts:1:3: "cores": expected slots=N, max_slots=N, user=NAME, port=N or binding=HOW, and one host a line`},
		{"a port=65536\n", `hosts:1:8: "65536": expected a port, 1 to 65535`},
		{"a user=$x\n", `hosts:1:8: "$x": expected a user's name`},
		{"a\nb max_slots=2\na\nb\n", `hosts:2:1: "b": 3 slots are more than max_slots=2`},
		{"a slots=4 max_slots=2\n", `hosts:1:1: "a": 4 slots are more than max_slots=2`},
		{"a:x\n", `hosts:1:3: "x": expected a number of slots, 1 to 65536`},
		{"a:\n", `hosts:1:3: expected a number of slots, 1 to 65536`},
		{"a:2 3\n", `hosts:1:5: "3": the slots were said before`},
		{"a 2 q x y\n", `hosts:1:9: "y": expected no more than host, slots, queue and processors, or hosts and slots in turn`},
		{"a 2 b 3 c\n", `hosts:1:9: "c": expected a number of slots behind the host`},
		{"a 2 b 3 c x\n", `hosts:1:11: "x": expected a number of slots, 1 to 65536`},
		{"a 0\n", `hosts:1:3: "0": expected a number of slots, 1 to 65536`},
		{"u@a\nv@a\n", `hosts:2:1: "v@a": a has user v here and user u before`},
		{"a max_slots=4\na max_slots=5\n", `hosts:2:1: "a": a has max_slots=5 here and max_slots=4 before`},
		{"a binding=core\na binding=rr\n", `hosts:2:1: "a": a has binding=rr here and binding=core before`},
		{"a slots=65536\na\n", `hosts:2:1: "a": a has 65537 slots now: expected 65536 at most`},
		{"ä slots=ß\n", `hosts:1:1: "ä": expected a host: letters, digits, '.', '_' and '-', not beginning with '-'`},
		{"/* ä */ b slots=ß\n", `hosts:1:17: "ß": expected a number of slots, 1 to 65536`},
		{"rank 0=a slot=1\n", `hosts:1:1: "rank": expected a host; a rank file goes with --rankfile`},
		{"^a\n", `hosts:1:1: "^a": expected a host; leave out the lines of hosts that are not to be used`},
		{"+n0\n", `hosts:1:1: "+n0": expected a host; relative names have a meaning in rank files only`},
		{"[::1\n", `hosts:1:1: "[::1": expected an IPv6 address; where slots follow it is written as in [::1]:4`},
		{"[::g]:2\n", `hosts:1:2: "::g": expected an IPv6 address; where slots follow it is written as in [::1]:4`},
		{"[::1]4\n", `hosts:1:6: "4": expected : and a number of slots after the address`},
		{"a:1:2\n", `hosts:1:1: "a:1:2": expected an IPv6 address; where slots follow it is written as in [::1]:4`},
		{"[::1%a;b]\n", `hosts:1:2: "::1%a;b": expected an IPv6 address; where slots follow it is written as in [::1]:4`},
		{"n[1-3\n", `hosts:1:2: "[1-3": a bracket that is not closed`},
		{"n[3-1]\n", `hosts:1:3: "3-1": expected the smaller number first`},
		{"n[1-70000]\n", `hosts:1:1: "n[1-70000]": expected 65536 hosts at most`},
		{"n[1-65536]\nm\n", `hosts:2:1: "m": expected 65536 hosts at most`},
	} {
		_, err := Parse(strings.NewReader(test.file), "hosts")
		if err == nil || err.Error() != test.want {
			t.Errorf("%q\n got: %v\nwant: %s", test.file, err, test.want)
		}
	}
	long := (&Error{File: "f", Line: 1, Column: 2, Text: strings.Repeat("x", 1000), Problem: "p"}).Error()
	if len(long) > 100 {
		t.Errorf("an error of %d bytes", len(long))
	}
}

// A name becomes an argument of ssh. None may be an option of it, or mean something
// to a shell, on any side.
func TestNamesAreHarmless(t *testing.T) {
	for _, line := range []string{
		"-oProxyCommand=touch X", "-oProxyCommand=touch", "a;touch X", "a;touch", "$(touch X)", "$(touch)", "`touch`", "a|b", "a&b", "a>b",
		"a\x00b", "a\x1b]0;t\a", "a'b", `a"b`, `a\b`, "a*", "a?b", "~a", "a%h", "a{1,2}", "bücher.example", "xn--bcher\u200b", "-", "--", "u@-a",
		"-u@a", "u;v@a", "u v@a", "$u@a", "@a", "a@", strings.Repeat("a", 300), "[-1-2]", "-n[1-2]", "n[1-2];", "[::1%-x]", "::1%`x`",
		"a user=-x", "a user=`x`", "a/b", "../a", "a:b", "\u2028", "a\u00a0b",
	} {
		for _, text := range []string{line, line + "\n", "good\n" + line + "\n", line + " slots=2"} {
			if hosts, err := Parse(strings.NewReader(text), "hosts"); err == nil {
				t.Errorf("%q is read as %s", text, show(hosts))
			}
		}
		if hosts, err := ParseList(line); err == nil {
			t.Errorf("--host %q is read as %s", line, show(hosts))
		}
		if ValidName(line) {
			t.Errorf("%q is taken for a name", line)
		}
	}
	for _, name := range []string{"a", "A.b-c_d", "10.0.0.1", "::1", "fe80::1%eth0", strings.Repeat("a", 253), "007"} {
		if !ValidName(name) {
			t.Errorf("%q is not taken for a name", name)
		}
	}
}

func TestListsOfTheCommandLineAreRead(t *testing.T) {
	for _, test := range []struct{ list, want string }{
		{"a", "a"},
		{"a:4,b:2", "a slots=4; b slots=2"},
		{"aa,aa,bb,aa:2", "aa slots=4; bb"},
		{"u@a:2, [::1]:4 ,::2,n[1-2,4]:3", "a slots=2 user=u; ::1 slots=4; ::2; n1 slots=3; n2 slots=3; n4 slots=3"},
		{"", "character 1: expected a host"},
		{"a,", "character 3: expected a host"},
		{"a,,b", "character 3: expected a host"},
		{"a:0", `character 3: "0": expected a number of slots, 1 to 65536`},
		{"ab, c:x", `character 7: "x": expected a number of slots, 1 to 65536`},
		{"a b", `character 2: " b": expected a host: letters, digits, '.', '_' and '-', not beginning with '-'`},
		{"u@a,v@a", `character 5: "v@a": a has user v here and user u before`},
		{"n[1,b", `character 2: "[1,b": a bracket that is not closed`},
		{"n]1,b", `character 2: "]1": a bracket that was not opened`},
	} {
		hosts, err := ParseList(test.list)
		got := show(hosts)
		if err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%q\n got: %s\nwant: %s", test.list, got, test.want)
		}
	}
	hosts, err := ParsePairs("hostA 4 hostB 2", "LSB_MCPU_HOSTS")
	if got := show(hosts); err != nil || got != "hostA slots=4; hostB slots=2" {
		t.Errorf("%s %v", got, err)
	}
	for text, want := range map[string]string{
		"":        "LSB_MCPU_HOSTS: character 1: expected hosts and slots in turn",
		"a 4 b":   `LSB_MCPU_HOSTS: character 5: "b": expected a number of slots behind the host`,
		"a 4 b 0": `LSB_MCPU_HOSTS: character 7: "0": expected a number of slots, 1 to 65536`,
		"a 4 ; 1": `LSB_MCPU_HOSTS: character 5: ";": expected a host: letters, digits, '.', '_' and '-', not beginning with '-'`,
	} {
		if _, err := ParsePairs(text, "LSB_MCPU_HOSTS"); err == nil || err.Error() != want {
			t.Errorf("%q\n got: %v\nwant: %s", text, err, want)
		}
	}
}

// endless is a file without an end.
type endless struct {
	text string
	at   int
}

func (e *endless) Read(b []byte) (int, error) {
	for n := 0; n < len(b); {
		k := copy(b[n:], e.text[e.at:])
		n += k
		e.at = (e.at + k) % len(e.text)
	}
	return len(b), nil
}

func TestHugeFilesAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"a\n":               `hosts:65537:1: "a": a has 65537 slots now: expected 65536 at most`,
		"x":                 "hosts:1:1: a line of more than 1048576 bytes",
		"\x00":              "hosts:1:1: a line of more than 1048576 bytes",
		"# of no account\n": "a file of more than 67108864 bytes",
		"n[1-60000]\n":      "expected 4194304 slots at most on all hosts together",
	} {
		_, err := Parse(&endless{text: text}, "hosts")
		var e *Error
		if !errors.As(err, &e) || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%q for ever: %v, want %s", text, err, want)
		}
	}
	broken := errors.New("disk on fire")
	_, err := Parse(io.MultiReader(strings.NewReader("a\n"), iotest.ErrReader(broken)), "hosts")
	if !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "hosts: ") {
		t.Errorf("%v, want the reader's error and the file's name", err)
	}
}
