// Flood shows that a rank which is sent more than it asks for holds no more
// than it is allowed: all other ranks send to rank 0, with blocking sends, while
// rank 0 sleeps; then it receives everything, in order, and reports by how much
// its memory grew meanwhile.
//
//	muster run -n 2 --unexpected 64MiB ./bench/flood -messages 10000000
package main

import (
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/muster-mpi/muster/rank"
)

func main() {
	messages := flag.Int("messages", 1_000_000, "messages in all")
	bytes := flag.Int("bytes", 1024, "bytes of each, at least 8")
	limit := flag.Float64("limit", 80, "MiB by which rank 0 may grow at most")
	sleep := flag.Duration("sleep", 3*time.Second, "how long rank 0 sleeps first")
	flag.Parse()
	rank.Run(func(ctx context.Context, world *rank.Comm) error {
		if world.Size() < 2 || *bytes < 8 || *messages < 0 {
			return fmt.Errorf("flood wants 2 ranks, 8 bytes and 0 messages at least; got %d, %d, %d", world.Size(), *bytes, *messages)
		}
		each := *messages / (world.Size() - 1)
		if world.Rank() != 0 {
			return send(ctx, world, each, *bytes)
		}
		return receive(ctx, world, each, *bytes, *sleep, *limit)
	})
}

// send sends count numbered messages.
func send(ctx context.Context, world *rank.Comm, count, bytes int) error {
	buf := make([]byte, bytes)
	for i := range count {
		binary.LittleEndian.PutUint64(buf, uint64(i))
		if err := rank.Send(ctx, world, 0, 0, buf); err != nil {
			return err
		}
	}
	return nil
}

// receive takes count messages from each other rank and checks their order and
// by how many MiB its memory grew.
func receive(ctx context.Context, world *rank.Comm, count, bytes int, sleep time.Duration, limit float64) error {
	before, err := resident("VmRSS")
	if err != nil {
		return err
	}
	time.Sleep(sleep)
	next := make([]int, world.Size())
	buf := make([]byte, bytes)
	start := time.Now()
	for range count * (world.Size() - 1) {
		status, err := rank.Recv(ctx, world, rank.AnySource, 0, buf)
		if err != nil {
			return err
		}
		if got := int(binary.LittleEndian.Uint64(buf)); got != next[status.Source] {
			return fmt.Errorf("message %d from rank %d where %d was next", got, status.Source, next[status.Source])
		}
		next[status.Source]++
	}
	elapsed := time.Since(start)
	peak, err := resident("VmHWM")
	if err != nil {
		return err
	}
	n := count * (world.Size() - 1)
	fmt.Printf("%d messages of %d bytes, all received in order in %.1f s (%.0f thousand a second)\n", n, bytes, elapsed.Seconds(), float64(n)/elapsed.Seconds()/1e3)
	fmt.Printf("memory of rank 0: %.1f MiB before, %.1f MiB at most: grew by %.1f MiB\n", before, peak, peak-before)
	if peak-before > limit {
		return fmt.Errorf("memory grew by %.1f MiB, want %.1f at most", peak-before, limit)
	}
	return nil
}

// resident returns a line of this process's memory figures, in MiB.
func resident(key string) (float64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == key+":" {
			kib, err := strconv.ParseFloat(f[1], 64)
			return kib / 1024, err
		}
	}
	return 0, fmt.Errorf("/proc/self/status has no %s", key)
}
