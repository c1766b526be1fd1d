//go:build !linux

package launcher

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/muster-mpi/muster/launcher/internal/agent"
)

// AgentMain says that this system cannot run an agent.
func AgentMain(args ...string) int { return agent.Main(args...) }

// Run checks job and fails with errors.ErrUnsupported: a job of several
// processes needs Linux. rank.Local runs ranks as goroutines anywhere.
func Run(ctx context.Context, job Job, signals Signals) (Result, error) {
	now := time.Now()
	if _, err := plan(&job, now); err != nil {
		return Result{Code: ExitUsage, Start: now}, err
	}
	return Result{Code: ExitSpawn, Start: now}, fmt.Errorf("jobs of several processes need Linux, this is %s: %w", runtime.GOOS, errors.ErrUnsupported)
}
