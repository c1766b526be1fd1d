package rendezvous

import (
	"bytes"
	"testing"

	pb "github.com/muster-mpi/muster/proto"
	"google.golang.org/protobuf/proto"
)

// S13: what ranks say of their end need not be UTF-8.
func TestS13TextThatIsNoUTF8Arrives(t *testing.T) {
	var b bytes.Buffer
	if err := write(&b, &pb.Abort{Code: 3, Text: "bad \xff"}); err != nil {
		t.Fatal(err)
	}
	var m pb.Abort
	if err := read(&b, &m, strangerBytes); err != nil || m.GetText() != "bad \ufffd" || m.GetCode() != 3 {
		t.Errorf("got %v, %v", &m, err)
	}
}

// FuzzFrame reads what a stranger, or a member, could send.
func FuzzFrame(f *testing.F) {
	for _, m := range []proto.Message{
		&pb.Entry{Rank: 1, Size: 2, Host: "a", PublicKey: []byte("x")},
		&pb.ToMember{Kind: &pb.ToMember_Refused{Refused: &pb.Refused{Reason: "x"}}},
	} {
		var b bytes.Buffer
		if err := write(&b, m); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, m := range []proto.Message{new(pb.Entry), new(pb.ToMember)} {
			r := bytes.NewReader(data)
			const limit = 1 << 10
			err := read(r, m, limit)
			if taken := len(data) - r.Len(); taken > 4+limit {
				t.Errorf("%d bytes are taken for one message, of %d at most", taken, limit)
			}
			if err == nil && proto.Unmarshal(data[4:len(data)-r.Len()], m.ProtoReflect().New().Interface()) != nil {
				t.Errorf("%x is taken for a %T", data, m)
			}
		}
	})
}
