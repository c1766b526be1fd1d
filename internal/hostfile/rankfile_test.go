package hostfile

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// showPins writes pins as lines of a rank file, one behind the other.
func showPins(pins []Pin) string {
	var lines []string
	for _, p := range pins {
		host := p.Host
		if p.User != "" {
			host = p.User + "@" + host
		}
		if p.Nth >= 0 {
			host += fmt.Sprintf("+n%d", p.Nth)
		}
		slots := "*"
		if p.CPUs != nil {
			slots = strings.ReplaceAll(strings.Trim(fmt.Sprint(p.CPUs), "[]"), " ", ",")
		}
		if p.Socket >= 0 {
			slots = fmt.Sprintf("%d:%s", p.Socket, slots)
		}
		lines = append(lines, fmt.Sprintf("rank %d=%s slot=%s", p.Rank, host, slots))
	}
	return strings.Join(lines, "; ")
}

func TestRankfilesAreRead(t *testing.T) {
	for _, test := range []struct{ file, want string }{
		{"rank 0=aa slot=1:0-2\nrank 1=bb slot=0:0,1\nrank 2=cc slot=1-2\n", "rank 0=aa slot=1:0,1,2; rank 1=bb slot=0:0,1; rank 2=cc slot=1,2"},
		{"rank 0=+n0 slot=1:0-2\nrank 1=+N1 slot=0:*\n", "rank 0=+n0 slot=1:0,1,2; rank 1=+n1 slot=0:*"},
		{"# c\n\n  rank 3 = u@aa  slots =  8 // c\r\nrank 1= ::1 slot=*\nrank 0 =[fe80::1]/* c\n c */\nrank 65535=10.0.0.1",
			"rank 3=u@aa slot=8; rank 1=::1 slot=*; rank 0=fe80::1 slot=*; rank 65535=10.0.0.1 slot=*"},

		{"", "ranks:1:1: the file names no rank"},
		{"# c\n", "ranks:1:1: the file names no rank"},
		{"\naa slots=2\n", `ranks:2:1: "aa": expected rank N=HOST slot=LIST`},
		{"rank\n", `ranks:1:5: expected a rank, 0 to 65535 at the end of the line`},
		{"rank=0\n", `ranks:1:5: "=": expected a rank, 0 to 65535`},
		{"rank x=aa\n", `ranks:1:6: "x": expected a rank, 0 to 65535`},
		{"rank 65536=aa\n", `ranks:1:6: "65536": expected a rank, 0 to 65535`},
		{"rank -1=aa\n", `ranks:1:6: "-1": expected a rank, 0 to 65535`},
		{"rank 0 aa\n", `ranks:1:8: "aa": expected an equals sign and a host`},
		{"rank 0=\n", `ranks:1:8: expected a host at the end of the line`},
		{"rank 0==aa\n", `ranks:1:8: "=": expected a host`},
		{"rank 0=aa;b slot=1\n", `ranks:1:10: ";b": expected a host: letters, digits, '.', '_' and '-', not beginning with '-'`},
		{"rank 0=aa:2 slot=1\n", `ranks:1:8: "aa:2": expected one host, without slots`},
		{"rank 0=n[1-2] slot=1\n", `ranks:1:8: "n[1-2]": expected one host, without slots`},
		{"rank 0=+nx slot=1\n", `ranks:1:8: "+nx": expected a number behind +n: which of the job's hosts, from 0`},
		{"rank 0=aa 1\n", `ranks:1:11: "1": expected slot=LIST`},
		{"rank 0=aa slot\n", `ranks:1:15: expected an equals sign at the end of the line`},
		{"rank 0=aa slot=\n", `ranks:1:16: expected a list of CPUs as in 4,6-7, or of a socket's cores as in 1:0-2 at the end of the line`},
		{"rank 0=aa slot=1, 2\n", `ranks:1:19: "2": expected nothing more on the line; lists have no blanks`},
		{"rank 0=aa slot=1,\n", `ranks:1:16: "1,": expected numbers, 0 to 65535, as in 4,6-7`},
		{"rank 0=aa slot=x:1\n", `ranks:1:16: "x:1": expected the number of a socket before the colon`},
		{"rank 0=aa slot=ß:1\n", `ranks:1:16: "ß:1": expected the number of a socket before the colon`},
		{"rank 0=aa slot=0:1:2\n", `ranks:1:18: "1:2": expected numbers, 0 to 65535, as in 4,6-7`},
		{"rank 0=aa slot=3-1\n", `ranks:1:16: "3-1": expected numbers, 0 to 65535, as in 4,6-7`},
		{"rank 0=aa slot=0-65535,0-65535\n", `ranks:1:16: "0-65535,0-65535": expected numbers, 0 to 65535, as in 4,6-7`},
		{"rank 0=aa\nrank 1=aa\nrank 0=bb\n", `ranks:3:6: "0": rank 0 has line 1 already`},
	} {
		f, err := ParseRankfile(strings.NewReader(test.file), "ranks")
		var got string
		if err != nil {
			got = err.Error()
		} else {
			got = showPins(f.Pins)
		}
		if got != test.want {
			t.Errorf("%q\n got: %s\nwant: %s", test.file, got, test.want)
		}
	}
}

