//go:build unix

package main

import (
	"os"
	"syscall"
)

var (
	// ending are the signals that end a build.
	ending = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT}

	// forwarded are the signals that the launcher hands to the ranks, or
	// answers for them.
	forwarded = append(ending, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGTSTP, syscall.SIGCONT)
)
