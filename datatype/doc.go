// Package datatype says which Go values travel between ranks as they lie in
// memory, and how values that do not lie side by side are named.
//
// Any type of fixed size without pointers travels: numbers, booleans, arrays
// and structs of them, complex numbers included. [Check] tells, and names the
// field that is in the way. There is nothing to build, commit or free: what MPI
// calls a basic or a struct datatype is the element type of a slice, and what it
// calls a derived one is a [View]:
//
//	MPI_Type_contiguous       s[:n], or Contiguous(s)
//	MPI_Type_vector           Vector(s, count, block, stride)
//	MPI_Type_indexed          Indexed(s, blocks...)
//	MPI_Type_create_subarray  Subarray(s, shape, start, size)
//	MPI_Type_create_struct    a Go struct
//	MPI_Pack, MPI_Unpack      View.CopyTo, View.CopyFrom
//
// The layout of an element type is what sender and receiver have to agree on,
// not its name; [Fingerprint] is that layout as a number.
package datatype
