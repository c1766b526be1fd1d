// Package stream links ranks by gRPC over connections that somebody else hands
// in: Unix socket pairs, TCP, TCP with mutual TLS.
//
// # The road of a frame
//
// Send copies a small frame to the end of the packet that is being filled, and
// a goroutine per link writes packets as gRPC takes them: the busier the link,
// the fuller its packets. With nothing under way, Send writes the packet itself
// and spares two goroutine switches. The packet is one message on the one
// bidirectional stream of the connection, passed through gRPC by a raw codec.
// The other end delivers frames from where gRPC received them; only a frame
// that straddles two of gRPC's buffers is gathered first, and Bulk not even
// then.
//
// Bulk above Config.Copy is Held: its packets consist of a header of ours and
// the caller's memory. Measured against copying each part into the packet
// (Unix sockets, 4 MiB frames, five alternating runs on a busy two-core
// machine): 0.72 against 0.90 seconds of processor time for each GB, both ends
// together. Strided Bulk is copied: gathering it is a copy anyway. Windows of
// 512 KiB to 4 MiB, packets of 64 to 256 KiB and buffers of 64 or 256 KiB differ
// by less than two runs do, so the defaults are modest.
//
// One connection for each pair carries everything. Of gRPC alone it was measured
// that four gain a quarter over Unix sockets and nothing over TCP, on two cores;
// they would cost the order that the contract promises. The number given to
// Attach is room to try again.
//
// # Reconnecting
//
// Packets are numbered and kept until the peer acknowledges them, with a packet
// of its own or, after a while or when asked, alone. When a connection breaks,
// the link asks for another, both ends say in the handshake what they have
// received, and what is missing is sent again. So each frame is delivered once,
// in order, whatever connections do. Only when no connection can be had, when
// the peer is known to be dead, or when what it says makes no sense, is it lost.
//
// Memory is bounded by Config.Queue and Config.Window for each peer, and by
// HTTP/2's window for what has arrived and is not read yet. A frame that is not
// Bulk and longer than all of Queue is taken once the queue is empty.
package stream
