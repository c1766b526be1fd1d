package launcher

import (
	"sync"

	"github.com/muster-mpi/muster/internal/output"
	pb "github.com/muster-mpi/muster/proto"
)

// feed takes the ranks' output from the agent to the sink. Each rank that prints
// has a goroutine for as long as there is something to write, so a slow reader
// holds up that rank and no other. How much can wait is bounded by the credit
// that the agent has.
type feed struct {
	sink   *output.Sink
	credit func(rank int32, bytes int64)

	mu    sync.Mutex
	lanes map[int32]*lane
	busy  sync.WaitGroup
}

type lane struct {
	waiting []*pb.Output
	running bool
}

func newFeed(sink *output.Sink, credit func(rank int32, bytes int64)) *feed {
	return &feed{sink: sink, credit: credit, lanes: make(map[int32]*lane)}
}

func (f *feed) put(o *pb.Output) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.lanes[o.GetRank()]
	if l == nil {
		l = new(lane)
		f.lanes[o.GetRank()] = l
	}
	l.waiting = append(l.waiting, o)
	if !l.running {
		l.running = true
		f.busy.Go(func() { f.drain(l) })
	}
}

func (f *feed) drain(l *lane) {
	for {
		f.mu.Lock()
		batch := l.waiting
		l.waiting = nil
		if batch == nil {
			l.running = false
			f.mu.Unlock()
			return
		}
		f.mu.Unlock()
		for _, o := range batch {
			// An error is a reader that has gone, which Run learns from the sink.
			// The ranks must not wait for it.
			f.sink.Write(int(o.GetRank()), o.GetStderr(), o.GetData(), o.GetEof())
			if n := len(o.GetData()); n > 0 {
				f.credit(o.GetRank(), int64(n))
			}
		}
	}
}

// drained returns a channel that closes when everything that was put is written.
func (f *feed) drained() <-chan struct{} {
	done := make(chan struct{})
	go func() {
		f.busy.Wait()
		close(done)
	}()
	return done
}
