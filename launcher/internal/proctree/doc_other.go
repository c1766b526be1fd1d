//go:build !linux

// Package proctree finds the processes below a process; it is written for Linux.
package proctree
