package main

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Words shorter than shortest mean little, and those longer than longest are
// mostly not language.
const (
	shortest = 3
	longest  = 40
)

// eachWord calls f with the words of text in their order, in lower case: runs of
// letters, marks and digits that begin with a letter, but for short, overlong and
// stop words. Bytes that are not UTF-8 separate words.
func eachWord(text string, f func(word string)) {
	for run := range strings.FieldsFuncSeq(text, separates) {
		if first, _ := utf8.DecodeRuneInString(run); !unicode.IsLetter(first) {
			continue
		}
		word := strings.ToLower(run)
		if n := utf8.RuneCountInString(word); n >= shortest && n <= longest && !stopWords[word] {
			f(word)
		}
	}
}

func separates(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r) }

// stopWords are those words of English that say nothing about a document's subject.
var stopWords = func() map[string]bool {
	m := make(map[string]bool)
	for w := range strings.FieldsSeq(`
		about above after again against all also although always among and another any anything are aren
		because been before being below between both but can cannot could couldn did didn does doesn doing don done
		down during each either else even ever every few for from further get gets given gives had hadn has hasn have
		haven having hence her here hers him his how however into isn its itself just less like made make makes many
		may might more most much must neither never nor not now off often once one only onto other others otherwise
		our out over own per rather same shall she should shouldn since some such than that the their them then there
		therefore these they this those though through thus too two under unless until upon use used uses using very
		via was wasn way well were weren what when where whether which while who whom whose why will with within
		without would you your`) {
		m[w] = true
	}
	return m
}()
