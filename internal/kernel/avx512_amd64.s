//go:build !noasm

// The leaves of avx512 in leaves_amd64.go: one loop, EACH, around one operation
// each. AVX-512 F, BW and DQ.

#include "textflag.h"

DATA nan64<>+0x00(SB)/8, $0x7ff8000000000001
GLOBL nan64<>(SB), RODATA|NOPTR, $8
DATA nan32<>+0x00(SB)/4, $0x7fc00000
GLOBL nan32<>(SB), RODATA|NOPTR, $4

// One as an integer of any width, and as floating-point numbers.
DATA ones<>+0x00(SB)/8, $1
DATA ones<>+0x08(SB)/8, $1.0
DATA ones<>+0x10(SB)/4, $0x3f800000
DATA ones<>+0x14(SB)/4, $0
GLOBL ones<>(SB), RODATA|NOPTR, $0x18

// The ways to compute out = a ⊕ b, where b may be in memory and out may be a.
// a is the first source: where both operands are NaN a sum or product has the
// first one's bits.
#define INSTRUCTION(op, b, a, out) \
	op b, a, out

// VRANGE with 4 is a minimum and with 5 a maximum that know −0 from +0, but of a
// NaN and a number they give the number.
#define MIN $4
#define MAX $5

#define FLOAT64(op, b, a, out) \
	VMOVUPD      b, Z18 \
	VCMPPD       $3, Z18, a, K2 \
	VRANGEPD     op, Z18, a, out \
	VBROADCASTSD nan64<>(SB), K2, out

#define FLOAT32(op, b, a, out) \
	VMOVUPS      b, Z18 \
	VCMPPS       $3, Z18, a, K2 \
	VRANGEPS     op, Z18, a, out \
	VBROADCASTSS nan32<>(SB), K2, out

// K2 and K3 are where b and a are not zero; op joins them, and there is a one.
#define BOTH KANDQ
#define EITHER KORQ
#define JUSTONE KXORQ

#define LOGICALINT(op, test, one, b, a, out) \
	VMOVDQU64 b, Z18 \
	test      Z18, Z18, K2 \
	test      a, a, K3 \
	op        K3, K2, K2 \
	one       ones<>(SB), K2, out

#define LOGICALFLOAT(op, differ, one, which, b, a, out) \
	VPXORQ    Z19, Z19, Z19 \
	VMOVDQU64 b, Z18 \
	differ    $4, Z19, Z18, K2 \
	differ    $4, Z19, a, K3 \
	op        K3, K2, K2 \
	one       which, K2, out

#define LOGICALB(op, b, a, out) LOGICALINT(op, VPTESTMB, VPBROADCASTB.Z, b, a, out)
#define LOGICALW(op, b, a, out) LOGICALINT(op, VPTESTMW, VPBROADCASTW.Z, b, a, out)
#define LOGICALD(op, b, a, out) LOGICALINT(op, VPTESTMD, VPBROADCASTD.Z, b, a, out)
#define LOGICALQ(op, b, a, out) LOGICALINT(op, VPTESTMQ, VPBROADCASTQ.Z, b, a, out)
#define LOGICALPS(op, b, a, out) LOGICALFLOAT(op, VCMPPS, VBROADCASTSS.Z, ones<>+0x10(SB), b, a, out)
#define LOGICALPD(op, b, a, out) LOGICALFLOAT(op, VCMPPD, VBROADCASTSD.Z, ones<>+0x08(SB), b, a, out)

