//go:build !linux

package launcher

import (
	"context"
	"errors"
	"fmt"
	"runtime"
)

// Examine fails with errors.ErrUnsupported: jobs are started from Linux.
func Examine(context.Context, Exam) (Diagnosis, error) {
	return Diagnosis{}, fmt.Errorf("hosts are examined from Linux, as jobs are started, this is %s: %w", runtime.GOOS, errors.ErrUnsupported)
}
