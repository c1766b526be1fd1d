package output

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestEscapeShowsWhatCouldDriveATerminal(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"plain\ttext\n", "plain\ttext\n"},
		{"grüße 世界 🙂\n", "grüße 世界 🙂\n"},
		{"\x1b]0;title\x07", `\x1b]0;title\x07`},
		{"\x1b[2J\x1b[31mred", `\x1b[2J\x1b[31mred`},
		{"a\x00b\x7fc\bd", `a\x00b\x7fc\x08d`},
		{"\u009b31m\u0085", `\u009b31m\u0085`},
		{"\x9b31m", `\x9b31m`},
		{"\u202eevil\u2066", `\u202eevil\u2066`},
		{"\xff\xc3(\xe2\x82", `\xff\xc3(\xe2\x82`},
		{"\xed\xa0\x80", `\xed\xa0\x80`}, // a surrogate is not UTF-8
		{"10%\r20%\r\n", "10%\\r20%\n"},
		{"end\r", `end\r`},
	} {
		if got := Escape(test.in); got != test.want {
			t.Errorf("Escape(%q) = %q, want %q", test.in, got, test.want)
		}
	}
}

func TestColoursPassAndEndWithTheirLine(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"\x1b[31mred\nplain\n", "\x1b[31mred\x1b[0m\nplain\n"},
		{"\x1b[38;2;1;2;3m\x1b[m", "\x1b[38;2;1;2;3m\x1b[m\x1b[0m"},
		{"\x1b[2J", `\x1b[2J`},
		{"\x1b[3", `\x1b[3`},
		{"\x1b\x1b[1mx", "\\x1b\x1b[1mx\x1b[0m"},
		{"\x1b[" + strings.Repeat("1;", 40) + "m", `\x1b[` + strings.Repeat("1;", 40) + "m"},
	} {
		e := escaper{colors: true, ret: []byte("\r")}
		if got := string(e.flush(e.append(nil, []byte(test.in)))); got != test.want {
			t.Errorf("%q: got %q, want %q", test.in, got, test.want)
		}
	}
}

var (
	colorSequence = regexp.MustCompile(`^\x1b\[[0-9;:]*m`)
	anyColor      = regexp.MustCompile(`\x1b\[[0-9;:]*m`)
)

// escapeWhole is the dumb twin of escaper: it sees the whole text at once.
func escapeWhole(in string, colors bool, ret string) string {
	var out strings.Builder
	colored := false
	uncolor := func() {
		if colored {
			out.WriteString("\x1b[0m")
		}
		colored = false
	}
	for len(in) > 0 {
		r, n := utf8.DecodeRuneInString(in)
		seq := ""
		if colors {
			seq = colorSequence.FindString(in)
		}
		switch {
		case strings.HasPrefix(in, "\r\n"):
		case r == '\r':
			out.WriteString(ret)
		case r == '\n':
			uncolor()
			out.WriteByte('\n')
		case seq != "" && len(seq) <= maxHeld:
			out.WriteString(seq)
			colored = true
			n = len(seq)
		case r == utf8.RuneError && n == 1, r < ' ' && r != '\t', r == 0x7f:
			fmt.Fprintf(&out, `\x%02x`, in[0])
		case isControl(r):
			fmt.Fprintf(&out, `\u%04x`, r)
		default:
			out.WriteString(in[:n])
		}
		in = in[n:]
	}
	uncolor()
	return out.String()
}

func FuzzEscape(f *testing.F) {
	for _, s := range []string{"", "abc\n", "\x1b[31mx\n", "\x1b]0;t\a", "a\r\nb\rc", "\xe2\x82", "世\u009b\u202e", "\x1b[1\n\r\r\n", "\xf0\x9f\x99\x82\x1b["} {
		f.Add([]byte(s), true, uint64(1))
		f.Add([]byte(s), false, uint64(2))
	}
	f.Fuzz(func(t *testing.T, in []byte, colors bool, seed uint64) {
		const ret = `\r`
		e := escaper{colors: colors, ret: []byte(ret)}
		rng := rand.New(rand.NewPCG(seed, 0))
		var out []byte
		for rest := in; len(rest) > 0; {
			n := 1 + rng.IntN(min(len(rest), 7))
			out = e.append(out, rest[:n])
			rest = rest[n:]
		}
		out = e.flush(out)

		if want := escapeWhole(string(in), colors, ret); string(out) != want {
			t.Fatalf("cut with seed %d: got %q, want %q", seed, out, want)
		}
		if len(out) > 5*len(in) {
			t.Fatalf("%d bytes became %d", len(in), len(out))
		}
		if !utf8.Valid(out) {
			t.Fatalf("not UTF-8: %q", out)
		}
		shown := out
		if colors {
			shown = anyColor.ReplaceAll(out, nil)
		}
		if i := bytes.IndexFunc(shown, func(r rune) bool {
			return r < ' ' && r != '\n' && r != '\t' || r == 0x7f || isControl(r)
		}); i >= 0 {
			t.Fatalf("a control remains at %d of %q", i, shown)
		}
	})
}
