package launcher

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/muster-mpi/muster/internal/boot"
	"github.com/muster-mpi/muster/internal/output"
	"github.com/muster-mpi/muster/launcher/internal/agent"
	pb "github.com/muster-mpi/muster/proto"
)

const (
	maxRanks            = 1 << 16
	defaultStartTimeout = 10 * time.Second
	defaultGrace        = 5 * time.Second
	outputWindow        = 1 << 20 // bytes of a rank's output between its pipe and the reader
	stdinNone, stdinAll = -1, -2
)

// plan turns a job into what the agent of its only host has to know.
func plan(job *Job, now time.Time) (*pb.Start, error) {
	id := make([]byte, 16)
	rand.Read(id)
	s := &pb.Start{
		Job:               id,
		StartTimeoutNanos: int64(job.StartTimeout),
		StopTimeoutNanos:  int64(job.StopTimeout),
		OutputWindow:      outputWindow,
		StartUnixNanos:    now.UnixNano(),
	}
	if job.StartTimeout == 0 {
		s.StartTimeoutNanos = int64(defaultStartTimeout)
	}
	base := outside(os.Environ())
	base = append(base, boot.EnvTerminal+"="+terminals(job))
	if err := addApps(s, job.Apps, base); err != nil {
		return nil, err
	}
	s.Hosts = []*pb.HostRun{{Name: boot.LocalHost(), Count: s.Size}}
	var err error
	if s.StdinRank, err = stdinRank(job, int(s.Size)); err != nil {
		return nil, err
	}
	switch job.BindTo {
	case "", "none":
	case "core":
		s.BindCores = true
	default:
		return nil, fmt.Errorf("ranks cannot be bound to %q, only to \"core\" or \"none\"", job.BindTo)
	}
	s.Settings = &pb.Settings{
		Transport:       job.Transport,
		InsecureWire:    job.Insecure,
		EagerBytes:      job.EagerBytes,
		UnexpectedBytes: job.UnexpectedBytes,
		ReturnFailures:  job.OnFailure == ReturnOnFailure,
		Strict:          job.Strict,
	}
	switch job.Transport {
	case "": // the agent settles it
	case "shm", "unix", "tcp":
	default:
		return nil, fmt.Errorf("there is no transport %q, only \"shm\", \"unix\" and \"tcp\"", job.Transport)
	}
	if s.Settings.Transport == "tcp" && !job.Insecure {
		if s.Credentials, err = credentials(hex.EncodeToString(id), int(s.Size)); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// addApps numbers the ranks of apps, whose environment is on top of base.
func addApps(s *pb.Start, apps []App, base []string) error {
	for i, app := range apps {
		switch {
		case app.Ranks < 1:
			return fmt.Errorf("program %d has %d ranks, want 1 or more", i, app.Ranks)
		case int(s.Size)+app.Ranks > maxRanks:
			return fmt.Errorf("the job has more than %d ranks", maxRanks)
		case len(app.Argv) == 0 || app.Argv[0] == "":
			return fmt.Errorf("program %d has no name", i)
		}
		for _, text := range slices.Concat(app.Argv, app.Env, []string{app.Dir}) {
			if strings.ContainsRune(text, 0) {
				return fmt.Errorf("program %d: %q holds a zero byte", i, text)
			}
		}
		s.Apps = append(s.Apps, &pb.AppRun{
			First: s.Size, Count: int32(app.Ranks), Argv: app.Argv, Env: merge(base, outside(app.Env)), Dir: app.Dir,
		})
		s.Size += int32(app.Ranks)
	}
	if s.Size == 0 {
		return errors.New("the job has no program")
	}
	return nil
}

func stdinRank(job *Job, size int) (int32, error) {
	if job.Stdin == nil {
		return stdinNone, nil
	}
	switch job.StdinTo {
	case "":
		return 0, nil
	case "none":
		return stdinNone, nil
	case "all":
		return stdinAll, nil
	}
	rank, err := strconv.Atoi(job.StdinTo)
	if err != nil || rank < 0 || rank >= size {
		return 0, fmt.Errorf("standard input for %q: want \"none\", \"all\" or a rank below %d", job.StdinTo, size)
	}
	return int32(rank), nil
}

// outside returns env without the variables by which a job knows its ranks. A
// job that was started by a rank of another one has none of that one's.
func outside(env []string) []string {
	ours := append(boot.Variables(), agent.EnvSocket)
	return slices.DeleteFunc(slices.Clone(env), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return slices.Contains(ours, name)
	})
}

// merge returns base with the settings of over, each name once.
func merge(base, over []string) []string {
	var merged []string
	at := make(map[string]int)
	for _, kv := range slices.Concat(base, over) {
		name, _, _ := strings.Cut(kv, "=")
		if i, ok := at[name]; ok {
			merged[i] = kv
			continue
		}
		at[name] = len(merged)
		merged = append(merged, kv)
	}
	return merged
}

// terminals names the descriptors of a rank whose output ends at a terminal.
func terminals(job *Job) string {
	var fds string
	if output.IsTerminal(job.Stdout) {
		fds += "1"
	}
	if output.IsTerminal(job.Stderr) {
		fds += "2"
	}
	return fds
}
