// Package proto holds the messages and services that processes of a job speak:
// control.proto between a rank and its host's agent, agent.proto between agent
// and launcher, frame.proto between ranks, rendezvous.proto between ranks that
// meet without a launcher. The Go code is generated and committed; `go generate
// ./proto` makes it again.
package proto

//go:generate sh generate.sh
