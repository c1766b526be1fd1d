package remote

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

// FuzzAnswer reads what a host, its login shell, or somebody in their place could say
// before its agent runs.
func FuzzAnswer(f *testing.F) {
	const nonce = "0123456789abcdef"
	f.Add([]byte("muster:" + nonce + " host Linux a 6.1 x86_64\n"))
	f.Add([]byte("Last login: never\r\n\x1b]0;x\a muster:" + nonce + " need others may write\nmuster:" + nonce + " staged\n"))
	f.Add([]byte("muster:" + nonce + " failed place x\n"))
	f.Add([]byte("muster:" + nonce + " \n"))
	f.Add([]byte("muster:0000000000000000 host Linux a 6.1 x86_64\n"))
	f.Fuzz(func(t *testing.T, said []byte) {
		a := &attempt{nonce: nonce, in: bufio.NewReaderSize(bytes.NewReader(said), 64)}
		for {
			words, err := a.answer("host", "need")
			var r *refusal
			if err == nil {
				if !bytes.Contains(said, []byte(mark(nonce))) {
					t.Fatalf("%q is taken for an answer: %q", said, words)
				}
				if len(words) == 0 || !slices.Contains([]string{"host", "need"}, words[0]) {
					t.Fatalf("%q is an answer without a word that is wanted: %q", said, words)
				}
				continue
			}
			if errors.As(err, &r) && strings.TrimSpace(r.at) == "" {
				t.Fatalf("%q is a refusal of nothing", said)
			}
			if len(a.noise.lines) > 5 || slices.ContainsFunc(a.noise.lines, func(l string) bool { return len(l) > 200 }) {
				t.Fatalf("%d lines of noise are kept: %q", len(a.noise.lines), a.noise.lines)
			}
			if errors.Is(err, io.EOF) || errors.Is(err, errNoise) || len(said) == 0 {
				return
			}
			break // the conversation ends at what is not expected
		}
	})
}
