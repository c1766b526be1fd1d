package boot

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"io"
	"math/bits"
	"os"
)

const intBytes = bits.UintSize / 8

func byteOrder() string {
	if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
		return "little"
	}
	return "big"
}

// programID is the build identifier that the Go linker left in the executable:
// equal for equal sources, flags and toolchain. An executable without one is
// known by the hash of its contents.
func programID() string {
	f, err := openSelf()
	if err != nil {
		return "unknown"
	}
	defer f.Close()
	head := make([]byte, 32<<10)
	n, _ := io.ReadFull(f, head)
	if id := goBuildID(head[:n]); id != "" {
		return id
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "unknown"
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "unknown"
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

// goBuildID finds the build identifier in the head of an executable: in ELF
// files the note of type 4 named "Go", elsewhere a marked string. The last part
// of the identifier hashes the contents, so two executables with the same
// identifier are the same.
func goBuildID(head []byte) string {
	for _, order := range []interface {
		binary.ByteOrder
		binary.AppendByteOrder
	}{binary.LittleEndian, binary.BigEndian} {
		note := order.AppendUint32(nil, 4)
		note = append(note, "Go\x00\x00"...)
		for at := 0; ; {
			i := bytes.Index(head[at:], note)
			if i < 0 {
				break
			}
			i += at
			at = i + 1
			if i < 8 || order.Uint32(head[i-8:]) != 4 {
				continue
			}
			size := uint64(order.Uint32(head[i-4:]))
			rest := head[i+len(note):]
			if size > 0 && size <= uint64(len(rest)) && size < 512 {
				return string(rest[:size])
			}
		}
	}
	const mark = "\xff Go build ID: \""
	if _, rest, ok := bytes.Cut(head, []byte(mark)); ok {
		if id, _, ok := bytes.Cut(rest, []byte("\"\n \xff")); ok {
			return string(id)
		}
	}
	return ""
}

func openSelf() (*os.File, error) {
	// The link survives the file's removal or replacement; the path does not.
	if f, err := os.Open("/proc/self/exe"); err == nil {
		return f, nil
	}
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return os.Open(path)
}
