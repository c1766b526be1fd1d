package collectives

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/muster-mpi/muster/collectives/algo"
	"github.com/muster-mpi/muster/collectives/schedule"
	"github.com/muster-mpi/muster/collectives/tune"
	"github.com/muster-mpi/muster/rank"
)

// order returns the least order of combination that a call of class c permits.
func (c class) order() algo.Bracketing {
	switch c {
	case canonicalOnly:
		return algo.Canonical
	case orderedOnly:
		return algo.Ordered
	}
	return algo.Unordered
}

// choose returns the algorithm that carries a call out: the one asked for, the one
// that the table names, or the one that should cost least.
func (s *state) choose(q tune.Query) (algo.Algorithm, error) {
	ch, err := s.chooserOf()
	if err != nil {
		return algo.Algorithm{}, err
	}
	c, err := ch.Choose(q)
	if errors.Is(err, tune.ErrUsing) {
		err = fmt.Errorf("%w: %w", rank.ErrArgument, err)
	}
	return c.Algorithm, err
}

// onOneHost are the choosers of communicators whose ranks are all on one host: they
// may come and go, and what was predicted for one holds for all of its size.
var onOneHost sync.Map // of size and link: oneHost to *tune.Chooser

type oneHost struct {
	size int
	link schedule.Link
}

// chooserOf returns the chooser for the communicator's calls.
func (s *state) chooserOf() (*tune.Chooser, error) {
	s.choosing.Lock()
	defer s.choosing.Unlock()
	if s.chooser != nil {
		return s.chooser, nil
	}
	t, err := table()
	if err != nil {
		return nil, err
	}
	local := tune.TCP // sockets of a host take as long, nearly
	switch {
	case s.oneProcess():
		local = tune.InProcess
	case s.below.Memory != nil:
		local = tune.SharedMemory
	}
	s.chooser = tune.New(t, tune.Params(local, tune.TCP))
	if s.below.Hosts == nil {
		ch, _ := onOneHost.LoadOrStore(oneHost{s.comm.Size(), local}, s.chooser)
		s.chooser = ch.(*tune.Chooser)
	}
	return s.chooser, nil
}

// oneProcess reports whether the ranks of this host are goroutines.
func (s *state) oneProcess() bool { return s.below.Memory != nil && s.below.Memory.OneProcess() }

// sharingOf returns which blocking calls go through shared memory. What is wrong with
// a table is said when an algorithm is chosen.
func (s *state) sharingOf(op schedule.Operation, c class) tune.Sharing {
	known := &s.sharings[op][c]
	if *known == nil {
		t, err := table()
		if err != nil {
			return tune.Sharing{{Below: 0, Shared: false}}
		}
		*known, _ = tune.Share(t, op, s.comm.Size(), c.order(), s.oneProcess())
	}
	return *known
}

// TableVariable is the environment variable that names a table made by `muster
// tune`. All ranks must have the same one; that a call's algorithm is the same is
// checked with the call.
const TableVariable = tune.Variable

// table returns the table that the environment names; nil if it names none.
var table = sync.OnceValues(func() (*tune.Table, error) {
	name := os.Getenv(TableVariable)
	if name == "" {
		return nil, nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", rank.ErrArgument, TableVariable, err)
	}
	t, err := tune.Parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %s: %w", rank.ErrArgument, TableVariable, name, err)
	}
	return t, nil
})
