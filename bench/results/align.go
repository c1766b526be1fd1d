package results

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Align writes lines of cells with the first column aligned to the left and all
// others to the right, with two blanks between.
func Align(b *strings.Builder, lines [][]string) {
	var width []int
	for _, l := range lines {
		for i, cell := range l {
			if i == len(width) {
				width = append(width, 0)
			}
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	for _, l := range lines {
		for i, cell := range l {
			if i == 0 {
				fmt.Fprintf(b, "%-*s", max(width[0], 10), cell)
			} else {
				fmt.Fprintf(b, "  %*s", width[i], cell)
			}
		}
		b.WriteByte('\n')
	}
}
