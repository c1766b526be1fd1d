// Package rank is what a Muster program talks through: processes with numbers,
// the ranks of a job, send each other slices and objects. It has the
// point-to-point chapters of the MPI standard (MPI 4.1, chapters 3, 4, 7, 9 and
// 11) in Go form; the tables at the end say what became of which call.
//
// # A first program
//
//	package main
//
//	import (
//		"context"
//		"fmt"
//
//		"github.com/muster-mpi/muster/rank"
//	)
//
//	func main() {
//		rank.Run(func(ctx context.Context, world *rank.Comm) error {
//			const tag = 1
//			if world.Rank() == 0 {
//				return rank.Send(ctx, world, 1, tag, []float64{1, 2, 3})
//			}
//			buf := make([]float64, 3)
//			status, err := rank.Recv(ctx, world, 0, tag, buf)
//			if err != nil {
//				return err
//			}
//			fmt.Println("got", buf, "from rank", status.Source)
//			return nil
//		})
//	}
//
// All ranks run the same program and differ by [Comm.Rank]. A message has a
// destination, a tag that tells it from others of its sender, and the elements
// of a slice, whose length is the count. [Recv] copies the message that it names
// into its own slice.
//
// # How a job starts
//
//	muster run -n 2 ./hello    two processes, built from the directory hello
//	go run ./hello             one process: rank 0 of 1
//	rank.Local(2, fn)          two goroutines of this process
//	ranktest.Run(t, 2, fn)     the same, for go test
//
// [Run] joins the job, runs the function, leaves, and ends the process with an
// error if there was one. [Join] and [Comm.Leave] are its halves. A process joins
// one job, once, and there is no package-global world: all calls are made on a
// [Comm] that the program holds. So the ranks of [Local], which are goroutines,
// run the same code as processes do, Examples and tests among it, and the race
// detector sees all of them. Goroutine ranks share the memory of their process:
// what they share beyond messages is the program's affair. [Over] links them as
// processes are, by shared memory or gRPC, instead of by copying.
//
// # Blocking calls and requests
//
// [Send] returns when its buffer may be written again, [Recv] when the message is
// in its buffer. A Send of a short message mostly returns before the receive, and
// one of a long message does not: a program that needs either is wrong. Two ranks
// that first send to each other and then receive can wait for each other; [SendRecv]
// does both at once. [Ssend] always waits for the receive to start, [Bsend] never
// waits: it copies into the room given by [Comm.AttachBuffer].
//
// The calls with an I start the operation and return a [Request] at once. It must
// be completed, once: by [Request.Wait], [Request.Test], a call for many such as
// [WaitAll], [Request.Then], or [Request.Free]. [Request.Done] gives a channel for
// select. Operations that are repeated with the same arguments can be made once,
// as a [Persistent]; a message that several goroutines fill is a [PartitionedSend].
//
// # Whose the buffer is
//
// From the call that starts an operation until the one that finds it complete,
// the buffer belongs to the operation. That of a send may be read but not written,
// by several sends at the same time; that of a receive may be neither read nor
// written, and no two receives may share it. The garbage collector knows of the
// operation: a buffer that the program has forgotten stays until then.
//
// A blocking call that returns has given the buffer back, also when it returns an
// error, also when a context ended it.
//
// # Contexts and cancellation
//
// A blocking call takes a [context.Context]. If it ends while the call waits, what
// has not matched is taken back, on both sides, and the error is [ErrCancelled]
// with the context's cause in its chain, so that errors.Is(err,
// context.DeadlineExceeded) holds too. What has matched is completed: a message is
// received or it is not, and sender and receiver are told the same. After a
// cancelled call the program can go on.
//
// In Wait and its kin a context bounds the waiting only: the Request goes on and
// can be waited for again. [Request.Cancel] withdraws a receive.
//
// # Errors
//
// Every call returns its error, an [*Error] that names the call, the communicator,
// the peer, the tag and the line of the program, around an error of one of the
// classes of this package. Test for the class:
//
//	switch _, err := rank.Recv(ctx, world, source, tag, buf); {
//	case errors.Is(err, rank.ErrTruncated): // longer than buf, which is full
//	case errors.Is(err, rank.ErrCancelled): // ctx ended first
//	case err != nil:
//		return err
//	}
//
// Calls on many requests return a [*StatusError], which holds the error of each.
// Methods of [Group] return errors of the same classes without an *Error around
// them. An error is of the call, not of the communicator, which can be used on. A
// program that would rather end at the first sets [AbortOnError]; one whose function
// returns its errors to [Run] has as much.
//
// A rank that dies ends the job, with a report by the launcher. Under muster run
// --on-failure return the others live on, and their calls that need it fail with
// [ErrFailed].
//
// # What travels
//
// Elements are of any type of fixed size without pointers: numbers, complex ones
// included, booleans, arrays and structs of these. They are sent as they lie in
// memory, unconverted. Any other type is refused with [ErrElement], which names the
// field that is in the way. A message carries the layout of its elements: whoever
// receives a []int32 into a []float32 gets [ErrType]; named types do not matter, and
// a message without elements has no type. Counts and lengths are ints: no message
// is too long.
//
// Elements that do not lie side by side are sent from and received into a
// [datatype.View], a column of a matrix for example, without a temporary copy:
//
//	rank.SendView(ctx, world, 1, tag, datatype.Vector(m[j:], rows, 1, cols))
//
// Everything else, strings, maps and trees, is an object, which a [Codec] turns into
// bytes: [SendObject] and [RecvObject], one message each. Gob is the default,
// protocol buffer messages go as such, JSON is there, and a codec of one's own is
// two functions; [CodecFor] tells which a type has. No types need be registered.
//
// If the receiver does not know the length, [RecvAlloc] makes the slice.
//
// # Order
//
// A receive takes the earliest message that it matches, from one sender on one
// communicator; a message goes to the earliest posted receive that it matches.
// Earlier is by the calls that started the operations, whatever their mode, the
// length of the messages, or when they are waited for. So if two messages of one
// sender both match, they do not overtake each other, and a receive that names a tag
// may pass over others. Between goroutines the order holds where the Go memory model
// orders the calls. Between different senders there is none: [AnySource] takes from
// whoever is first, and promises no fairness.
//
// So a program in which no receive says AnySource, each communicator and tag is
// used by one goroutine, and nothing asks for the time (Test, Iprobe, WaitAny,
// contexts that end) receives the same messages in the same order in every run.
//
// # Progress and memory
//
// If a send and a receive match and both have been started, they complete, whatever
// else the two ranks do: a rank that computes or sleeps does not hold up transfers
// that have begun. Loops of Test or Iprobe find in the end what they look for. No
// callback or dedicated thread of the program is needed.
//
// What a rank holds for messages that no receive has asked for is bounded (muster
// run --unexpected, [UnexpectedBytes]; 64 MiB if nothing is said). A sender may use
// its share, that by the number of ranks. When it has, and for long messages in any
// case (--eager, [EagerBytes]), it sends only the envelope, and the elements when a
// receive asks for them. So a Send may wait, an Isend stays incomplete, and nothing
// is ever refused or lost.
//
// # Goroutines
//
// All calls may be made from any goroutine, of any number. Two must not wait for
// one Request: [ErrConcurrent]. Creation calls on one communicator pair up by their
// order, so one goroutine should make them.
//
// [Probe] tells of a message that another goroutine may receive before this one
// does. [Mprobe] takes the message out of matching, and [Mrecv] receives it and no
// other, so prefer it.
//
// # Groups and communicators
//
// A [Group] is a list of ranks; its methods are set algebra and need no
// communication. A [Comm] is a group with a matching space of its own: messages
// never cross from one communicator to another, even with equal tags. A library
// should [Comm.Dup] what it is given, or use [Comm.Twin], and then no receive of its
// user can catch its messages. [Comm.Split] parts a communicator, into the rows of a
// grid for example. Communicators are identified without agreement beyond their
// members, may be made and freed without limit, and a message for a freed one is
// known as such. What a library knows of a communicator it keeps there, under a
// [Key] of its own.
//
// An intercommunicator ([CreateInter]) has two groups that face each other: calls on
// it name ranks of the other one, [Comm.Merge] makes one group of both, and
// [Comm.Local] is the communicator of the ranks on this side.
//
// [Null] as a peer is nobody: the call completes at once, which spares programs on
// a grid the cases at its rim.
//
// # Libraries
//
// What stands on this package, as package collectives does, keeps what it knows of a
// communicator under a [Key], talks on its [Comm.Twin], and does in steps what one
// call promises: [Request.Continue] takes the next one where a message is found to
// be complete, [Request.Withdraw] and [Request.Conclude] give messages up, sends
// too, and [NewRequest], [Failed] and [NewPersistent] make requests of its own.
//
// # Leaving
//
// All ranks leave together. [Comm.Leave] returns when all have called it and all
// that was started has arrived, buffered sends too, so a rank may leave while others
// still receive from it. Messages that nobody received and requests that nobody
// completed are then counted exactly and reported, as [Leftover] to the [OnLeftovers]
// of Local. A test with ranktest fails on them, and so does a job under muster run
// --strict.
//
// # From MPI
//
// The names are the standard's. Where Go has something better this package uses it:
//
//   - Errors are returned and say what, where, and what was expected; there are no
//     handlers and no codes.
//   - The element type is the type of the slice and the count its length. They
//     cannot be wrong, nothing is committed or freed, and a mismatch is an error.
//   - Blocking calls take a context, and a send can be cancelled by it cleanly.
//   - A Request is a value with a generation: its use after completion is an error,
//     not a wait for a stranger.
//   - A ready send without its receive is an error, where the standard says
//     undefined.
//   - All tags up to 2⁶³−1 are legal, and all counts are 64 bits: there are no _c
//     calls. All threads may call everything, always.
//   - Groups, statuses and datatypes are left to the garbage collector.
//
// In the tables, — means that there is nothing to call, or nothing yet.
//
//	MPI_Init, MPI_Init_thread            Join, Run
//	MPI_Initialized, MPI_Finalized       —                        the program holds a Comm, or not yet
//	MPI_Query_thread                     —                        always MPI_THREAD_MULTIPLE
//	MPI_Is_thread_main                   —
//	MPI_Finalize                         Comm.Leave
//	MPI_Abort                            Comm.Abort               with a reason
//	MPI_Session_init                     —                        not yet; Local has worlds of goroutines
//	MPI_Comm_spawn                       —                        not yet
//	MPI_Get_processor_name               Comm.Host                of any rank
//	MPI_Wtime                            Comm.Clock               the same on all ranks of a host
//	MPI_Wtick                            —                        nanoseconds
//	MPI_TAG_UB                           MaxTag
//	MPI_Get_version                      —
//	MPI_Get_library_version              —                        runtime/debug.ReadBuildInfo
//	MPI_Alloc_mem, MPI_Free_mem          —                        make; any slice will do
//	MPI_Comm_set_errhandler              Comm.SetErrorPolicy
//	MPI_Comm_get_errhandler              Comm.ErrorPolicy
//	MPI_ERRORS_RETURN                    ReturnErrors             the default here
//	MPI_ERRORS_ARE_FATAL                 AbortOnError
//	MPI_Comm_create_errhandler           —                        return the error
//	MPI_Comm_call_errhandler             —
//	MPI_Error_class                      Error.Unwrap             errors.Is
//	MPI_Error_string                     Error.Error
//	MPI_Add_error_class                  —                        errors.New
//
//	MPI_Send                             Send, SendView, SendObject
//	MPI_Ssend                            Ssend, SsendView
//	MPI_Bsend                            Bsend
//	MPI_Rsend                            Rsend                    ErrNotReady
//	MPI_Isend                            Isend, IsendView, IsendObject
//	MPI_Issend                           Issend
//	MPI_Ibsend                           Ibsend
//	MPI_Irsend                           Irsend
//	MPI_Recv                             Recv, RecvView, RecvObject, RecvAlloc
//	MPI_Irecv                            Irecv, IrecvView
//	MPI_Sendrecv                         SendRecv
//	MPI_Sendrecv_replace                 SendRecvReplace
//	MPI_Isendrecv                        Isend, Irecv             with WaitAll
//	MPI_Isendrecv_replace                —                        Isend of a copy, and Irecv
//	MPI_Comm_attach_buffer               Comm.AttachBuffer        a size; messages have their own memory
//	MPI_Buffer_attach                    Comm.AttachBuffer        on the world
//	MPI_Comm_detach_buffer               Comm.DetachBuffer
//	MPI_Comm_flush_buffer                Comm.FlushBuffer
//	MPI_Buffer_detach, MPI_Buffer_flush  Comm.DetachBuffer, Comm.FlushBuffer
//	MPI_Comm_iflush_buffer               —                        FlushBuffer in a goroutine
//	MPI_BSEND_OVERHEAD                   BsendOverhead
//	MPI_ANY_SOURCE, MPI_ANY_TAG          AnySource, AnyTag
//	MPI_PROC_NULL                        Null
//	MPI_UNDEFINED                        Undefined
//	MPI_Status                           Status
//	MPI_STATUS_IGNORE                    —                        assign it to _
//	MPI_Get_count                        Count, Status.Len
//	MPI_Get_elements                     —                        messages are whole elements
//	MPI_Test_cancelled                   Status.Cancelled         and ErrCancelled
//
//	MPI_Request                          Request
//	MPI_REQUEST_NULL                     Request.IsNull           the zero Request
//	MPI_Wait, MPI_Test                   Request.Wait, Request.Test
//	MPI_Waitall, MPI_Testall             WaitAll, WaitAllStatus, TestAll
//	MPI_Waitany, MPI_Testany             WaitAny, TestAny
//	MPI_Waitsome, MPI_Testsome           WaitSome, TestSome
//	MPI_ERR_IN_STATUS                    StatusError, ErrInStatus
//	MPI_Request_get_status               Request.Peek
//	MPI_Request_get_status_all           —                        Peek of each; also _any and _some
//	MPI_Request_free                     Request.Free
//	MPI_Cancel                           Request.Cancel           receives only
//	MPI_Grequest_start                   NewRequest
//	MPI_Grequest_complete                NewRequest               the function it returns
//	—                                    Failed                   one that could not be started
//	—                                    NewPersistent            MPI has none that programs make
//	MPIX_Continue                        Request.Continue
//	—                                    Request.Conclude         Wait that gives up with its context
//	—                                    Request.Withdraw         Cancel, of sends too
//	MPI_Status_set_elements              NewRequest               its function takes a Status
//	MPI_Status_set_cancelled             NewRequest
//
//	MPI_Probe, MPI_Iprobe                Probe, Iprobe
//	MPI_Mprobe, MPI_Improbe              Mprobe, Improbe
//	MPI_Message                          Message
//	MPI_Mrecv, MPI_Imrecv                Mrecv, Imrecv, MrecvView, MrecvAlloc, MrecvObject
//
//	MPI_Send_init                        SendInit
//	MPI_Ssend_init                       SsendInit
//	MPI_Bsend_init                       BsendInit
//	MPI_Rsend_init                       RsendInit
//	MPI_Recv_init                        RecvInit
//	MPI_Start                            Persistent.Start
//	MPI_Startall                         StartAll                 in the order of the list
//	MPI_Psend_init                       PsendInit
//	MPI_Precv_init                       PrecvInit
//	MPI_Pready, MPI_Pready_list          PartitionedSend.Ready
//	MPI_Pready_range                     PartitionedSend.ReadyRange
//	MPI_Parrived                         PartitionedRecv.Arrived
//
//	MPI_Comm_rank, MPI_Comm_size         Comm.Rank, Comm.Size
//	MPI_COMM_WORLD                       Join                     what it returns; Run passes it
//	MPI_COMM_SELF                        Comm.Self
//	MPI_COMM_NULL                        —                        nil
//	MPI_Comm_group                       Comm.Group
//	MPI_Comm_compare                     Comm.Compare
//	MPI_Comm_dup, MPI_Comm_idup          Comm.Dup, Comm.Idup
//	MPI_Comm_dup_with_info               —                        there are no hints
//	MPI_Comm_set_info                    —                        also get
//	MPI_Comm_split                       Comm.Split
//	MPI_Comm_split_type                  Comm.SplitType, SplitHost
//	MPI_Comm_create                      Comm.Create
//	MPI_Comm_create_group                Comm.CreateGroup
//	MPI_Comm_create_from_group           —                        not yet
//	MPI_Comm_free                        Comm.Free
//	MPI_Comm_disconnect                  Comm.Disconnect
//	MPI_Comm_set_name                    Comm.SetName
//	MPI_Comm_get_name                    Comm.Name
//	MPI_Comm_create_keyval               NewKey, KeyHooks         typed; the zero Key has no hooks
//	MPI_Comm_free_keyval                 —                        the garbage collector
//	MPI_Comm_set_attr                    Key.Set
//	MPI_Comm_get_attr                    Key.Get
//	MPI_Comm_delete_attr                 Key.Delete
//	MPI_Intercomm_create                 CreateInter
//	MPI_Intercomm_create_from_groups     —                        not yet
//	MPI_Intercomm_merge                  Comm.Merge
//	MPI_Comm_test_inter                  Comm.IsInter
//	MPI_Comm_remote_size                 Comm.RemoteSize
//	MPI_Comm_remote_group                Comm.RemoteGroup         Comm.Local is this side's communicator
//
//	MPI_Group_size, MPI_Group_rank       Group.Size, Group.Rank
//	MPI_Group_incl, MPI_Group_excl       Group.Include, Group.Exclude
//	MPI_Group_range_incl                 Group.IncludeRanges
//	MPI_Group_range_excl                 Group.ExcludeRanges
//	MPI_Group_union                      Group.Union
//	MPI_Group_intersection               Group.Intersection
//	MPI_Group_difference                 Group.Difference
//	MPI_Group_translate_ranks            Group.Translate, Group.World
//	MPI_Group_compare                    Group.Compare
//	MPI_Group_from_session_pset          —                        not yet
//	MPI_GROUP_EMPTY                      Group.Include            of no ranks
//	MPI_Group_free                       —                        the garbage collector
//
//	MPI_Type_vector                      datatype.Vector
//	MPI_Type_indexed                     datatype.Indexed
//	MPI_Type_create_subarray             datatype.Subarray
//	MPI_Type_create_struct               —                        a Go struct
//	MPI_Type_commit, MPI_Type_free       —
//	MPI_Pack, MPI_Unpack                 datatype.View.CopyTo, datatype.View.CopyFrom
//
// Collective calls, windows, files and topologies are not part of this package.
//
// # From Python
//
// Muster's ranks are mpi4py's. What mpi4py sends with capital letters, arrays, goes
// by Send and Recv here; what it pickles goes by SendObject and RecvObject, where
// the receiver names the type.
//
//	MPI.COMM_WORLD                       Run, Join
//	mpiexec -n 4 python prog.py          —                        muster run -n 4 ./prog
//	comm.Get_rank(), comm.Get_size()     Comm.Rank, Comm.Size
//	comm.Send(a, dest=1, tag=2)          Send
//	comm.Recv(a, source=0, tag=2)        Recv
//	comm.send(obj, dest=1)               SendObject
//	comm.recv(source=0)                  RecvObject
//	comm.isend(obj, dest=1)              IsendObject
//	comm.Isend, comm.Irecv               Isend, Irecv
//	comm.irecv(source=0)                 RecvObject               in a goroutine
//	comm.Sendrecv                        SendRecv
//	comm.Send(a[:, j].copy())            SendView                 without the copy
//	comm.probe(), comm.iprobe()          Probe, Iprobe
//	comm.mprobe(), msg.Recv(a)           Mprobe, Mrecv
//	req.wait(), req.test()               Request.Wait, Request.Test
//	MPI.Request.Waitall(reqs)            WaitAll
//	comm.Split(color, key)               Comm.Split
//	comm.Dup(), comm.Clone()             Comm.Dup
//	comm.Create(group)                   Comm.Create
//	MPI.Wtime()                          Comm.Clock
//	comm.Abort(1)                        Comm.Abort
//	comm.bcast, comm.allreduce, …        —                        package collectives
//	MPIPoolExecutor, MPI.Win, MPI.File   —                        not yet
//
// Package multiprocessing starts functions, Muster whole programs. What it has for
// processes to talk and wait comes out as follows.
//
//	Process(target=f).start()            Run, Local               f is called on every rank
//	Process.join()                       Comm.Leave               Run does it
//	Process.terminate()                  Comm.Abort               the whole job
//	current_process().name               Comm.Rank
//	cpu_count()                          Comm.Size                the ranks that were asked for
//	a, b = Pipe()                        Comm.Dup                 a communicator and a tag are a pipe
//	conn.send(obj), conn.recv()          SendObject, RecvObject
//	conn.send_bytes, conn.recv_bytes     Send, RecvAlloc          of bytes
//	conn.poll()                          Iprobe
//	conn.poll(timeout)                   Mprobe                   with a context that ends
//	connection.wait([a, b])              WaitAny, Mprobe          with AnySource
//	Queue().put(obj)                     SendObject               to the rank that owns the queue
//	Queue().get()                        RecvObject               from AnySource
//	EOFError                             ErrFailed, ErrLeft
//	pickling error                       ErrCodec
//	Pool, ProcessPoolExecutor            —                        not yet
//	Lock, Semaphore, Barrier, Value      —                        not yet
//	Manager                              —                        not yet
//	shared_memory, Array                 —                        not yet
package rank
