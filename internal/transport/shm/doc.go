// Package shm links ranks that are processes of one host through memory that they share.
//
// Each pair of ranks that talk has one segment (package segment), handed out by whoever
// started both; memory grows with the peers that one really talks to. In it lies a ring for
// each direction, which one side fills and the other empties. A frame lies in the ring in
// one piece, in lines of 64 bytes, behind a control word that is written last and carries
// the number of its round of the ring: so to receive is to look at one word that stays in
// the cache until it changes, an 8-byte message with its header is one line that moves
// once, and what a sender that died had not finished does not exist.
//
// Who waits polls (transport.Poller). Who does not says so in the segment and is rung. That
// costs a sender nothing: what orders "published, then looked whether to ring" against
// "dozing, then looked for frames" is one membarrier(2) by the side that dozes, on all cores,
// in place of a fence at each frame; only where the kernel forbids it frames pay.
//
// A payload larger than a quarter of the ring goes in pieces, Bulk straight from the
// sender's memory as frames of their own, which the receiver copies while the next piece
// comes. What both processes' kernel permits is copied from memory to memory instead
// (transport.Direct), after each side has proved that it can: the peer has written where in its
// memory a secret lies, and reading it there finds it.
//
// A peer is trusted no further than its frames can be checked. All that it writes is read
// once, into this process's own memory, before it is checked and used; positions and
// lengths are held against the ring; the first that is wrong ends the link with an error
// that says which. Payloads are handed on where they lie, and a peer that goes on writing to
// one garbles its own message.
//
// A mapping can fault only where memory was promised and is not there. Segments are
// reserved and of sealed size, and each page is touched once when the link is put up; what
// remains is a page that the host's hardware loses, and that ends the process as it would
// anywhere else.
package shm
