package rank_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/muster-mpi/muster/rank"
	"github.com/muster-mpi/muster/rank/ranktest"
)

// says checks the text of an error; @ in want stands for the file and line of
// the line before the call of says.
func says(t *testing.T, err error, want string) {
	t.Helper()
	_, file, line, _ := runtime.Caller(1)
	site := fmt.Sprintf("%s:%d", file[strings.LastIndexByte(file, '/')+1:], line-1)
	if want = strings.ReplaceAll(want, "@", site); err == nil || err.Error() != want {
		t.Errorf("line %d:\n got %v\nwant %s", line, err, want)
	}
}

// The user mistakes B5, B6, B7, B14 and B22: what is said of them. Rank, peer,
// tag, sizes and what would be legal are in each text, and so is the call.
func TestRule52TextsNameTheMistake(t *testing.T) {
	type body struct {
		Mass float64
		Name string
	}
	for _, w := range protocols {
		ranktest.Run(t, 2, func(t *testing.T, c *rank.Comm) {
			if c.Rank() == 0 {
				ok(t, rank.Send(bg, c, 1, 5, []int32{1, 2, 3, 4}))
				ok(t, rank.Send(bg, c, 1, 5, []int32{1, 2, 3, 4}))
				ok(t, rank.SendObject(bg, c, 1, 5, "four"))
				for range 3 {
					ok(t, rank.Send(bg, c, 1, 6, make([]float64, 4)))
				}
				ok(t, rank.Send(bg, c, 1, 6, make([]byte, 4)))
				_, err := c.Dup(bg)
				says(t, err, "rank 0: Dup, on world (@): creation call 1: ranks disagree about a collective call: rank 0 calls Dup, rank 1 calls Split")
				return
			}
			buf := make([]float32, 4)
			short := make([]float64, 3)

			// B5: other element types.
			_, err := rank.Recv(bg, c, 0, 5, buf)
			says(t, err, "rank 1: Recv from 0, tag 5, on world (@): element types differ: rank 0 sent []int32 (16 bytes), this rank receives []float32")
			_, _, err = rank.RecvObject[string](bg, c, 0, 5)
			says(t, err, "rank 1: Recv from 0, tag 5, on world (@): element types differ: rank 0 sent []int32 (16 bytes), this rank receives an object encoded by gob")
			_, err = rank.Recv(bg, c, rank.AnySource, rank.AnyTag, buf)
			says(t, err, "rank 1: Recv from 0, tag 5, on world (@): element types differ: rank 0 sent an object encoded by gob (8 bytes), this rank receives []float32")

			// B6: too little room.
			_, err = rank.Recv(bg, c, rank.AnySource, 6, short)
			says(t, err, "rank 1: Recv from 0, tag 6, on world (@): message longer than the receive buffer: rank 0 sent 32 bytes (4 elements of 8 bytes), the buffer has room for 24 (3 elements of 8 bytes)")
			r := rank.Irecv(c, 0, 6, short)
			_, err = r.Wait(bg)
			says(t, err, "rank 1: Irecv from 0, tag 6, on world (@): message longer than the receive buffer: rank 0 sent 32 bytes (4 elements of 8 bytes), the buffer has room for 24 (3 elements of 8 bytes)")
			_, err = rank.SendRecv(bg, c, rank.Null, 9, short, 0, 6, short)
			says(t, err, "rank 1: SendRecv with 0, tag 6, on world (@): message longer than the receive buffer: rank 0 sent 32 bytes (4 elements of 8 bytes), the buffer has room for 24 (3 elements of 8 bytes)")
			_, err = rank.Recv(bg, c, 0, 6, make([]byte, 3))
			says(t, err, "rank 1: Recv from 0, tag 6, on world (@): message longer than the receive buffer: rank 0 sent 4 bytes, the buffer has room for 3")

			// B7: arguments out of range.
			err = rank.Send(bg, c, 2, 7, short)
			says(t, err, "rank 1: Send to 2, tag 7, on world (@): invalid rank: destination 2, legal are 0 to 1 and Null")
			err = rank.Send(bg, c, 0, -7, short)
			says(t, err, "rank 1: Send to 0, tag -7, on world (@): invalid tag: -7, legal are 0 to MaxTag")
			_, err = rank.Recv(bg, c, 9, 7, short)
			says(t, err, "rank 1: Recv from 9, tag 7, on world (@): invalid rank: source 9, legal are 0 to 1, AnySource and Null")
			_, err = rank.Recv(bg, c, rank.AnySource, -9, short)
			says(t, err, "rank 1: Recv from any source, tag -9, on world (@): invalid tag: -9, legal are 0 to MaxTag and AnyTag")
			err = rank.Send(bg, c, 0, 7, []body{{}})
			says(t, err, "rank 1: Send to 0, tag 7, on world (@): datatype: rank_test.body.Name is a string: element type cannot travel as memory")
			err = rank.Send(bg, nil, 0, 7, short)
			says(t, err, "Send, on nil: invalid communicator: the communicator is nil or zero")
			_, err = c.Group().Include(0, 5)
			says(t, err, "invalid rank: rank 5 (argument 1) of a group of 2")
			err = rank.PrecvInit(c, 2, short, 0, 7).Err()
			says(t, err, "rank 1: partitioned receive from 0, tag 7, on world (@): invalid argument: 3 elements in 2 partitions; the count must be from 1 to 2147483647 and divide them")

			// B14: requests used again.
			r = rank.Isend(c, rank.Null, 3, short)
			ok(t, rank.WaitAll(bg, r))
			_, err = r.Wait(bg)
			says(t, err, "rank 1: Isend, tag 3, on world (@): request already completed")
			p := rank.RecvInit(c, 0, 3, short)
			r, err = p.Start()
			ok(t, err)
			_, err = p.Start()
			says(t, err, "rank 1: Start with 0, tag 3, on world (@): persistent request is active")
			ok(t, r.Cancel())
			if _, err = p.Wait(bg); !errors.Is(err, rank.ErrCancelled) {
				t.Error(err)
			}

			// B22: communicators misused.
			_, err = c.Split(bg, 1, 1)
			says(t, err, "rank 1: Split, on world (@): creation call 1: ranks disagree about a collective call: rank 1 calls Split, rank 0 calls Dup")
			d, err := c.Self().Dup(bg)
			ok(t, err)
			ok(t, d.Free())
			err = rank.Send(bg, d, 0, 7, short)
			says(t, err, "rank 0: Send, on self/dup1 (@): communicator freed")
			err = c.Free()
			says(t, err, "rank 1: Free, on world (@): invalid communicator: world belongs to the job")
		}, w.options()...)
	}
}
