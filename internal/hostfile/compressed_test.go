package hostfile

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestCompressedListsAreExpanded(t *testing.T) {
	for _, test := range []struct{ list, want string }{
		{"n[1-3,07-12],gpu[01-02]-ib", "n1 n2 n3 n07 n08 n09 n10 n11 n12 gpu01-ib gpu02-ib"},
		{"a[1-2]b[01-03]", "a1b01 a1b02 a1b03 a2b01 a2b02 a2b03"},
		{"a[1-2]b[3-4]c[5-6]", "a1b3c5 a1b3c6 a1b4c5 a1b4c6 a2b3c5 a2b3c6 a2b4c5 a2b4c6"},
		{"n[08-10]", "n08 n09 n10"},
		{"n[99-101]", "n99 n100 n101"},
		{"n[099-101]", "n099 n100 n101"},
		{"n[1-010]", "n1 n2 n3 n4 n5 n6 n7 n8 n9 n10"},
		{"[1-3]", "1 2 3"},
		{"n[1,2,2],n1", "n1 n2 n2 n1"},
		{"n[00-1].example.org , m", "n00.example.org n01.example.org m"},
		{"n[1[0-2],20]", "n10 n11 n12 n20"},
		{"r[[1-2],3]n[[0[7-8]],9]", "r1n07 r1n08 r1n9 r2n07 r2n08 r2n9 r3n07 r3n08 r3n9"},
		{"x[999999999999999998-999999999999999999]", "x999999999999999998 x999999999999999999"},

		{"", "L: character 1: expected a host: letters, digits, '.', '_' and '-', not beginning with '-'"},
		{"a,,b", "L: character 3: expected a host: letters, digits, '.', '_' and '-', not beginning with '-'"},
		{"a,n[x]", `L: character 5: "x": expected a number, or a range of numbers as in 1-3`},
		{"n[]", `L: character 3: expected a number, or a range of numbers as in 1-3`},
		{"n[1,]", `L: character 5: expected a number, or a range of numbers as in 1-3`},
		{"n[1--3]", `L: character 3: "1--3": expected a number, or a range of numbers as in 1-3`},
		{"n[-3]", `L: character 3: "-3": expected a number, or a range of numbers as in 1-3`},
		{"n[1 - 3]", `L: character 3: "1 - 3": expected a number, or a range of numbers as in 1-3`},
		{"n[a-c]", `L: character 3: "a-c": expected a number, or a range of numbers as in 1-3`},
		{"n[0x1-0x3]", `L: character 3: "0x1-0x3": expected a number, or a range of numbers as in 1-3`},
		{"n[1-9999999999999999999]", `L: character 3: "1-9999999999999999999": expected a number, or a range of numbers as in 1-3`},
		{"n[2-1]", `L: character 3: "2-1": expected the smaller number first`},
		{"n[1-3", `L: character 2: "[1-3": a bracket that is not closed`},
		{"n[1-", `L: character 2: "[1-": a bracket that is not closed`},
		{"n[", `L: character 2: "[": a bracket that is not closed`},
		{"n[1[2]", `L: character 2: "[1[2]": a bracket that is not closed`},
		{"n]1", `L: character 2: "]1": a bracket that was not opened`},
		{"n[1]]", `L: character 5: "]": a bracket that was not opened`},
		{"n[1,x[2]]", `L: character 5: "x[2]]": expected only digits and brackets within brackets`},
		{"n[[[[[[[[[1]]]]]]]]]", `L: character 10: "[1]]]]]]]]]": brackets more than 8 deep`},
		{"n[1]\x01", `L: character 5: "\x01": expected a host: letters, digits, '.', '_' and '-', not beginning with '-'`},
		{"n[1-65536],m", `L: character 12: "m": expected 65536 hosts at most`},
		{"n[0-999][0-999]", `L: character 1: "n[0-999][0-999]": expected 65536 hosts at most`},
		{strings.Repeat("[0-999999999999999999]", 50), `L: character 1: "[0-999999999999999999][0-999999999999999999][0-9999999999999"…: expected 65536 hosts at most`},
		{"n[0-9]" + strings.Repeat("x", 252), `L: character 1: "n[0-9]xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"…: a name of 254 letters: expected 253 at most`},
	} {
		names, err := Expand(test.list, "L")
		got := strings.Join(names, " ")
		if err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%q\n got: %s\nwant: %s", test.list, got, test.want)
		}
	}
}

