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
// together. Strided Bulk is copied: gathering it is a copy anyway.
//
// One connection for each pair carries everything. Of gRPC alone it was measured
// that four gain a quarter over Unix sockets and nothing over TCP, on two cores;
// they would cost the order that the contract promises. The number given to
// Attach is room to try again.
//
// # Speed
//
// Two processes on two cores of a virtual machine (Zen 4), each with GOMAXPROCS=1
// as muster run has it, medians of alternating rounds of BenchmarkProcesses:
//
//	                 a link     polling socket  blocking socket  gRPC as it comes
//	Unix   8 B       5.9 µs     2.1 µs          11 µs            39 µs
//	       4 MiB     5.5 GB/s   9.2 GB/s        5.2 GB/s         1.3 GB/s
//	       64 B      8.0 M/s                                     0.7 M/s
//	TCP    8 B       9.5 µs     4.3 µs          14 µs            46 µs
//	       4 MiB     2.8 GB/s   3.8 GB/s        3.1 GB/s         1.1 GB/s
//	       64 B      6.3 M/s                                     0.6 M/s
//	TLS    8 B       17 µs      crypto/tls over a blocking socket: 11 µs
//	       4 MiB     0.96 GB/s  crypto/tls: 0.93 GB/s
//
// Waking. The processor time of 8 bytes is about 4 µs one way inside gRPC, two
// goroutine switches at each end, and 2 µs (Unix) or 4 µs (TCP) in the kernel. To
// wake a core that sleeps costs 25 to 150 µs on top. So the socket below gRPC is a
// polled one: it reads again and again for Config.Spin before it leaves the
// waiting to the runtime, and between two reads other goroutines have the
// processor. 100 µs, because less than a wake-up makes two ends miss each other
// for ever, each asleep while the other polls. Now and then it yields the core: two
// ranks that the system has put on one of its two cores then still reach each
// other, and both being runnable is what makes the system part them; until then
// they yield after each look, which makes 7.2 µs (Unix) and 9.6 µs (TCP) of 10.0
// and 12.3. Where yielding shows that somebody else computes there, fewer and fewer
// reads poll. With more ranks than cores none does. Two looks are left out because
// they would only be in the way: one right after a read that emptied the socket,
// and those while a packet is on its way through gRPC's writer, which steps aside
// once for every batch under 1000 bytes.
//
// System calls on the socket are made raw. They never block, and the scheduler
// otherwise takes the processor away from a long copy and wakes a thread for it.
//
// Copies. gRPC cuts messages into HTTP/2 frames of 16 KiB and copies each into
// its write buffer, and from its read buffer into one of its own; the last copy is
// the engine's, to where the message belongs. gRPC's pool clears each buffer it
// hands out, which was one part in twenty of the processor time; ours does not. A
// checksum (CRC32C, plain TCP only) is computed once by each end, over pieces on
// their way through the cache: 0.11 of the 0.53 ms that a MiB costs both ends together.
//
// Buffers. 256 KiB go through the kernel at a time; 64 KiB cost a tenth more
// processor time, 512 KiB no less that could be told from noise. The memory is
// pooled and an idle link without TLS holds none. The windows of HTTP/2 are fixed and larger
// than what a link may have under way. Unix sockets are given room for 1 MiB: by
// default Linux lets a writer sleep until 52 of 208 KiB are left, which the reader
// has read before it is awake. TLS has buffers of its own below it, since
// crypto/tls makes system calls for each record of 16 KiB.
//
// Pacing. TCP between two processes of one host does without congestion control
// that paces: with BBR as the system's choice, and others on the machine, 4 MiB
// messages came at 0.6 of the speed.
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
