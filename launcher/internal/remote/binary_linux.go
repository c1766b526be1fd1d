package remote

import (
	"context"
	"fmt"
	"runtime"
)

// other returns the binary for a platform that is not ours.
func (b AgentBinary) other(ctx context.Context, there platform) (*agentFile, error) {
	goarch := there.goarch()
	if goarch == "" {
		return nil, fmt.Errorf("the host's machine is %s, for which Go makes no programs", there.machine)
	}
	make := b.Other
	if make == nil {
		make = buildAgent
	}
	path, release, err := make(ctx, "linux", goarch)
	if err != nil {
		return nil, fmt.Errorf("the host is linux/%s and this launcher %s/%s; the agent for it cannot be made: %w",
			goarch, runtime.GOOS, runtime.GOARCH, err)
	}
	f, err := b.file(path, release)
	if err != nil {
		release()
	}
	return f, err
}
