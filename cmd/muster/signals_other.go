//go:build !unix

package main

import (
	"os"
	"syscall"
)

var (
	ending    = []os.Signal{os.Interrupt, syscall.SIGTERM} // end a build
	forwarded = ending                                     // go to the launcher
)