// scontrol expands lists without a cluster. Of three brackets and more it turns the
// first before the second, so there only the set is compared.
func TestSlurmExpandsAlike(t *testing.T) {
	scontrol, err := exec.LookPath("scontrol")
	if err != nil {
		t.Skip("there is no scontrol to compare with; Debian's package slurm-client has it")
	}
	conf := filepath.Join(t.TempDir(), "slurm.conf")
	if err := os.WriteFile(conf, []byte("ClusterName=x\nSlurmctldHost=localhost\nNodeName=localhost\nPartitionName=p Nodes=ALL\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, list := range []string{
		"n1", "n[1-3]", "n[1-3,07-12],x[1]", "a[1-2]b[01-03]", "n[08-10]", "n[1-010]", "n[01-100]", "[1-3]", "n[1,2,2],n1", "x[0-3]y[1]",
		"n[00-1]", "a[1-2]b[3-4]c[5-6]", "n[99-101,5,007-009]", "tux[0-15],tux[30-31]", "a-1[0-2],a.b[3]",
	} {
		cmd := exec.Command(scontrol, "show", "hostnames", list)
		cmd.Env = append(os.Environ(), "SLURM_CONF="+conf)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Skipf("scontrol does not run here: %v: %s", err, out)
		}
		want := strings.Fields(string(out))
		got, err := Expand(list, "L")
		if strings.Count(list, "[") > 2 && strings.Count(list, ",") == 0 {
			slices.Sort(want)
			slices.Sort(got)
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v %v, scontrol says %v", list, got, err, want)
		}
	}
}

func TestNamesAreCompressed(t *testing.T) {
	for _, test := range []struct{ names, want string }{
		{"", ""},
		{"a", "a"},
		{"n1 n2 n3 n07 n08 n09 n10 x", "n[1-3,07-10],x"},
		{"n1 n3 n2 n2", "n[1,3,2,2]"},
		{"n9 n10", "n[9-10]"},
		{"n09 n10", "n[09-10]"},
		{"n08 n9", "n[08,9]"},
		{"r1n1 r1n2 r2n1", "r1n[1-2],r2n1"},
		{"gpu01-ib gpu02-ib gpu02", "gpu[01-02]-ib,gpu02"},
		{"a b1 c", "a,b1,c"},
		{"::1 ::2 10.0.0.1 10.0.0.2", "::1,::2,10.0.0.[1-2]"},
		{"n9999999999999999999 n10000000000000000000", "n9999999999999999999,n10000000000000000000"},
	} {
		if got := Compress(strings.Fields(test.names)); got != test.want {
			t.Errorf("%s: %s, want %s", test.names, got, test.want)
		}
	}
}

func TestCountsAreExpanded(t *testing.T) {
	for text, want := range map[string][]int{
		"1": {1}, "2(x2),1": {2, 2, 1}, "72(x2),36": {72, 72, 36}, "4,1": {4, 1}, "3(x1)": {3},
	} {
		if got, err := Counts(text, "V"); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v %v, want %v", text, got, err, want)
		}
	}
	const expected = "expected a number, or one with how often it is meant as in 2(x3)"
	for text, want := range map[string]string{
		"":               "V: character 1: " + expected,
		"1,":             "V: character 3: " + expected,
		"1,x":            `V: character 3: "x": ` + expected,
		"0":              `V: character 1: "0": ` + expected,
		"-1":             `V: character 1: "-1": ` + expected,
		"2(x":            `V: character 1: "2(x": ` + expected,
		"2(x)":           `V: character 1: "2(x)": ` + expected,
		"2(x0)":          `V: character 1: "2(x0)": ` + expected,
		"2(3)":           `V: character 1: "2(3)": ` + expected,
		"1,1(x65536)":    `V: character 3: "1(x65536)": expected 65536 numbers at most`,
		"1(x1073741824)": `V: character 1: "1(x1073741824)": expected 65536 numbers at most`,
	} {
		if _, err := Counts(text, "V"); err == nil || err.Error() != want {
			t.Errorf("%q\n got: %v\nwant: %s", text, err, want)
		}
	}
}
