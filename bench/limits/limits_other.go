//go:build !linux

package main

import (
	"context"
	"errors"
)

var limits []limit

func serve(context.Context, string, *options) error {
	return errors.New("limits are measured on Linux only")
}
