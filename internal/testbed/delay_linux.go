package testbed

import (
	"container/heap"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// delayMain carries frames between two tap devices until it is killed.
func delayMain(text string) error {
	var d delay
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		return err
	}
	var taps [2]*os.File
	for i, name := range d.Taps {
		var err error
		if taps[i], err = openTap(name); err != nil {
			return err
		}
	}
	failed := make(chan error)
	for i := range taps {
		q := &queue{full: make(chan struct{}, 1)}
		random := rand.New(rand.NewPCG(d.Seed, uint64(i)))
		go func() { failed <- q.fill(taps[i], d, random) }()
		go func() { failed <- q.drain(taps[1-i]) }()
	}
	return <-failed
}

// openTap opens a device that exists.
func openTap(name string) (*os.File, error) {
	const (
		tunSetIff = 0x400454ca
		tap       = 0x2
		noInfo    = 0x1000
	)
	fd, err := syscall.Open("/dev/net/tun", syscall.O_RDWR|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("/dev/net/tun: %w", err)
	}
	request := struct {
		name  [16]byte
		flags uint16
		_     [22]byte
	}{flags: tap | noInfo}
	copy(request.name[:15], name)
	if _, _, e := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), tunSetIff, uintptr(unsafe.Pointer(&request))); e != 0 {
		syscall.Close(fd)
		return nil, fmt.Errorf("tap device %s: %w", name, e)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// A frame waits for when it is due. Those due at once keep their order.
type frame struct {
	due   time.Time
	order uint64
	bytes []byte
}

type frames []frame

func (f frames) Len() int      { return len(f) }
func (f frames) Swap(i, j int) { f[i], f[j] = f[j], f[i] }
func (f *frames) Push(x any)   { *f = append(*f, x.(frame)) }
func (f frames) Less(i, j int) bool {
	return f[i].due.Before(f[j].due) || f[i].due.Equal(f[j].due) && f[i].order < f[j].order
}

func (f *frames) Pop() any {
	last := len(*f) - 1
	x := (*f)[last]
	(*f)[last] = frame{}
	*f = (*f)[:last]
	return x
}

// A queue is the frames of one direction that are under way.
type queue struct {
	full chan struct{} // a frame has come that is due first

	mu     sync.Mutex
	frames frames
	order  uint64
}

// fill takes frames from a device. Beyond 50000 under way it loses them.
func (q *queue) fill(from io.Reader, d delay, random *rand.Rand) error {
	b := make([]byte, 1<<16)
	for {
		n, err := from.Read(b)
		if err != nil {
			return err
		}
		times := 1
		if random.Float64()*100 < d.Duplicates {
			times = 2
		}
		now := time.Now()
		q.mu.Lock()
		for range times {
			due := now.Add(d.Delay)
			if d.Jitter > 0 {
				due = due.Add(time.Duration(random.Int64N(int64(d.Jitter) + 1)))
			}
			if len(q.frames) < 50000 {
				heap.Push(&q.frames, frame{due, q.order, append([]byte(nil), b[:n]...)})
				q.order++
			}
		}
		q.mu.Unlock()
		select {
		case q.full <- struct{}{}:
		default:
		}
	}
}

// drain gives frames to a device when they are due.
func (q *queue) drain(to io.Writer) error {
	clock := time.NewTimer(time.Hour)
	for {
		q.mu.Lock()
		wait := time.Hour
		var next frame
		if len(q.frames) > 0 {
			if wait = time.Until(q.frames[0].due); wait <= 0 {
				next = heap.Pop(&q.frames).(frame)
			}
		}
		q.mu.Unlock()
		if next.bytes != nil {
			if _, err := to.Write(next.bytes); err != nil {
				return err
			}
			continue
		}
		clock.Reset(wait)
		select {
		case <-clock.C:
		case <-q.full:
		}
	}
}
