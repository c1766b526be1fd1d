package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/muster-mpi/muster/internal/boot"
	"github.com/muster-mpi/muster/internal/hostfile"
)

// hostShown names a host with what it takes to reach it.
func hostShown(h hostfile.Host) string {
	text := h.Name
	if h.User != "" {
		text = h.User + "@" + text
	}
	if h.Port != 0 {
		text += " port " + strconv.Itoa(h.Port)
	}
	return text
}

// displayed is what --display asks for.
func (w *whereabouts) displayed() string {
	var text string
	if w.showHosts {
		text += w.allocation()
	}
	if w.showMap {
		text += w.mapped()
	}
	return text
}

// allocation is a table of the hosts and their slots.
func (w *whereabouts) allocation() string {
	if w.hosts == nil {
		return "no hosts are named: all ranks start on this one\n"
	}
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	fmt.Fprintf(t, "host\tslots\tat most\n")
	for _, h := range w.hosts {
		most := "-"
		if h.Max > 0 {
			most = strconv.Itoa(h.Max)
		}
		fmt.Fprintf(t, "%s\t%d\t%s\n", hostShown(h), h.Slots, most)
	}
	t.Flush()
	return b.String()
}

// mapped is a table of the hosts and their ranks, and of what those are bound to.
func (w *whereabouts) mapped() string {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	if w.hosts == nil {
		fmt.Fprintf(t, "host\tranks\n")
		fmt.Fprintf(t, "%s\t%s\n", boot.LocalHost(), w.ranksShown(0))
	} else {
		fmt.Fprintf(t, "host\tslots\tranks\n")
		for i, h := range w.hosts {
			fmt.Fprintf(t, "%s\t%d\t%s\n", hostShown(h), h.Slots, w.ranksShown(i))
		}
	}
	t.Flush()
	return b.String()
}

// ranksShown lists the ranks on a host: those that are bound to the same CPUs, and
// those that are not bound, together.
func (w *whereabouts) ranksShown(host int) string {
	type group struct{ ranks, cpus []int }
	var groups []group
	for _, rank := range w.ranks[host] {
		cpus := w.places[rank].CPUs
		i := slices.IndexFunc(groups, func(g group) bool { return slices.Equal(g.cpus, cpus) })
		if i < 0 {
			i = len(groups)
			groups = append(groups, group{cpus: cpus})
		}
		groups[i].ranks = append(groups[i].ranks, rank)
	}
	if len(groups) == 0 {
		return "-"
	}
	var parts []string
	for _, g := range groups {
		part := ranges(g.ranks)
		if g.cpus != nil {
			part += " on CPU " + ranges(g.cpus)
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, "; ")
}

// ranges writes ascending numbers as 0-3,8.
func ranges(numbers []int) string {
	var parts []string
	for i := 0; i < len(numbers); {
		j := i
		for j+1 < len(numbers) && numbers[j+1] == numbers[j]+1 {
			j++
		}
		if i == j {
			parts = append(parts, strconv.Itoa(numbers[i]))
		} else {
			parts = append(parts, fmt.Sprintf("%d-%d", numbers[i], numbers[j]))
		}
		i = j + 1
	}
	return strings.Join(parts, ",")
}
