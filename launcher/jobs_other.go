//go:build !linux

package launcher

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"
)

type jobHandle struct{}

var errJobs = fmt.Errorf("jobs of several processes need Linux, this is %s: %w", runtime.GOOS, errors.ErrUnsupported)

// Jobs fails with errors.ErrUnsupported: jobs run on Linux.
func Jobs() ([]JobStatus, error) { return nil, errJobs }

// Stacks fails with errors.ErrUnsupported.
func (j *JobStatus) Stacks(ctx context.Context, rank int) (*Stacks, error) { return nil, errJobs }

// Kill fails with errors.ErrUnsupported.
func (j *JobStatus) Kill(ctx context.Context, now bool) (time.Duration, error) { return 0, errJobs }
