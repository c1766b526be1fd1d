package algo

import "github.com/muster-mpi/muster/collectives/schedule"

var allToAllTwoLevel = Algorithm{
	Name: "two-level", Op: schedule.AllToAll, Build: buildAllToAllTwoLevel,
	Refuses: either(needsTwoLevels, needsBlocksOfOneLength),
	Cost: "all blocks to the leader of a host and back, p·n·β for each of its m ranks, with two copies; " +
		"(hosts−1)·(α + m²·n·β) between hosts",
	Source: "Träff, Rougier: MPI Collectives and Datatypes for Hierarchical All-to-all Communication (2014)",
}

// buildAllToAllTwoLevel has one message go from each host to each other, with all
// that the ranks of the one have for those of the other.
func buildAllToAllTwoLevel(s *schedule.Schedule, c *schedule.Call) {
	h, n := hostsOf(c), c.Count
	order := h.inOrder()
	mine := s.Scratch(c.Size * n) // what goes from this rank, then what comes to it
	at := func(v schedule.Span, i int) schedule.Span { return v.Part(i*n, n) }
	for i, r := range order {
		s.Copy(at(mine, i), fromBlock(c, r))
	}
	if h.leads() {
		h.exchange(s, mine)
	} else {
		s.Send(h.leaders[h.mine], mine)
		s.Recv(h.leaders[h.mine], mine)
	}
	for i, r := range order {
		s.Copy(c.ToBlock(r), at(mine, i))
	}
}

// exchange is what a leader does: it takes what its ranks send, a block for each
// rank host by host, exchanges with the other leaders, and gives its ranks what
// comes to them, ordered alike. Its own is in mine, before and after.
func (h *hosts) exchange(s *schedule.Schedule, mine schedule.Span) {
	ranks, n := h.ranks[h.mine], h.c.Count
	from := make([]schedule.Span, len(ranks)) // what came from each rank of this host
	for i, r := range ranks {
		if from[i] = mine; r != h.c.Rank {
			from[i] = s.Scratch(mine.Len)
			s.Recv(r, from[i])
		}
	}
	came := make([]schedule.Span, len(h.ranks)) // from each host: by its ranks, then by those here
	for host, theirs := range h.ranks {
		length := len(ranks) * len(theirs) * n
		out := s.Scratch(length)
		h.pack(s, out, from, host)
		if came[host] = out; host != h.mine {
			s.Send(h.leaders[host], out)
			came[host] = s.Scratch(length)
		}
	}
	for host := range h.ranks {
		if host != h.mine {
			s.Recv(h.leaders[host], came[host])
		}
	}
	for i, r := range ranks {
		to := from[i]
		for host, theirs := range h.ranks {
			for k := range theirs {
				s.Copy(to.Part((h.start(host)+k)*n, n), came[host].Part((k*len(ranks)+i)*n, n))
			}
		}
		if r != h.c.Rank {
			s.Send(r, to)
		}
	}
}

// pack copies to out what the ranks of this host have for a host, rank by rank.
func (h *hosts) pack(s *schedule.Schedule, out schedule.Span, from []schedule.Span, host int) {
	n := len(h.ranks[host]) * h.c.Count
	for i, v := range from {
		s.Copy(out.Part(i*n, n), v.Part(h.start(host)*h.c.Count, n))
	}
}
