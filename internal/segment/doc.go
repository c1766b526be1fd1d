// Package segment makes memory that processes of one host share, and the bell by which
// one of them wakes another. Both are descriptors without a name: who holds no
// descriptor cannot reach them, and nothing is left behind when the last holder dies.
//
// The memory is reserved when it is made and its size is sealed, so that no later access
// to a mapping can fault: neither because the host has no page left nor because another
// holder cut the file. What remains is a page that the host's hardware has lost.
//
// On other systems than Linux every call returns errors.ErrUnsupported.
package segment
