package main

import (
	"context"

	"github.com/muster-mpi/muster/launcher"
)

// launch runs a job and returns its exit code. An error is one that the launcher
// has not reported yet. Tests put their own in its place.
var launch = func(ctx context.Context, job launcher.Job, signals launcher.Signals) (int, error) {
	result, err := launcher.Run(ctx, job, signals)
	return result.Code, err
}
