package datatype

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"
)

// The dumb twin of a fingerprint is the text itself: a letter for each byte,
// cut to the shortest piece that repeats.

func spell(t reflect.Type, text []byte) {
	switch t.Kind() {
	case reflect.Array:
		for i := range t.Len() {
			spell(t.Elem(), text[i*int(t.Elem().Size()):])
		}
	case reflect.Struct:
		for i := range t.NumField() {
			spell(t.Field(i).Type, text[t.Field(i).Offset:])
		}
	default:
		text[0] = byte(letter(t))
	}
}

func shortest(t reflect.Type) string {
	text := make([]byte, t.Size())
	spell(t, text)
	for n := 1; n <= len(text); n++ {
		if len(text)%n == 0 && string(text) == strings.Repeat(string(text[:n]), len(text)/n) {
			return string(text[:n])
		}
	}
	return ""
}

var basicTypes = []reflect.Type{
	reflect.TypeFor[bool](), reflect.TypeFor[int8](), reflect.TypeFor[int16](), reflect.TypeFor[int32](), reflect.TypeFor[int64](),
	reflect.TypeFor[uint8](), reflect.TypeFor[uint16](), reflect.TypeFor[uint32](), reflect.TypeFor[uint64](),
	reflect.TypeFor[float32](), reflect.TypeFor[float64](), reflect.TypeFor[complex64](), reflect.TypeFor[complex128](),
	reflect.TypeFor[struct{}](), reflect.TypeFor[int](), reflect.TypeFor[uint](),
}

func randomType(rng *rand.Rand, depth int) reflect.Type {
	if depth == 0 || rng.IntN(3) == 0 {
		if rng.IntN(2) == 0 { // few kinds, so that layouts often agree
			return basicTypes[rng.IntN(3)]
		}
		return basicTypes[rng.IntN(len(basicTypes))]
	}
	if rng.IntN(2) == 0 {
		return reflect.ArrayOf(rng.IntN(5), randomType(rng, depth-1))
	}
	fields := make([]reflect.StructField, rng.IntN(4))
	one := randomType(rng, depth-1)
	for i := range fields {
		fields[i] = reflect.StructField{Name: fmt.Sprintf("F%d", i), Type: one}
		if rng.IntN(2) == 0 {
			fields[i].Type = randomType(rng, depth-1)
		}
	}
	return reflect.StructOf(fields)
}

func TestFingerprintsAgreeExactlyWhereLayoutsDo(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	prints, texts := map[string]uint32{}, map[uint32]string{}
	types := map[uint32]reflect.Type{}
	for range 20_000 {
		typ := randomType(rng, 3)
		text, print := shortest(typ), fingerprintOf(typ)
		if want, ok := prints[text]; ok && want != print {
			t.Fatalf("%v has fingerprint %#x, %v of the same layout %q has %#x", typ, print, types[want], text, want)
		}
		if other, ok := texts[print]; ok && other != text {
			t.Fatalf("%v of layout %q and %v of layout %q have fingerprint %#x", typ, text, types[print], other, print)
		}
		prints[text], texts[print], types[print] = print, text, typ
	}
	if len(prints) < 1000 {
		t.Fatalf("only %d layouts among the types tried", len(prints))
	}
}

type vec struct{ X, Y, Z float64 }

type body struct {
	Pos, Vel vec
	Mass     float64
	ID, Kind int32 // fill the struct: it lies alike on 32-bit machines
}

func TestFingerprintsOfSuchTypesAgree(t *testing.T) {
	check := func(name string, want bool, a, b func() (uint32, error)) {
		t.Helper()
		x, xerr := a()
		y, yerr := b()
		if xerr != nil || yerr != nil || x == 0 || y == 0 || (x == y) != want {
			t.Errorf("%s: fingerprints %#x, %#x (errors %v, %v), want equal: %v", name, x, y, xerr, yerr, want)
		}
	}
	check("vec, float64", true, Fingerprint[vec], Fingerprint[float64])
	check("[3]int32, int32", true, Fingerprint[[3]int32], Fingerprint[int32])
	check("[2][3]body, body", true, Fingerprint[[2][3]body], Fingerprint[body])
	check("rune, int32", true, Fingerprint[rune], Fingerprint[int32])
	check("bool, uint8", false, Fingerprint[bool], Fingerprint[uint8])
	check("int32, float32", false, Fingerprint[int32], Fingerprint[float32])
	check("int64, uint64", false, Fingerprint[int64], Fingerprint[uint64])
	check("complex128, [2]float64", false, Fingerprint[complex128], Fingerprint[[2]float64])
	check("padding counts", false, Fingerprint[struct {
		a int64
		b int32
	}], Fingerprint[struct {
		a int64
		b [2]int32
	}])
	check("struct{}, [0]int", true, Fingerprint[struct{}], Fingerprint[[0]int])
	check("a field of no size at the end pads", false, Fingerprint[struct {
		a int32
		_ [0]int32
	}], Fingerprint[int32])
	check("long arrays", true, Fingerprint[struct {
		n int64
		a [1 << 25]int64
	}], Fingerprint[int64])
	if unsafe.Sizeof(int(0)) == 8 {
		check("int, int64", true, Fingerprint[int], Fingerprint[int64])
	}
}

