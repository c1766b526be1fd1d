package rendezvous

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/proto"

	"github.com/muster-mpi/muster/internal/boot"
)

// Bounds of one message: before its sender is known, and after.
const (
	strangerBytes = 64 << 10
	memberBytes   = 32 << 20 // an Admission names all ranks
)

// errMessage means that the other end sent what is no message.
var errMessage = errors.New("malformed message")

// write sends m behind its length.
func write(w io.Writer, m proto.Message) error {
	b, err := proto.MarshalOptions{}.MarshalAppend(make([]byte, 4, 64), m)
	if err != nil { // the user's text need not be UTF-8
		m = proto.Clone(m)
		boot.Legible(m)
		b, err = proto.MarshalOptions{}.MarshalAppend(make([]byte, 4, 64), m)
	}
	if err != nil {
		return err
	}
	if len(b)-4 > memberBytes {
		return fmt.Errorf("%T of %d bytes, at most %d fit", m, len(b)-4, memberBytes)
	}
	binary.LittleEndian.PutUint32(b, uint32(len(b)-4))
	_, err = w.Write(b)
	return err
}

// read receives the next message, of at most limit bytes.
func read(r io.Reader, m proto.Message, limit int) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	n := binary.LittleEndian.Uint32(head[:])
	if uint64(n) > uint64(limit) {
		return fmt.Errorf("%w: %d bytes for %T, at most %d are allowed", errMessage, n, m, limit)
	}
	// What is said to come is not believed until it comes.
	b, err := io.ReadAll(io.LimitReader(r, int64(n)))
	if err == nil && len(b) < int(n) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return err
	}
	if err := proto.Unmarshal(b, m); err != nil {
		return fmt.Errorf("%w: %d bytes that are no %T", errMessage, n, m)
	}
	return nil
}
