// Package rendezvous lets the ranks of a job meet that muster has not started: those of
// `srun --mpi=pmi2 PROGRAM`, and the pods of an indexed Job of Kubernetes. Find says
// whether this process is one, Join makes it one of a job.
//
// Rank 0's process stands in for launcher and agents. It opens one port, on the address
// by which the scheduler's name for its host is reached, makes a token and an authority
// that signs certificates, and announces them: by PMI, that is through Slurm's own
// daemons, address, token and the authority's fingerprint; on Kubernetes the address is
// the pod's name and the token is in a mounted Secret. Another rank
//
//   - knocks at the port (package knock), which proves that it holds the token, so that
//     junk gets no further;
//   - does TLS 1.3 on the connection: rank 0 shows the certificate of rank 0 of this
//     job, and both prove once more, over what only the ends of this TLS connection
//     know, that they hold the token;
//   - says who it is, with the public half of a key that it has just made and the
//     address of a port of its own, on the interface that leads to rank 0.
//
// When all have come, rank 0 gives each its certificate, the key of knocks at links and
// the list of all ranks, and forgets the authority's key: nobody can join any more. The
// connection stays: on it travel the messages that elsewhere go between a rank and
// its agent. Links are dialled rank to rank, begin with a knock, and are TLS between
// the ranks' certificates; so identity is a certificate's and never a message's.
//
// # Death
//
// The kernel closes a dead process's connection, and rank 0 sees that it has not said
// Left: it says on its standard error which rank on which host it was, and tells
// all others, whose processes exit with code 71. If rank 0 itself dies, each sees that,
// and one on each host says so. A host that is cut off is found out by the kernels'
// keepalive within 4 seconds. There is no heartbeat of the processes: one that
// computes, or is stopped, is alive.
//
// # Bounds
//
// A rank's process answers for itself: its share in making a link needs some of its
// processor time, where under muster run the agent does it. All links are TCP, those
// within a host too: an allocation of Slurm with `muster run` in it has shared memory.
// A job of one host listens on loopback only. A rank joins once; a second process
// with its number is refused. Processes that a rank leaves behind are the scheduler's
// to end.
package rendezvous
