//go:build linux && (amd64 || arm64) && !race

package stream

import (
	"errors"
	"os"
	"syscall"
	"testing"
	"time"
)

// TestBlockingDescriptorsDoNotBlock: the flags of a descriptor are shared with
// those who had it before, who may have changed them.
func TestBlockingDescriptorsDoNotBlock(t *testing.T) {
	for name, pair := range pairs {
		t.Run(name, func(t *testing.T) {
			p, plain := polledPair(t, pair, time.Millisecond)
			f, err := p.Conn.(interface{ File() (*os.File, error) }).File()
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if err := syscall.SetNonblock(int(f.Fd()), false); err != nil {
				t.Fatal(err)
			}
			done := make(chan error)
			go func() {
				_, err := p.Read(make([]byte, 1))
				done <- err
			}()
			plain.Write([]byte{1})
			if err := <-done; err != nil {
				t.Error(err)
			}
			p.SetReadDeadline(time.Now().Add(time.Millisecond))
			if _, err := p.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("Read with nothing to read: %v, want its deadline to end it", err)
			}
		})
	}
}
