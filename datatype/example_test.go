package datatype_test

import (
	"errors"
	"fmt"

	"github.com/muster-mpi/muster/datatype"
)

func ExampleCheck() {
	type Body struct {
		Pos, Vel [3]float64
		Mass     float64
		Name     string
	}
	fmt.Println(datatype.Check[[3]float64]())
	err := datatype.Check[Body]()
	fmt.Println(err, errors.Is(err, datatype.ErrType))
	// Output:
	// <nil>
	// datatype: datatype_test.Body.Name is a string: element type cannot travel as memory true
}

func ExampleFingerprint() {
	type Point struct{ X, Y, Z float64 }
	point, _ := datatype.Fingerprint[Point]()
	float, _ := datatype.Fingerprint[float64]()
	fmt.Println(point == float)
	// Output: true
}

func ExampleDescribe() {
	type Point struct{ X, Y, Z float64 }
	type Body struct {
		Point
		ID int32
	}
	point, _ := datatype.Fingerprint[Point]()
	body, _ := datatype.Fingerprint[Body]()
	fmt.Println(datatype.Describe(point), datatype.Describe(body))
	// Output: float64 datatype_test.Body
}

func ExampleContiguous() {
	v := datatype.Contiguous([]int{1, 2, 3})
	fmt.Println(v.Len())
	// Output: 3
}

// A block of a gonum matrix, which mat.Dense.Slice gives, lies in the rows of
// the matrix that it was cut from: r.Stride elements apart.
func ExampleVector() {
	// r := m.Slice(0, 2, 1, 3).(*mat.Dense).RawMatrix() of a 3×4 matrix m
	var r struct {
		Rows, Cols, Stride int
		Data               []float64
	}
	r.Data = []float64{
		0.1, 0.2, 0.3,
		1.0, 1.1, 1.2, 1.3,
		2.0, 2.1, 2.2, 2.3,
	}
	r.Rows, r.Cols, r.Stride = 2, 2, 4

	for i, x := range datatype.Vector(r.Data, r.Rows, r.Cols, r.Stride).All() {
		fmt.Println(i, x)
	}
	// Output:
	// 0 0.1
	// 1 0.2
	// 2 1.1
	// 3 1.2
}

func ExampleIndexed() {
	s := []byte("the quick brown fox")
	dst := make([]byte, 8)
	n, err := datatype.Indexed(s, datatype.Block{Offset: 16, Len: 3}, datatype.Block{Offset: 3, Len: 1}, datatype.Block{Offset: 4, Len: 4}).CopyTo(dst)
	fmt.Println(string(dst[:n]), err)
	// Output: fox quic <nil>
}

// The far face of a box of 2×3×4 cells.
func ExampleSubarray() {
	cells := make([]int, 2*3*4)
	for i := range cells {
		cells[i] = i
	}
	face := datatype.Subarray(cells, []int{2, 3, 4}, []int{0, 0, 3}, []int{2, 3, 1})
	for _, c := range face.All() {
		fmt.Print(c, " ")
	}
	// Output: 3 7 11 15 19 23
}

func ExampleView_Err() {
	v := datatype.Vector(make([]float64, 10), 3, 2, 5)
	fmt.Println(v.Err())
	// Output: datatype: Vector: count is 3, want at most 2: that many blocks of 2 at stride 5 fit len(s) = 10: view does not fit its slice
}

func ExampleView_Len() {
	fmt.Println(datatype.Vector(make([]float64, 10), 2, 3, 5).Len())
	// Output: 6
}

func ExampleView_All() {
	for i, c := range datatype.Vector([]rune("a.b.c"), 3, 1, 2).All() {
		fmt.Print(i, string(c), " ")
	}
	// Output: 0a 1b 2c
}

func ExampleView_Overlaps() {
	s := make([]int, 10)
	fmt.Println(datatype.Vector(s, 4, 3, 2).Overlaps(), datatype.Vector(s, 4, 2, 2).Overlaps())
	// Output: true false
}

func ExampleView_Buffer() {
	column := datatype.Vector(make([]float64, 12), 3, 1, 4)
	fmt.Println(column.Buffer().Len(), "bytes")
	// Output: 24 bytes
}

func ExampleView_CopyTo() {
	m := []int{
		1, 2, 3,
		4, 5, 6,
	}
	column := make([]int, 2)
	n, err := datatype.Vector(m[1:], 2, 1, 3).CopyTo(column)
	fmt.Println(column, n, err)
	// Output: [2 5] 2 <nil>
}

func ExampleView_CopyFrom() {
	m := make([]int, 6)
	n, err := datatype.Vector(m[1:], 2, 1, 3).CopyFrom([]int{7, 8})
	fmt.Println(m, n, err)
	// Output: [0 7 0 0 8 0] 2 <nil>
}
