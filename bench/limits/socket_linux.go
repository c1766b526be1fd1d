package main

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"

	"github.com/muster-mpi/muster/internal/socketpair"
)

// overSocket is a connection of package net used as plainly as can be: one Write
// a message, and reads of what is expected. With -poll the reader never sleeps.
func overSocket(ctx context.Context, o *options) error {
	pair := socketpair.TCP
	if strings.HasPrefix(o.limit, "unix") {
		pair = socketpair.Unix
	}
	mine, theirs, err := pair()
	if err != nil {
		return err
	}
	defer mine.Close()
	f, err := theirs.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		return err
	}
	theirs.Close()
	wait, err := second(ctx, o.limit, f)
	f.Close()
	if err != nil {
		return err
	}
	c, err := dressed(mine, o.limit, true)
	if err != nil {
		return err
	}
	out, in := touched(o.High), touched(o.High)
	for _, size := range o.sizes() {
		once, messages := pingPong(c, out[:size], in[:size]), 2
		if o.test == "bw" {
			once, messages = stream(c, out[:size], o.WindowOf(size)), o.WindowOf(size)
		}
		// The second process is told the size; it learns of the end of it by 0.
		if err := order(c, size); err != nil {
			return err
		}
		err := o.repeat(size, messages, func(n int) error {
			if err := order(c, n); err != nil {
				return err
			}
			return once(n)
		})
		if err != nil {
			return err
		}
		if err := order(c, 0); err != nil {
			return err
		}
	}
	mine.Close()
	return wait()
}

// dressed returns c as the limit wants it: with TLS, with a reader that polls,
// or as it is.
func dressed(c net.Conn, limit string, first bool) (io.ReadWriter, error) {
	switch {
	case limit == "tls":
		return withTLS(c, first)
	case strings.HasSuffix(limit, "-poll"):
		return newPolling(c)
	}
	return c, nil
}

// serveSocket echoes messages, or takes windows of them and acknowledges each.
func serveSocket(f *os.File, kind string, o *options) error {
	raw, err := net.FileConn(f)
	if err != nil {
		return err
	}
	f.Close()
	c, err := dressed(raw, kind, false)
	if err != nil {
		return err
	}
	buf := touched(max(o.High, 1))
	for {
		size, err := ordered(c)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for {
			n, err := ordered(c)
			if err != nil {
				return err
			}
			if n == 0 {
				break
			}
			if o.test == "bw" {
				err = take(c, buf[:size], n, o.WindowOf(size))
			} else {
				err = echo(c, buf[:size], n)
			}
			if err != nil {
				return err
			}
		}
	}
}

func pingPong(c io.ReadWriter, out, in []byte) func(n int) error {
	return func(n int) error {
		for range n {
			if _, err := c.Write(out); err != nil {
				return err
			}
			if _, err := io.ReadFull(c, in); err != nil {
				return err
			}
		}
		return nil
	}
}

func echo(c io.ReadWriter, buf []byte, n int) error {
	for range n {
		if _, err := io.ReadFull(c, buf); err != nil {
			return err
		}
		if _, err := c.Write(buf); err != nil {
			return err
		}
	}
	return nil
}

func stream(c io.ReadWriter, out []byte, window int) func(n int) error {
	return func(n int) error {
		var acknowledgement [4]byte
		for range n {
			for range window {
				if _, err := c.Write(out); err != nil {
					return err
				}
			}
			if _, err := io.ReadFull(c, acknowledgement[:]); err != nil {
				return err
			}
		}
		return nil
	}
}

func take(c io.ReadWriter, buf []byte, n, window int) error {
	for range n {
		for range window {
			if _, err := io.ReadFull(c, buf); err != nil {
				return err
			}
		}
		if _, err := c.Write(make([]byte, 4)); err != nil {
			return err
		}
	}
	return nil
}

// order and ordered say a number.
func order(c io.Writer, n int) error {
	var b [8]byte
	for i := range b {
		b[i] = byte(n >> (8 * i))
	}
	_, err := c.Write(b[:])
	return err
}

func ordered(c io.Reader) (n int, err error) {
	var b [8]byte
	if _, err := io.ReadFull(c, b[:]); err != nil {
		return 0, err
	}
	for i := range b {
		n |= int(b[i]) << (8 * i)
	}
	return n, nil
}
