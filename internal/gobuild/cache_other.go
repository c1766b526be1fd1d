//go:build !linux && !darwin

package gobuild

import (
	"context"
	"errors"
	"os"
)

// openCache fails: without file locks a program could be replaced while ranks
// are being started from it, so each launcher builds its own.
func (b *builder) openCache() (string, error) {
	return "", errors.New("no cache of programs on this system")
}

func (b *builder) inCache(ctx context.Context, cache string) (*Program, error) {
	return b.inTemp(ctx)
}

func interrupt(p *os.Process) error { return p.Kill() }
