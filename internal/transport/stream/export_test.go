package stream

import (
	"crypto/tls"
)

import "net"

// OneConn returns a listener that accepts conn and no more.
func OneConn(conn net.Conn) net.Listener { return &oneConn{conn} }

// Inject sends b to peer as one gRPC message on the connection in use.
func (c *Conn) Inject(peer int, b []byte) error {
	l, err := c.link(peer)
	if err != nil {
		return err
	}
	l.mu.Lock()
	s := l.session
	l.mu.Unlock()
	return s.stream.SendMsg(newOutgoing(b, nil))
}

// Kept returns the bytes kept for peer: queued, and sent but not acknowledged.
func (c *Conn) Kept(peer int) int {
	l, err := c.link(peer)
	if err != nil {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.queued + l.unacked
}

// Handshake does the TLS handshake of one end.
func Handshake(conn net.Conn, cfg *tls.Config, client bool, identity string) error {
	_, err := Secure(conn, cfg, client, identity, 64<<10)
	return err
}
