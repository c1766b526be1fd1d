package main

import (
	"context"

	"github.com/muster-mpi/muster/rank"
)

// pingPong sends a message there and back, n times.
func pingPong(ctx context.Context, p *pair, _ mode, n int, out, in []byte) (int, error) {
	for range n {
		if p.leads {
			if err := rank.Send(ctx, p.world, p.partner, data, out); err != nil {
				return 0, err
			}
		}
		if _, err := rank.Recv(ctx, p.world, p.partner, data, in); err != nil {
			return 0, err
		}
		if !p.leads {
			if err := rank.Send(ctx, p.world, p.partner, data, out); err != nil {
				return 0, err
			}
		}
	}
	return 0, nil
}

// stream sends n windows of messages one way; each is acknowledged as a whole.
// As in the OSU benchmarks all messages of a window have the same memory.
func stream(ctx context.Context, p *pair, _ mode, n int, out, in []byte) (int, error) {
	var acknowledgement [4]byte
	requests := p.requests[:p.window]
	for range n {
		for i := range requests {
			if p.leads {
				requests[i] = rank.Isend(p.world, p.partner, data, out)
			} else {
				requests[i] = rank.Irecv(p.world, p.partner, data, in)
			}
		}
		if err := rank.WaitAll(ctx, requests...); err != nil {
			return 0, err
		}
		if p.leads {
			if _, err := rank.Recv(ctx, p.world, p.partner, control, acknowledgement[:]); err != nil {
				return 0, err
			}
		} else if err := rank.Send(ctx, p.world, p.partner, control, acknowledgement[:]); err != nil {
			return 0, err
		}
	}
	return 0, nil
}

// exchange sends n windows of messages both ways at once.
func exchange(ctx context.Context, p *pair, _ mode, n int, out, in []byte) (int, error) {
	for range n {
		for i := range p.window {
			p.requests[i] = rank.Irecv(p.world, p.partner, data, in)
		}
		for i := range p.window {
			p.requests[p.window+i] = rank.Isend(p.world, p.partner, data, out)
		}
		if err := rank.WaitAll(ctx, p.requests...); err != nil {
			return 0, err
		}
	}
	return 0, nil
}