// Fingerprints are compared between processes, perhaps of different builds, so
// they must not change unless the protocol does.
func TestFingerprintsDoNotChange(t *testing.T) {
	for i, typ := range basicTypes[:14] {
		if got := fingerprintOf(typ); got != uint32(i)+1 {
			t.Errorf("%v: %d, want %d", typ, got, i+1)
		}
	}
	if got, _ := Fingerprint[body](); got != bodyPrint {
		t.Errorf("body: %#x, want %#x", got, bodyPrint)
	}
}

const bodyPrint = 0x618a5601

func TestTypesThatCannotTravelNameTheField(t *testing.T) {
	type named struct {
		N    int
		Name string
	}
	type deep struct {
		A [2]struct{ B []named }
		C [4]named
	}
	for want, err := range map[string]error{
		"datatype: string is a string:":                   Check[string](),
		"datatype: *int is a pointer:":                    Check[*int](),
		"datatype: []int is a slice:":                     Check[[]int](),
		"datatype: map[int]int is a map:":                 Check[map[int]int](),
		"datatype: chan int is a channel:":                Check[chan int](),
		"datatype: func() is a func:":                     Check[func()](),
		"datatype: error is an interface:":                Check[error](),
		"datatype: unsafe.Pointer is an unsafe.Pointer:":  Check[unsafe.Pointer](),
		"datatype: uintptr is a uintptr:":                 Check[uintptr](),
		"datatype: datatype.named.Name is a string:":      Check[named](),
		"datatype: [3]datatype.named[].Name is a string:": Check[[3]named](),
		"datatype: datatype.deep.A[].B is a slice:":       Check[deep](),
		"datatype: struct { int; _ *int }._ is a pointer:": Check[struct {
			int
			_ *int
		}](),
		"datatype: atomic.Pointer[int].v is an unsafe.Pointer:": Check[atomic.Pointer[int]](),
	} {
		if !errors.Is(err, ErrType) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v, want ErrType and %q", err, want)
		}
		if print, err2 := Fingerprint[string](); print != 0 || !errors.Is(err2, ErrType) {
			t.Errorf("Fingerprint of a string: %#x, %v", print, err2)
		}
	}
	if err := Check[struct {
		_ [0]func() // makes a struct incomparable; nothing of it is in memory
		X int
	}](); err != nil {
		t.Error(err)
	}
}

func TestDescribeNamesLayouts(t *testing.T) {
	print := func(p uint32, err error) uint32 {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, c := range []struct {
		print uint32
		want  string
	}{
		{0, "untyped"},
		{print(Fingerprint[vec]()), "float64"},
		{print(Fingerprint[uint8]()), "uint8"},
		{print(Fingerprint[struct{}]()), "struct{}"},
		{print(Fingerprint[[7]body]()), "datatype.body"},
		{60, "layout 0x0000003c"},
		{0x1234, "layout 0x00001234"},
	} {
		if got := Describe(c.print); got != c.want {
			t.Errorf("Describe(%#x) = %q, want %q", c.print, got, c.want)
		}
	}
}

func TestCheckIsSafeFromManyGoroutines(t *testing.T) {
	recent = [len(recent)]atomic.Pointer[element]{}
	known.Clear()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				a, _ := Fingerprint[body]()
				b, _ := Fingerprint[struct{ x, y float32 }]()
				if a != bodyPrint || b != printFloat32 {
					t.Errorf("fingerprints %#x, %#x", a, b)
					return
				}
			}
		})
	}
	wg.Wait()
}

// Types that share a slot of the table push each other out of it, no more.
func TestTypesMayShareASlot(t *testing.T) {
	a, err := Fingerprint[body]()
	if err != nil {
		t.Fatal(err)
	}
	e := find((*int16)(nil))
	recent[slotOf(address((*body)(nil)))].Store(e)
	if b, err := Fingerprint[body](); a != b || err != nil {
		t.Fatalf("%#x (%v) after another type took the slot, want %#x", b, err, a)
	}
}

// address must be what the compiler's own representation of a type is.
func TestAddressIsThatOfTheTypeDescriptor(t *testing.T) {
	for _, p := range []any{(*body)(nil), (*int)(nil), (*[3]vec)(nil)} {
		if got, want := address(p), reflect.ValueOf(reflect.TypeOf(p)).Pointer(); got != want {
			t.Errorf("address of %T = %#x, want %#x", p, got, want)
		}
	}
}

func TestCheckDoesNotAllocate(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() {
		if _, err := Fingerprint[body](); err != nil {
			t.Fatal(err)
		}
		if Check[string]() == nil {
			t.Fatal("a string may travel")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkFingerprint(b *testing.B) {
	b.Run("float64", func(b *testing.B) {
		for b.Loop() {
			_, _ = Fingerprint[float64]()
		}
	})
	b.Run("struct", func(b *testing.B) {
		for b.Loop() {
			_, _ = Fingerprint[body]()
		}
	})
}
