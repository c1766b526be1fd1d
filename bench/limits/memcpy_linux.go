package main

import "context"

// copying is memcpy within one process: what it costs to move the bytes once.
// The same two buffers are used again and again, as the messages' are.
func copying(_ context.Context, o *options) error {
	from, to := touched(o.High), touched(o.High)
	for _, size := range o.sizes() {
		err := o.repeat(size, 1, func(n int) error {
			for range n {
				copy(to[:size], from[:size])
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// touched returns n bytes whose pages exist.
func touched(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}