func TestHugeRankfilesAreRefused(t *testing.T) {
	var b strings.Builder
	for rank := range 1000 {
		fmt.Fprintf(&b, "rank %d=a slot=0-65535\n", rank)
	}
	_, err := ParseRankfile(strings.NewReader(b.String()), "ranks")
	if want := `ranks:65:16: "0-65535": expected 4194304 CPUs at most of all ranks together`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestRankfilesNameHosts(t *testing.T) {
	for _, test := range []struct{ file, want string }{
		{"rank 1=b slot=0\nrank 0=a\nrank 2=u@b\n", "b slots=2 user=u; a slots=1"},
		{"rank 1=b\nrank 0=+n1\n", `ranks:2:8: "+n1": expected a host's name, where neither --host nor --hostfile nor a batch system names hosts`},
		{"rank 1=u@b\nrank 0=v@b\n", `ranks:2:8: "b": b has user v here and user u before`},
	} {
		f, err := ParseRankfile(strings.NewReader(test.file), "ranks")
		if err != nil {
			t.Fatal(err)
		}
		hosts, err := f.Hosts()
		got := show(hosts)
		if err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%q\n got: %s\nwant: %s", test.file, got, test.want)
		}
	}
}

// Whatever a rank file holds, it is an error with a place, or pins, which are the
// same when they are written down and read again.
func FuzzRankfile(f *testing.F) {
	for _, text := range []string{
		"rank 0=aa slot=1:0-2\nrank 1=bb slot=0:0,1\nrank 2=cc slot=1-2\n", "rank 0=+n1 slot=*", "rank 3 = u@[::1] slots = 0:*", "rank 0=a slot=0-99999",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		before := allocated()
		file, err := ParseRankfile(strings.NewReader(text), "F")
		if used := allocated() - before; used > uint64(1<<20+64*len(text)+maxTotal*64) {
			t.Fatalf("%d bytes allocated for a file of %d", used, len(text))
		}
		if err != nil {
			tidy(t, err)
			return
		}
		again := strings.ReplaceAll(showPins(file.Pins), "; ", "\n")
		same, err := ParseRankfile(strings.NewReader(again), "again")
		if err != nil {
			t.Fatalf("%q becomes %q: %v", text, again, err)
		}
		for i, p := range file.Pins {
			q := same.Pins[i]
			if p.Line = q.Line; p.Column < 1 {
				t.Fatalf("%+v", p)
			}
			if p.Column = q.Column; !reflect.DeepEqual(p, q) {
				t.Fatalf("%q becomes %q\n%+v\n%+v", text, again, p, q)
			}
		}
	})
}
