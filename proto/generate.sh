#!/bin/sh
# Regenerates this package's Go code. Wants protoc (Debian: protobuf-compiler);
# the two plugins are built from the versions named here.
set -eu
bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
GOBIN=$bin go install google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12
GOBIN=$bin go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2
PATH=$bin:$PATH protoc --go_out=. --go_opt=paths=source_relative \
	--go-grpc_out=. --go-grpc_opt=paths=source_relative *.proto
# protoc's own version is no part of the interface.
sed -i -e '/^\/\/ \tprotoc  *v/d' -e '/^\/\/ - protoc  *v/d' *.pb.go
