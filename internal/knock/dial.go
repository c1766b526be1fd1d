package knock

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"
)

// headStart is how long a candidate that is connected has the knock to itself before
// the next one tries as well.
const headStart = 250 * time.Millisecond

// Dial connects to all addresses ("host:port") at once and returns the first
// connection on which k is accepted. The addresses are candidates for one place: one
// that leads elsewhere, or nowhere, is passed over. They knock one after the other,
// unless one is slow, so that the owner rarely sees more than one. The error is
// ErrSuperseded if one of them says so, else what each of them answered.
func Dial(ctx context.Context, addresses []string, key []byte, k Knock) (net.Conn, error) {
	if len(addresses) == 0 {
		return nil, errors.New("no address to dial")
	}
	ctx, cancel := context.WithCancel(ctx)
	type outcome struct {
		conn net.Conn
		err  error
	}
	outcomes := make(chan outcome, len(addresses))
	turn := make(chan struct{}, 1) // whoever takes from it may knock
	turn <- struct{}{}
	for _, address := range addresses {
		go func() {
			conn, err := dialOne(ctx, turn, address, key, k)
			if err != nil {
				err = fmt.Errorf("%s: %w", address, err)
			}
			outcomes <- outcome{conn, err}
		}()
	}
	var errs []error
	for i := range addresses {
		o := <-outcomes
		if o.err != nil {
			errs = append(errs, o.err)
			if !errors.Is(o.err, ErrSuperseded) {
				continue
			}
		}
		cancel()
		go func() { // the others end soon
			for range addresses[i+1:] {
				if late := <-outcomes; late.conn != nil {
					late.conn.Close()
				}
			}
		}()
		return o.conn, o.err
	}
	cancel()
	return nil, errors.Join(errs...)
}

// again is how long Dial waits before it tries once more where a connection was closed
// before the end of the handshake, as a crowded Listener does.
const again = 10 * time.Millisecond

// dialOne connects to address and knocks there when it is its turn.
func dialOne(ctx context.Context, turn chan struct{}, address string, key []byte, k Knock) (net.Conn, error) {
	for begin := time.Now(); ; {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err == nil {
			if err = knockInTurn(ctx, turn, conn, key, k); err == nil {
				return conn, nil
			}
			conn.Close()
		}
		// A connection may be closed before this end knows that it stands.
		closed := errors.Is(err, errClosed) || errors.Is(err, syscall.ECONNRESET)
		if !closed || ctx.Err() != nil || time.Since(begin) > Patience {
			return nil, err
		}
		select {
		case <-time.After(again):
		case <-ctx.Done():
		}
	}
}

// knockInTurn knocks on conn once it holds the turn, or has waited for it, and passes
// the turn on if conn leads nowhere.
func knockInTurn(ctx context.Context, turn chan struct{}, conn net.Conn, key []byte, k Knock) error {
	wait := time.NewTimer(headStart)
	defer wait.Stop()
	select {
	case <-turn:
	case <-wait.C:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	err := Write(conn, key, k)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		select {
		case turn <- struct{}{}:
		default:
		}
	}
	return err
}
