package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/muster-mpi/muster/rank"
)

// memory prints what all ranks hold while they wait at a barrier made of
// messages to and from rank 0: the sum of their proportional set sizes.
func memory(ctx context.Context, world *rank.Comm) error {
	n := world.Size()
	if world.Rank() != 0 {
		if err := rank.Send(ctx, world, 0, control, []int64{int64(os.Getpid())}); err != nil {
			return err
		}
		_, err := rank.Recv(ctx, world, 0, control, []int64{0})
		return err
	}
	pids := make([]int64, n)
	pids[0] = int64(os.Getpid())
	for r := 1; r < n; r++ {
		if _, err := rank.Recv(ctx, world, r, control, pids[r:r+1]); err != nil {
			return err
		}
	}
	var sum int64
	for _, pid := range pids {
		bytes, err := proportional(pid)
		if err != nil {
			return err
		}
		sum += bytes
	}
	for r := 1; r < n; r++ {
		if err := rank.Send(ctx, world, r, control, []int64{0}); err != nil {
			return err
		}
	}
	fmt.Printf("sample test=memory size=0 rep=0 ranks=%d bytes=%d\n", n, sum)
	return nil
}

// proportional is the memory of a process with each shared page counted by its
// share.
func proportional(pid int64) (int64, error) {
	name := fmt.Sprintf("/proc/%d/smaps_rollup", pid)
	text, err := os.ReadFile(name)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "Pss:" {
			kib, err := strconv.ParseInt(f[1], 10, 64)
			return kib * 1024, err
		}
	}
	return 0, fmt.Errorf("%s has no line Pss", name)
}
