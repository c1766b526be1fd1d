// Package collectives has the calls that all ranks of a communicator make together:
// broadcast, gather, reduce, and the others of the MPI standard's chapter 6, in Go
// form. The tables at the end say what became of which call.
//
// # A first program
//
//	package main
//
//	import (
//		"context"
//		"fmt"
//
//		"github.com/muster-mpi/muster/collectives"
//		"github.com/muster-mpi/muster/rank"
//	)
//
//	func main() {
//		rank.Run(func(ctx context.Context, world *rank.Comm) error {
//			sum := []float64{float64(world.Rank()), 1}
//			if err := collectives.AllReduce(ctx, world, sum, collectives.Sum); err != nil {
//				return err
//			}
//			fmt.Println("rank", world.Rank(), "knows the sum", sum)
//			return nil
//		})
//	}
//
// Every rank of the communicator makes the call, all make their calls in the same
// order, and each returns when its own part is done. Only [Barrier] waits until all
// have come: after another call a rank knows nothing of where the others are, except
// what it has got from them.
//
// # Where the result goes
//
// The plain name works in place where all ranks have a vector of the same length:
// [Bcast], [Reduce], [AllReduce], [Scan] and [ExScan] leave the result where the
// argument was. [ReduceTo], [AllReduceTo], [ScanTo] and [ExScanTo] put it into dst and
// leave src as it is.
//
// Where what goes in and what comes out have different lengths the form is (dst, src):
// [Gather], [Scatter], [AllGather], [AllToAll], [ReduceScatter], [ReduceScatterBlock].
// They return dst. A nil dst is made, where its length is known; a nil src says that
// the rank's own part is in dst already. Of a rooted call the other ranks may leave
// nil what only the root has. A dst and a src that share memory otherwise than these
// documents say are [ErrOverlap].
//
// Lengths must agree exactly: a vector that is longer on one rank is an error, not a
// truncation. A length of zero is legal everywhere, and such a call takes its place in
// the order like others.
//
// # Blocks of different lengths
//
// In the calls that end in V the ranks' blocks differ, as [Blocks] say: Counts, and
// Displs if they do not lie one after the other. All ranks give the Counts, or none
// does: then each gives what it has, and the counts are exchanged first, which costs a
// call more. [ReduceScatter] takes counts likewise. Elements between the blocks are
// not touched. In [AllToAllW] every block is a [datatype.View].
//
// # In the background
//
// With an I a call is started and returns a [rank.Request] at once. It advances while
// the rank computes, and needs no goroutine of the program. Any number may be under
// way; their order is that in which they were started, together with the blocking
// ones, and it is the same on all ranks. A blocking call never matches a nonblocking
// one: a rank that calls IBcast where others call Bcast is told so.
//
// Buffers and counts belong to the call until the Request is complete, as in package
// rank. What it returns as a slice must be given, since a Request has nowhere to
// return it. There is no cancelling of one: see "Giving up" below.
//
// With Init a call is made once and started often, as a [rank.Persistent], with what
// is then in its buffers. Arguments are checked, and the algorithm is chosen, once.
// Ranks make their persistent calls in the same order, and may start them in
// different orders.
//
// # Operations
//
// An [Operation] combines two elements. It is passed by name, and the type of the
// elements follows:
//
//	collectives.AllReduce(ctx, world, x, collectives.Max)
//
// There are [Sum], [Product], [Min], [Max], [MinLoc], [MaxLoc], [And], [Or], [Xor],
// [BitAnd], [BitOr] and [BitXor], for the types that each has a meaning for: Max of
// complex numbers does not compile. [Each] makes one of a function on elements, and
// [Slices] of a function on slices, for any element of fixed size. It must be
// associative. If it does not commute, say so: the operands are in the order of the
// ranks in any case, whatever the root, but then also where another order would be
// quicker.
//
// # The same bits
//
// Floating-point sums depend on the brackets. For elements with rounding these are
// fixed by the number of ranks alone: neighbours fold until a power of two is left,
// and then halves are added to halves. So the result is the same on every rank and in
// every run, by shared memory and over a network, in place or not, with Reduce and
// AllReduce, for any root, and whichever algorithm is chosen. Scans have brackets of
// their own.
//
// [AnyOrder] gives this up for one call, and other algorithms may serve then. The
// result is still the same on all ranks. Integers need no leave: their sums are what
// they are.
//
// With another number of ranks the bits are others. [SumExact] adds without rounding,
// and its bits depend on the terms alone. Its price is some four times that of a loop.
//
// # Values of any type
//
// Strings, maps and trees, of any size, travel by [BcastObject], [GatherObject],
// [AllGatherObject] and [ScatterObject], encoded by a [rank.Codec] that [With] chooses;
// [ReduceObject] and [AllReduceObject] merge them by a function, in the order and the
// brackets of Reduce.
//
// # How a call is carried out
//
// Each operation has several algorithms, which package algo writes down as schedules
// and a program checks. Which one is best depends on the number of ranks, their hosts
// and the length: a table that was measured says which is taken, and `muster explain`
// shows it. [Using] names another, [Segment] how long the pieces are in which
// pipelined ones work. Ranks of one host meet in memory that they share, under the
// name shared-memory. All ranks give the same options; that
// they come to the same algorithm is checked.
//
// # When ranks make different calls
//
// A call is compared with those of the other ranks: operation, root, length, element
// type, name of the Operation, algorithm, blocking or not. If they differ the ranks
// concerned get [rank.ErrMismatch] within a second, where a program would else wait
// for ever, with who called what:
//
//	rank 2: AllReduce, on world (heat.go:97): ranks disagree about a collective call:
//	rank 2 calls AllReduce(4 of float64, Sum, by shared-memory) at heat.go:97, rank 0
//	calls Barrier(by shared-memory) at heat.go:88
//
// Where nobody has to wait for another, as two of two ranks that both take themselves for
// the root of a short Bcast, that is found in the next call in which ranks need each
// other. A rank that leaves the job or frees the communicator without a call that
// others wait in is named to them. A persistent operation is compared with
// persistent operations alone.
//
// Where the program is in the wrong about a communicator's order, with two goroutines
// that make collective calls on it at a time, the second gets [rank.ErrConcurrent]. Give
// each a communicator of its own ([rank.Comm.Dup]).
//
// What one rank can see alone, a root that there is not or a slice of the wrong length,
// is refused before anything is sent. A mistake that all ranks make leaves the
// communicator as it was.
//
// # Giving up
//
// A call that has begun and does not end well, because a context ended it, a rank died,
// or calls did not match, leaves some ranks with a result and others without, and
// nobody knows which. So the communicator's collectives end there: all calls under way
// on it and all later ones fail, on every rank, with [ErrGivenUp] and the reason. Its
// messages between two ranks, and other communicators, go on; [rank.Comm.Split] makes
// a new one of the ranks that are left. A context that has ended before the call leaves
// everything as it was.
//
// # Errors
//
// An error is a [*rank.Error], and may be of one of these classes for any call, so that
// the calls name others only:
//
//   - Refused here, and nothing was sent: [rank.ErrArgument] for lengths, counts, options
//     and operations, [ErrOverlap] besides where slices overlap; [rank.ErrRank] for a root;
//     [rank.ErrElement]; [rank.ErrComm] for nil, and on an intercommunicator where there
//     is no such call; [rank.ErrFreed]; [rank.ErrConcurrent].
//   - Given up, on all ranks in the end: [rank.ErrMismatch]; [rank.ErrCancelled] with the
//     context's cause, on the rank whose context ended; [rank.ErrFailed]; [ErrGivenUp] on
//     the others.
//
// What a call costs depends on the algorithm; package algo says it for each.
//
// # On intercommunicators
//
// Each rank gets what the ranks of the other group give. In rooted calls the root gives
// [Root], the others of its group [rank.Null], and the other group the root's rank.
// Nothing is in place. There is no Scan, no AllToAllW, no call on objects, and no
// SumExact: [rank.ErrComm].
//
// # From MPI
//
// Where this package has something better it uses it:
//
//   - Counts, types and MPI_IN_PLACE are in the slices: they cannot be wrong.
//   - The result has the same bits in every run; the standard only recommends it.
//   - Calls that do not match are errors, where the standard says undefined.
//   - Counts of V forms need not be known, and receiving slices are made.
//   - An Operation is a Go value, with nothing to create or free.
//
// In the tables, — means that there is nothing to call.
//
//	MPI_Barrier                          Barrier
//	MPI_Bcast                            Bcast, BcastObject
//	MPI_Gather                           Gather, GatherObject
//	MPI_Gatherv                          GatherV
//	MPI_Scatter                          Scatter, ScatterObject
//	MPI_Scatterv                         ScatterV
//	MPI_Allgather                        AllGather, AllGatherObject
//	MPI_Allgatherv                       AllGatherV
//	MPI_Alltoall                         AllToAll
//	MPI_Alltoallv                        AllToAllV
//	MPI_Alltoallw                        AllToAllW                one element type
//	MPI_Reduce                           Reduce, ReduceTo, ReduceObject
//	MPI_Allreduce                        AllReduce, AllReduceTo, AllReduceObject, SumExact, SumExactEach
//	MPI_Reduce_local                     ReduceLocal
//	MPI_Reduce_scatter                   ReduceScatter
//	MPI_Reduce_scatter_block             ReduceScatterBlock
//	MPI_Scan                             Scan, ScanTo
//	MPI_Exscan                           ExScan, ExScanTo
//	MPI_IN_PLACE                         —                        the plain name, or nil
//	MPI_ROOT                             Root
//	MPI_PROC_NULL                        —                        rank.Null
//	counts and displacements             Blocks
//
//	MPI_Ibarrier                         IBarrier
//	MPI_Ibcast                           IBcast
//	MPI_Igather, MPI_Igatherv            IGather, IGatherV
//	MPI_Iscatter, MPI_Iscatterv          IScatter, IScatterV
//	MPI_Iallgather, MPI_Iallgatherv      IAllGather, IAllGatherV
//	MPI_Ialltoall, MPI_Ialltoallv        IAllToAll, IAllToAllV
//	MPI_Ialltoallw                       IAllToAllW
//	MPI_Ireduce                          IReduce, IReduceTo
//	MPI_Iallreduce                       IAllReduce, IAllReduceTo
//	MPI_Ireduce_scatter                  IReduceScatter
//	MPI_Ireduce_scatter_block            IReduceScatterBlock
//	MPI_Iscan                            IScan, IScanTo
//	MPI_Iexscan                          IExScan, IExScanTo
//
//	MPI_Barrier_init                     BarrierInit
//	MPI_Bcast_init                       BcastInit
//	MPI_Gather_init                      GatherInit
//	MPI_Gatherv_init                     GatherVInit
//	MPI_Scatter_init                     ScatterInit
//	MPI_Scatterv_init                    ScatterVInit
//	MPI_Allgather_init                   AllGatherInit
//	MPI_Allgatherv_init                  AllGatherVInit
//	MPI_Alltoall_init                    AllToAllInit
//	MPI_Alltoallv_init                   AllToAllVInit
//	MPI_Alltoallw_init                   AllToAllWInit
//	MPI_Neighbor_allgather               NeighborAllGather
//	MPI_Ineighbor_allgather              INeighborAllGather
//	MPI_Neighbor_allgather_init          NeighborAllGatherInit
//	MPI_Neighbor_allgatherv              NeighborAllGatherV
//	MPI_Ineighbor_allgatherv             INeighborAllGatherV
//	MPI_Neighbor_allgatherv_init         NeighborAllGatherVInit
//	MPI_Neighbor_alltoall                NeighborAllToAll
//	MPI_Ineighbor_alltoall               INeighborAllToAll
//	MPI_Neighbor_alltoall_init           NeighborAllToAllInit
//	MPI_Neighbor_alltoallv               NeighborAllToAllV
//	MPI_Ineighbor_alltoallv              INeighborAllToAllV
//	MPI_Neighbor_alltoallv_init          NeighborAllToAllVInit
//	MPI_Neighbor_alltoallw               NeighborAllToAllW
//	MPI_Ineighbor_alltoallw              INeighborAllToAllW
//	MPI_Neighbor_alltoallw_init          NeighborAllToAllWInit
//	—                                    BcastView, ReduceView, AllReduceView     of strided elements
//	—                                    IBcastView, IReduceView, IAllReduceView
//	—                                    BcastViewInit, ReduceViewInit, AllReduceViewInit
//	—                                    GatherView, ScatterView  with a view for each rank
//	MPI_Reduce_init                      ReduceInit, ReduceToInit
//	MPI_Allreduce_init                   AllReduceInit, AllReduceToInit
//	MPI_Reduce_scatter_init              ReduceScatterInit
//	MPI_Reduce_scatter_block_init        ReduceScatterBlockInit
//	MPI_Scan_init                        ScanInit, ScanToInit
//	MPI_Exscan_init                      ExScanInit, ExScanToInit
//
//	MPI_Op                               Op, Operation
//	MPI_Op_create                        Each, Slices
//	MPI_Op_free                          —                        the garbage collector
//	MPI_Op_commutative                   Op.Commutes
//	MPI_SUM, MPI_PROD                    Sum, Product
//	MPI_MIN, MPI_MAX                     Min, Max
//	MPI_MINLOC, MPI_MAXLOC               MinLoc, MaxLoc
//	MPI_DOUBLE_INT, MPI_2INT             Located
//	MPI_LAND, MPI_LOR, MPI_LXOR          And, Or, Xor
//	MPI_BAND, MPI_BOR, MPI_BXOR          BitAnd, BitOr, BitXor
//	MPI_REPLACE, MPI_NO_OP               —                        for windows only
//
// The neighbourhoods that neighbourhood collectives are made on are package topology's.
//
// # From Python
//
// What mpi4py sends with capital letters, arrays, goes by the calls on slices; what it
// pickles by those on objects, where there is no need to say for which types.
//
//	comm.Allreduce(MPI.IN_PLACE, a)      AllReduce
//	comm.Bcast(a), comm.Reduce(a, b)     Bcast, ReduceTo
//	comm.bcast(obj, root=0)              BcastObject
//	comm.gather(obj)                     GatherObject
//	comm.allgather(obj)                  AllGatherObject
//	comm.scatter(objs)                   ScatterObject
//	comm.reduce(obj, op=f)               ReduceObject
//	comm.allreduce(obj, op=f)            AllReduceObject
//	comm.alltoall(objs)                  AllGatherObject          of slices; or SendObject to each
//	comm.barrier()                       Barrier
//	MPI.Op.Create(f, commute=True)       Each
//	functools.reduce(f, comm.gather(x))  ReduceObject             the brackets differ
package collectives
