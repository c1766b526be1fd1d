package rank

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/muster-mpi/muster/internal/authority"
	"github.com/muster-mpi/muster/internal/below"
	"github.com/muster-mpi/muster/internal/boot"
	"github.com/muster-mpi/muster/internal/engine"
	"github.com/muster-mpi/muster/internal/hostmem"
	"github.com/muster-mpi/muster/internal/record"
	"github.com/muster-mpi/muster/internal/rendezvous"
	"github.com/muster-mpi/muster/internal/transport"
	"github.com/muster-mpi/muster/internal/transport/inproc"
	pb "github.com/muster-mpi/muster/proto"
)

// enter joins the job named by the environment, or makes one of a single rank.
func enter(ctx context.Context) (*job, error) {
	conn, ok, err := boot.Inherited()
	if err != nil {
		return nil, err
	}
	if !ok {
		return unlaunched(ctx)
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	welcome, files, err := hello(conn)
	if !stop() {
		err = context.Cause(ctx)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return newJob(conn, true, welcome, files)
}

// unlaunched joins a job whose ranks somebody else than muster's launcher has started, or
// makes one of a single rank where there is none.
func unlaunched(ctx context.Context) (*job, error) {
	place, err := rendezvous.Find(os.LookupEnv)
	if err != nil {
		return nil, err
	}
	if place == nil {
		return alone()
	}
	conn, welcome, err := rendezvous.Join(ctx, place, thisProcess())
	if err != nil {
		return nil, err
	}
	return newJob(conn, false, welcome, nil)
}

// alone makes a job of one rank.
func alone() (*job, error) {
	j := &job{
		engine: engine.New(engine.Config{Size: 1}),
		hosts:  []host{{name: boot.LocalHost()}},
		start:  time.Now(),
	}
	loop := inproc.Loop(1, 0, j.engine)
	j.conns = []transport.Conn{loop}
	j.engine.Start(func(int) transport.Conn { return loop }, loop)
	return j, j.found(1, 0)
}

// thisProcess is what this process says of itself.
func thisProcess() *pb.Hello {
	return &pb.Hello{Protocol: boot.Protocol, Pid: int64(os.Getpid()), Build: boot.ThisBuild()}
}

// hello introduces this process to its agent.
func hello(conn party) (*pb.Welcome, []*os.File, error) {
	err := conn.Send(&pb.FromRank{Kind: &pb.FromRank_Hello{Hello: thisProcess()}})
	if err != nil {
		return nil, nil, err
	}
	var answer pb.ToRank
	files, err := conn.Recv(&answer)
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("the agent went away")
		}
		return nil, nil, err
	}
	switch k := answer.Kind.(type) {
	case *pb.ToRank_Welcome:
		w := k.Welcome
		if w.Size < 1 || w.Rank < 0 || w.Rank >= w.Size || len(w.Job) != 16 || len(w.Hosts) == 0 && !w.HostsApart {
			return nil, files, fmt.Errorf("malformed welcome: rank %d of %d, job of %d bytes, %d hosts", w.Rank, w.Size, len(w.Job), len(w.Hosts))
		}
		return w, files, nil
	case *pb.ToRank_Refused:
		return nil, files, fmt.Errorf("refused: %s", k.Refused.Reason)
	}
	return nil, files, fmt.Errorf("the agent answered %T, not Welcome", answer.Kind)
}

// newJob makes the engine and links that w describes.
func newJob(conn party, launched bool, w *pb.Welcome, files []*os.File) (*job, error) {
	defer closeAll(files)
	var records *record.Ring
	var bell *os.File
	rest := files
	if w.Records && len(rest) > 0 {
		records, _ = record.Map(rest[0]) // without it reports say less, nothing else
		rest = rest[1:]
	}
	if w.Bell && len(rest) > 0 {
		bell = rest[0]
		rest = rest[1:]
	}
	if w.AgentPid > 0 {
		boot.AllowCopies(int(w.AgentPid))
	}
	j := &job{start: time.Now()}
	if w.Memory && len(rest) > 0 {
		j.memory, _ = hostmem.Map(rest[0]) // without it collectives go by messages
		rest = rest[1:]
	}
	if w.HostsApart && len(rest) > 0 {
		if err := boot.ReadPlaces(w, rest[0]); err != nil {
			return nil, err
		}
	}
	if w.StartUnixNanos > 0 {
		// The wall clock names the start; from here on only time that passed counts.
		j.start = j.start.Add(-max(0, time.Since(time.Unix(0, w.StartUnixNanos))))
	}
	next := 0
	for _, h := range w.Hosts {
		if int(h.First) != next || h.Count < 1 {
			return nil, fmt.Errorf("malformed welcome: %d ranks of host %s begin with rank %d, after rank %d", h.Count, h.Name, h.First, next-1)
		}
		next += int(h.Count)
		j.hosts = append(j.hosts, host{h.Name, int(h.Host), int(h.First), next - 1})
	}
	if next != int(w.Size) {
		return nil, fmt.Errorf("malformed welcome: hosts hold %d ranks of %d", next, w.Size)
	}
	ctl := &control{
		conn:       conn,
		launched:   launched,
		world:      int(w.Rank),
		leaving:    gate{ch: make(chan struct{})},
		drained:    gate{ch: make(chan struct{})},
		gone:       gate{ch: make(chan struct{})},
		returnable: w.Settings.GetReturnFailures(),
		next:       make(map[int]uint32),
	}
	j.control = ctl
	near := make([]bool, w.Size)
	for _, h := range j.hosts {
		for r := h.first; r <= h.last; r++ {
			near[r] = h.number == j.hostOf(ctl.world).number
		}
	}
	ctl.isNear = func(peer int) bool { return near[peer] }
	self, size := int(w.Rank), int(w.Size)
	j.engine = engine.New(engine.Config{
		Self: self, Size: size,
		Incarnation:     uint32(w.Incarnation),
		EagerBytes:      int(w.Settings.GetEagerBytes()),
		UnexpectedBytes: w.Settings.GetUnexpectedBytes(),
		Records:         records,
		Crowded:         crowded(w),
		Lost:            ctl.lost,
	})
	below.Begin(j.engine)
	ctl.engine = j.engine
	if err := ctl.open(w, bell); err != nil {
		return nil, err
	}
	conns, route := ctl.conns(inproc.Loop(size, self, j.engine))
	j.conns = conns
	j.engine.Start(route, conns...)
	if err := j.found(size, self); err != nil {
		return nil, err
	}
	j.engine.Records().Phase(record.Joined)
	go ctl.listen()
	return j, nil
}

// credentials returns how links speak TLS; nil if they are plain.
func credentials(w *pb.Welcome) (func(peer int, client bool) *tls.Config, error) {
	c := w.Credentials
	if c == nil {
		return nil, nil
	}
	config, err := authority.Config(c)
	if err != nil {
		return nil, err
	}
	return func(int, bool) *tls.Config { return config.Clone() }, nil
}
