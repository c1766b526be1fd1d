package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

var both = []string{"latency", "bw"}

// limits are in the order in which they are shown.
var limits = []limit{
	{name: "memcpy", tests: both, run: copying},
	{name: "flag", tests: []string{"latency"}, run: flagPingPong},
	{name: "unix", tests: both, run: overSocket},
	{name: "unix-poll", tests: []string{"latency"}, run: overSocket},
	{name: "tcp", tests: both, run: overSocket},
	{name: "tcp-poll", tests: []string{"latency"}, run: overSocket},
	{name: "tls", tests: both, run: overSocket},
	{name: "grpc", tests: both, most: 4 << 20, run: overGRPC},
}

// serve is the second process: it has its end in descriptor 3.
func serve(_ context.Context, kind string, o *options) error {
	f := os.NewFile(3, kind)
	switch kind {
	case "flag":
		return serveFlag(f)
	case "grpc":
		return serveGRPC(f, o)
	}
	return serveSocket(f, kind, o)
}

// second starts the second process of kind with f, and returns how to wait for
// its end.
func second(ctx context.Context, kind string, f *os.File) (wait func() error, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, os.Args[1:]...)
	cmd.Env = append(os.Environ(), childVariable+"="+kind)
	cmd.ExtraFiles = []*os.File{f}
	cmd.Stderr = os.Stderr
	// It has nothing to live for without this process, wherever that ends.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return func() error {
		if err := cmd.Wait(); err != nil {
			return fmt.Errorf("the second process: %w", err)
		}
		return nil
	}, nil
}
