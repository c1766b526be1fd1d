package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func wordsOf(text string) []string {
	var list []string
	eachWord(text, func(w string) { list = append(list, w) })
	return list
}

func TestWordsAreRunsThatBeginWithALetter(t *testing.T) {
	for text, want := range map[string]string{
		"":                                 "",
		"ReadAll reads\tfrom r.":           "readall reads",
		"the 2nd X509-certificate, UTF8":   "x509 certificate utf8",
		"ab abc ÄÖÜ Größe naïve":           "abc äöü größe naïve",
		"bad\xffbyte":                      "bad byte",
		strings.Repeat("x", 41) + " end":   "end",
		strings.Repeat("x", 40) + " which": strings.Repeat("x", 40),
		"don't can't reader's":             "reader",
		"Привет, мир! 日本語 cafe\u0301 \u0301abc": "привет мир 日本語 cafe\u0301",
	} {
		if got := strings.Join(wordsOf(text), " "); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func FuzzWordsAreThoseOfARegularExpression(f *testing.F) {
	f.Add("Package json implements encoding, 2nd; don't\x00 \xff Ⅷ")
	run := regexp.MustCompile(`[\p{L}\p{M}\p{Nd}]+`)
	starts := regexp.MustCompile(`^\p{L}`)
	f.Fuzz(func(t *testing.T, text string) {
		var want []string
		for _, w := range run.FindAllString(text, -1) {
			w2 := strings.ToLower(w)
			if n := utf8.RuneCountInString(w2); starts.MatchString(w) && n >= 3 && n <= 40 && !stopWords[w2] {
				want = append(want, w2)
			}
		}
		if got := wordsOf(text); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	})
}