// The whole of a leaf for elements of size bytes. The first and the last vector
// are computed at once and stored at the end; the loops go from the first multiple
// of 64 in dst to the last vector. What they meet twice gets the same value
// twice, since dst, a or b as it may be, is not written before it is read.
// Where dst is no multiple of the element's size, nor are the loops' vectors of 64,
// but elements stay whole. Fewer than 64 bytes are masked.
//
// Stores past the caches would gain a quarter where dst is a third vector and no
// cache holds them, and lose where dst is a or b, as in most reductions.
#define EACH(how, op, size) \
	MOVQ      dst+0(FP), DI \
	MOVQ      a+8(FP), SI \
	MOVQ      b+16(FP), DX \
	MOVQ      bytes+24(FP), CX \
	CMPQ      CX, $64 \
	JLT       short \
	VMOVDQU64 (SI), Z16 \
	how(op, (DX), Z16, Z16) \
	VMOVDQU64 -64(SI)(CX*1), Z17 \
	how(op, -64(DX)(CX*1), Z17, Z17) \
	MOVQ      DI, AX \
	ANDQ      $(64-size), AX \
	MOVL      $64, BX \
	SUBQ      AX, BX \
	LEAQ      -64(CX), R8 \
	LEAQ      -256(CX), R9 \
	CMPQ      BX, R9 \
	JGT       rest \
wide: \
	VMOVDQU64 (SI)(BX*1), Z0 \
	VMOVDQU64 64(SI)(BX*1), Z1 \
	VMOVDQU64 128(SI)(BX*1), Z2 \
	VMOVDQU64 192(SI)(BX*1), Z3 \
	how(op, (DX)(BX*1), Z0, Z0) \
	how(op, 64(DX)(BX*1), Z1, Z1) \
	how(op, 128(DX)(BX*1), Z2, Z2) \
	how(op, 192(DX)(BX*1), Z3, Z3) \
	VMOVDQU64 Z0, (DI)(BX*1) \
	VMOVDQU64 Z1, 64(DI)(BX*1) \
	VMOVDQU64 Z2, 128(DI)(BX*1) \
	VMOVDQU64 Z3, 192(DI)(BX*1) \
	ADDQ      $256, BX \
	CMPQ      BX, R9 \
	JLE       wide \
rest: \
	CMPQ      BX, R8 \
	JGE       ends \
narrow: \
	VMOVDQU64 (SI)(BX*1), Z0 \
	how(op, (DX)(BX*1), Z0, Z0) \
	VMOVDQU64 Z0, (DI)(BX*1) \
	ADDQ      $64, BX \
	CMPQ      BX, R8 \
	JLT       narrow \
ends: \
	VMOVDQU64 Z16, (DI) \
	VMOVDQU64 Z17, -64(DI)(CX*1) \
	VZEROUPPER \
	RET \
short: \
	MOVQ      $-1, AX \
	SHLQ      CX, AX \
	NOTQ      AX \
	KMOVQ     AX, K1 \
	VMOVDQU8.Z (SI), K1, Z0 \
	VMOVDQU8.Z (DX), K1, Z1 \
	how(op, Z1, Z0, Z0) \
	VMOVDQU8  Z0, K1, (DI) \
	VZEROUPPER \
	RET

TEXT ·sumFloat64x8(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VADDPD, 8)

TEXT ·sumFloat32x16(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VADDPS, 4)

TEXT ·sumInt8x64(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VPADDB, 1)

TEXT ·sumInt16x32(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VPADDW, 2)

TEXT ·sumInt32x16(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VPADDD, 4)

TEXT ·sumInt64x8(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VPADDQ, 8)

TEXT ·productFloat64x8(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VMULPD, 8)

TEXT ·productFloat32x16(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VMULPS, 4)

TEXT ·productInt16x32(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VPMULLW, 2)

TEXT ·productInt32x16(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VPMULLD, 4)

TEXT ·productInt64x8(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VPMULLQ, 8)

TEXT ·minFloat64x8(SB), NOSPLIT, $0-32
	EACH(FLOAT64, MIN, 8)

TEXT ·minFloat32x16(SB), NOSPLIT, $0-32
	EACH(FLOAT32, MIN, 4)

TEXT ·minInt8x64(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VPMINSB, 1)

TEXT ·minInt16x32(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VPMINSW, 2)

