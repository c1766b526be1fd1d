package hostfile

import (
	"errors"
	"fmt"
	"reflect"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// allocated is the bytes the process has ever allocated.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// tidy fails the test if an error does not say where it is, or says too much.
func tidy(t *testing.T, err error) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Column < 1 || len(err.Error()) > 500 || strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' }) {
		t.Fatalf("the error %q", err)
	}
}

// Whatever a host file holds, it is an error with a place, or hosts that are
// harmless; and written down, these are read as the same.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"a\na\nb slots=3 max_slots = 4 # c\n", "u@a:2 binding=rr user=v\n", "a 2 all.q@a UNDEFINED\nb 1 c 2\n", "n[1-3,07-12]-ib:4\n",
		"[fe80::1%eth0]:4\n::1 port=2\n", "/* c\n*/ a // b\r\n", "a max-slots=3\na\n", "rank 0=a slot=1", "\ufeffa", "a:\nb=\n=", "n[1-600]\n",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		before := allocated()
		hosts, err := Parse(strings.NewReader(text), "F")
		// A list may expand to the most there may be, on each line.
		limit := uint64(1<<20 + 64*len(text))
		if i := strings.Count(text, "["); i > 0 {
			limit += uint64(min(i, maxTotal/1000)) * 64 << 20
		}
		if used := allocated() - before; used > limit {
			t.Fatalf("%d bytes allocated for a file of %d", used, len(text))
		}
		if err != nil {
			tidy(t, err)
			return
		}
		if len(hosts) == 0 || len(hosts) > MaxHosts {
			t.Fatalf("%d hosts", len(hosts))
		}
		var again strings.Builder
		line := 1
		for i, h := range hosts {
			if !ValidName(h.Name) || h.Slots < 1 || h.Slots > MaxSlots || h.Max != 0 && h.Max < h.Slots || !h.Counted && h.Slots != 1 ||
				h.Line < line || h.User != "" && !isUser(h.User) {
				t.Fatalf("%q: host %+v", text, h)
			}
			line = h.Line
			again.WriteString(show([]Host{h}) + "\n")
			hosts[i].Line = i + 1
		}
		if len(hosts) > 100 {
			return
		}
		if same, err := Parse(strings.NewReader(again.String()), "again"); err != nil || !reflect.DeepEqual(same, hosts) {
			t.Fatalf("%q: %v\n%+v\nbecomes %q, which is read as\n%+v", text, err, hosts, again.String(), same)
		}
	})
}

// plainExpand is what Expand does, without limits and without care.
func plainExpand(text string) []string {
	var all []string
	for _, part := range commas(text) {
		all = append(all, plainElement(strings.Trim(part, " \t"))...)
	}
	return all
}

func plainElement(text string) []string {
	open := strings.IndexByte(text, '[')
	if open < 0 {
		return []string{text}
	}
	depth, end := 0, open
	for ; end < len(text); end++ {
		depth += strings.Count(text[end:end+1], "[") - strings.Count(text[end:end+1], "]")
		if depth == 0 {
			break
		}
	}
	var all []string
	for _, inside := range commas(text[open+1 : end]) {
		for _, middle := range plainAlternative(inside) {
			for _, after := range plainElement(text[end+1:]) {
				all = append(all, text[:open]+middle+after)
			}
		}
	}
	return all
}

func plainAlternative(text string) []string {
	if strings.Contains(text, "[") {
		return plainElement(text)
	}
	low, high, ok := strings.Cut(text, "-")
	if !ok {
		return []string{text}
	}
	from, _ := strconv.Atoi(low)
	to, _ := strconv.Atoi(high)
	var all []string
	for n := from; n <= to; n++ {
		digits := strconv.Itoa(n)
		for len(digits) < len(low) {
			digits = "0" + digits
		}
		all = append(all, digits)
	}
	return all
}

// commas splits at the commas outside of brackets.
func commas(text string) []string {
	var parts []string
	depth, start := 0, 0
	for i, c := range text {
		switch {
		case c == '[':
			depth++
		case c == ']':
			depth--
		case c == ',' && depth == 0:
			parts = append(parts, text[start:i])
			start = i + 1
		}
	}
	return append(parts, text[start:])
}

func FuzzCompressed(f *testing.F) {
	for _, text := range []string{
		"n[1-3,07-12],gpu[01-02]-ib", "a[1-2]b[01-03]c", "n[1[0-2],20]", "n[[1-2],3]", "n]", "n[", "n[1-99999999]", "[[[[[1]]]]]", "n[08-10] , m", "n1,n2,n04",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		before := allocated()
		names, err := Expand(text, "F")
		if used := allocated() - before; used > uint64(1<<20+64*len(text)+4*MaxHosts*(longestName+16)) {
			t.Fatalf("%d bytes allocated for a list of %d", used, len(text))
		}
		if err != nil {
			tidy(t, err)
			return
		}
		if len(names) == 0 || len(names) > MaxHosts {
			t.Fatalf("%q: %d names", text, len(names))
		}
		if want := plainExpand(text); !slices.Equal(names, want) {
			t.Fatalf("%q: %.200q, want %.200q", text, names, want)
		}
		short := Compress(names)
		if back, err := Expand(short, "back"); err != nil || !slices.Equal(back, names) {
			t.Fatalf("%.200q are compressed to %.200q, and that is %.200q, %v", names, short, back, err)
		}
	})
}

func FuzzCounts(f *testing.F) {
	for _, text := range []string{"2(x2),1", "4,1", "1(x65536)", "(x", "1(x1", "0"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		counts, err := Counts(text, "F")
		if err != nil {
			tidy(t, err)
			return
		}
		var plain []int
		for part := range strings.SplitSeq(text, ",") {
			var n, k int
			if got, _ := fmt.Sscanf(strings.Trim(part, " \t"), "%d(x%d)", &n, &k); got < 2 {
				k = 1
			}
			plain = append(plain, slices.Repeat([]int{n}, k)...)
		}
		if !slices.Equal(counts, plain) || len(counts) > MaxHosts {
			t.Fatalf("%q: %v, want %v", text, counts, plain)
		}
	})
}
