package stream

import (
	"errors"
	"fmt"
	"hash/crc32"

	"google.golang.org/grpc/mem"

	"github.com/muster-mpi/muster/internal/layout"
	"github.com/muster-mpi/muster/internal/wire"
)

// read delivers what arrives on s until s breaks.
func (l *link) read(s *session) {
	var in incoming
	for {
		err := s.stream.RecvMsg(&in)
		if err == nil {
			err = l.packet(s, in.bufs)
			in.bufs.Free()
			clear(in.bufs)
		}
		if err != nil {
			if errors.Is(err, ErrMalformed) {
				err = fmt.Errorf("rank %d sent a %w", l.peer, err)
			}
			l.mu.Lock()
			s.breakLocked(err)
			l.wakeLocked()
			l.mu.Unlock()
			return
		}
	}
}

// packet handles one packet: its acknowledgement, its frames, and the
// acknowledgement that is due for it in turn.
func (l *link) packet(s *session, bufs mem.BufferSlice) error {
	c := newCursor(bufs)
	if c.left < packetHead {
		return fmt.Errorf("%w: %d bytes, want at least %d", ErrMalformed, c.left, packetHead)
	}
	b := c.take(packetHead, &l.decoder.scratch)
	if s.checks && !intact(b, c) {
		return fmt.Errorf("from rank %d: %w", l.peer, errCorrupt)
	}
	var h packetHeader
	if err := h.parse(b); err != nil {
		return err
	}
	fresh, err := l.arrived(&h, c.left)
	if err != nil {
		return err
	}
	if fresh {
		l.calls.Lock()
		err = l.decoder.frames(&c, func(h *wire.Header, payload []byte) {
			l.c.h.Deliver(l.peer, h, layout.Of(payload))
		})
		l.calls.Unlock()
		l.mu.Lock()
		l.received = h.seq
		l.mu.Unlock()
		// What the Handler has to answer goes first, to take the
		// acknowledgement along.
		l.c.h.Idle()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.done) > 0 {
		l.releaseLocked()
	}
	l.delivered(&h)
	return err
}

// intact compares a packet's checksum; head is its header and frames the rest.
func intact(head []byte, frames cursor) bool {
	var h packetHeader
	if h.parse(head) != nil {
		return false
	}
	var bare [packetHead]byte
	copy(bare[:], head)
	clear(bare[16:20])
	return crc32.Update(frames.checksum(), castagnoli(), bare[:]) == h.crc
}

// arrived takes the acknowledgement of a packet and reports whether its frames
// are to be delivered.
func (l *link) arrived(h *packetHeader, frames int) (fresh bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lost == nil {
		if err := l.acknowledgeLocked(h.ack); err != nil {
			return false, err
		}
	}
	switch {
	case h.seq == 0 && frames > 0:
		return false, fmt.Errorf("%w: %d bytes of frames without a sequence number", ErrMalformed, frames)
	case h.seq > l.received+1:
		return false, fmt.Errorf("%w: sequence number %d, want %d", ErrMalformed, h.seq, l.received+1)
	case h.seq > l.received && (l.peerClose || l.lost != nil):
		return false, fmt.Errorf("%w: sequence number %d after its last, %d", ErrMalformed, h.seq, l.received)
	}
	return h.seq == l.received+1, nil
}

// delivered sees to the acknowledgement of a packet: at once if the peer asks,
// else with the next packet that way, else after AckDelay.
func (l *link) delivered(h *packetHeader) {
	if h.seq == 0 {
		return
	}
	if h.flags&flagFin != 0 {
		l.peerClose = true
	}
	switch {
	case l.reported >= l.received: // the answer has taken it along
	case h.flags&(flagAckNow|flagFin) != 0:
		l.ackNow = true
		l.wakeLocked()
	case l.ackTimer == nil:
		l.ackTimer = l.c.cfg.AfterFunc(l.c.cfg.AckDelay, l.ackDue)
	}
}

func (l *link) ackDue() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ackTimer = nil
	if l.session != nil && l.reported < l.received {
		l.ackNow = true
		l.wakeLocked()
	}
}