TEXT ·minInt32x16(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VPMINSD, 4)

TEXT ·minInt64x8(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VPMINSQ, 8)

TEXT ·minUint8x64(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VPMINUB, 1)

TEXT ·minUint16x32(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VPMINUW, 2)

TEXT ·minUint32x16(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VPMINUD, 4)

TEXT ·minUint64x8(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VPMINUQ, 8)

TEXT ·maxFloat64x8(SB), NOSPLIT, $0-32
	EACH(FLOAT64, MAX, 8)

TEXT ·maxFloat32x16(SB), NOSPLIT, $0-32
	EACH(FLOAT32, MAX, 4)

TEXT ·maxInt8x64(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VPMAXSB, 1)

TEXT ·maxInt16x32(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VPMAXSW, 2)

TEXT ·maxInt32x16(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VPMAXSD, 4)

TEXT ·maxInt64x8(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VPMAXSQ, 8)

TEXT ·maxUint8x64(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VPMAXUB, 1)

TEXT ·maxUint16x32(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VPMAXUW, 2)

TEXT ·maxUint32x16(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VPMAXUD, 4)

TEXT ·maxUint64x8(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VPMAXUQ, 8)

TEXT ·bitAndx64(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VPANDQ, 1)

TEXT ·bitOrx64(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VPORQ, 1)

TEXT ·bitXorx64(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VPXORQ, 1)

TEXT ·logicalAndInt8x64(SB), NOSPLIT, $0-32
	EACH(LOGICALB, BOTH, 1)

TEXT ·logicalAndInt16x32(SB), NOSPLIT, $0-32
	EACH(LOGICALW, BOTH, 2)

TEXT ·logicalAndInt32x16(SB), NOSPLIT, $0-32
	EACH(LOGICALD, BOTH, 4)

TEXT ·logicalAndInt64x8(SB), NOSPLIT, $0-32
	EACH(LOGICALQ, BOTH, 8)

TEXT ·logicalAndFloat32x16(SB), NOSPLIT, $0-32
	EACH(LOGICALPS, BOTH, 4)

TEXT ·logicalAndFloat64x8(SB), NOSPLIT, $0-32
	EACH(LOGICALPD, BOTH, 8)

TEXT ·logicalOrInt8x64(SB), NOSPLIT, $0-32
	EACH(LOGICALB, EITHER, 1)

TEXT ·logicalOrInt16x32(SB), NOSPLIT, $0-32
	EACH(LOGICALW, EITHER, 2)

TEXT ·logicalOrInt32x16(SB), NOSPLIT, $0-32
	EACH(LOGICALD, EITHER, 4)

TEXT ·logicalOrInt64x8(SB), NOSPLIT, $0-32
	EACH(LOGICALQ, EITHER, 8)

TEXT ·logicalOrFloat32x16(SB), NOSPLIT, $0-32
	EACH(LOGICALPS, EITHER, 4)

TEXT ·logicalOrFloat64x8(SB), NOSPLIT, $0-32
	EACH(LOGICALPD, EITHER, 8)

TEXT ·logicalXorInt8x64(SB), NOSPLIT, $0-32
	EACH(LOGICALB, JUSTONE, 1)

TEXT ·logicalXorInt16x32(SB), NOSPLIT, $0-32
	EACH(LOGICALW, JUSTONE, 2)

TEXT ·logicalXorInt32x16(SB), NOSPLIT, $0-32
	EACH(LOGICALD, JUSTONE, 4)

TEXT ·logicalXorInt64x8(SB), NOSPLIT, $0-32
	EACH(LOGICALQ, JUSTONE, 8)

TEXT ·logicalXorFloat32x16(SB), NOSPLIT, $0-32
	EACH(LOGICALPS, JUSTONE, 4)

TEXT ·logicalXorFloat64x8(SB), NOSPLIT, $0-32
	EACH(LOGICALPD, JUSTONE, 8)
