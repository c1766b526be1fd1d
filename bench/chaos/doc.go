// Package chaos breaks jobs on purpose, many times, and looks at what their users are
// told and at what is left. It has tests alone:
//
//	go test ./bench/chaos                                    a few of each, in seconds
//	go test ./bench/chaos -campaign -timeout 3h -v           all, and one page of figures
//	go test ./bench/chaos -campaign -run /partitions -out d  one part; the page has all that d holds
//
// The jobs run on hosts that are network namespaces (internal/testbed), in one of which
// the launcher is; so it takes root. What is done to which job, and when, follows from
// -seed, which is printed; a case that fails prints the line that runs it again. Open
// MPI and MPICH are treated alike where they are installed.
package chaos
