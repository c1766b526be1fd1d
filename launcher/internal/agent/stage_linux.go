package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	pb "github.com/muster-mpi/muster/proto"
)

// stage sees to it that the host has the programs of its ranks, and then starts them.
// It is a goroutine of its own until then.
func (h *host) stage() {
	programs, err := h.collect()
	h.post(func() {
		if errors.Is(err, errEnding) {
			h.onSpawned(nil)
			return
		}
		if err != nil {
			h.onSpawned(&spawnError{rank: -1, code: ExitSpawn, err: fmt.Errorf("cannot place the program on %s: %w", h.hostName(), err)})
			return
		}
		h.programs = programs
		go (&spawner{h: h}).run()
	})
}

// collect returns the paths of the programs that the launcher provides, by digest. It
// asks for those which are not here.
func (h *host) collect() (map[string]string, error) {
	paths := make(map[string]string)
	var wanted []*pb.Program
	var names []string
	want := func(p *pb.Program, name string) {
		if p == nil {
			return
		}
		if _, ok := paths[string(p.GetDigest())]; !ok {
			paths[string(p.GetDigest())] = ""
			wanted, names = append(wanted, p), append(names, name)
		}
	}
	for _, app := range h.start.GetApps() {
		want(app.GetProgram(), string(app.GetArgv()[0]))
		for _, f := range app.GetFiles() {
			want(f.GetContent(), "")
		}
	}
	if len(wanted) == 0 {
		return paths, nil
	}
	s, err := openStore()
	if err != nil {
		return nil, err
	}
	h.post(func() {
		h.store = s
		if s.private {
			h.scratch = append(h.scratch, s.dir)
		}
	})
	missing := make(map[string]*pb.Program)
	need := new(pb.Need)
	var stored [][]byte
	for i, p := range wanted {
		if path, ok := s.find(p); ok {
			paths[string(p.GetDigest())] = path
			stored = append(stored, p.GetDigest())
			continue
		}
		if holds(names[i], p) {
			paths[string(p.GetDigest())] = names[i] // as on a file system that the hosts share
			continue
		}
		missing[string(p.GetDigest())] = p
		need.Digests = append(need.Digests, p.GetDigest())
	}
	h.offer(stored...)
	if len(missing) == 0 {
		return paths, nil
	}
	h.send(&pb.FromAgent{Kind: &pb.FromAgent_Need{Need: need}})
	return paths, h.receive(s, missing, paths)
}

// programNews is something about a program that is missing. One field is set.
type programNews struct {
	blob    *pb.Blob  // a piece, from the launcher
	fetch   *pb.Fetch // where to get it
	fetched *fetched  // what has come of that
}

// receive takes what is missing into the store.
func (h *host) receive(s *store, missing map[string]*pb.Program, paths map[string]string) error {
	coming := make(map[string]*incoming)
	ctx, cancel := context.WithCancel(context.Background())
	var fetching sync.WaitGroup
	defer func() {
		cancel()
		fetching.Wait()
		for _, in := range coming {
			in.abandon()
		}
	}()
	has := func(p *pb.Program, path string) {
		paths[string(p.GetDigest())] = path
		delete(missing, string(p.GetDigest()))
		h.offer(p.GetDigest())
	}
	for len(missing) > 0 {
		news := h.news.Take()
		if news == nil {
			return errEnding
		}
		for _, d := range news {
			switch {
			case d.fetch != nil:
				if p := missing[string(d.fetch.GetDigest())]; p != nil {
					fetching.Go(func() { h.fetch(ctx, s, p, d.fetch.GetFrom()) })
				}
			case d.fetched != nil && d.fetched.path == "":
				h.send(&pb.FromAgent{Kind: &pb.FromAgent_Need{Need: &pb.Need{
					Digests: [][]byte{d.fetched.program.GetDigest()}, FromLauncher: true,
				}}})
			case d.fetched != nil:
				has(d.fetched.program, d.fetched.path)
			default:
				p := missing[string(d.blob.GetDigest())]
				if p == nil {
					continue // twice
				}
				path, err := s.take(coming, p, d.blob)
				if err != nil {
					return err
				}
				if path != "" {
					has(p, path)
				}
			}
		}
	}
	return nil
}

// offer tells the launcher that other hosts can have these programs from this one.
func (h *host) offer(digests ...[]byte) {
	if len(digests) > 0 {
		h.send(&pb.FromAgent{Kind: &pb.FromAgent_Staged{Staged: &pb.Staged{Digests: digests}}})
	}
}

// holds reports whether the file at path is the program.
func holds(path string, p *pb.Program) bool {
	if !strings.Contains(path, "/") {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	return executable(path) == nil && isProgram(f, p)
}

// removeScratch removes what was made for this job alone.
func (h *host) removeScratch() error {
	var errs []error
	for _, dir := range h.scratch {
		errs = append(errs, os.RemoveAll(dir))
	}
	return errors.Join(errs...)
}
