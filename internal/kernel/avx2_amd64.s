//go:build !noasm

// The leaves of avx2 in leaves_amd64.go. The loop is that of avx512_amd64.s with
// registers of half the length, and what it says of the order of operands and of
// the first and the last vector holds here.

#include "textflag.h"

DATA nan64<>+0x00(SB)/8, $0x7ff8000000000001
GLOBL nan64<>(SB), RODATA|NOPTR, $8
DATA nan32<>+0x00(SB)/4, $0x7fc00000
GLOBL nan32<>(SB), RODATA|NOPTR, $4

DATA sign<>+0x00(SB)/8, $0x8000000000000000
GLOBL sign<>(SB), RODATA|NOPTR, $8

// 32 bytes that begin n before the middle mask n bytes.
DATA masks<>+0x00(SB)/8, $-1
DATA masks<>+0x08(SB)/8, $-1
DATA masks<>+0x10(SB)/8, $-1
DATA masks<>+0x18(SB)/8, $-1
DATA masks<>+0x20(SB)/8, $0
DATA masks<>+0x28(SB)/8, $0
DATA masks<>+0x30(SB)/8, $0
DATA masks<>+0x38(SB)/8, $0
GLOBL masks<>(SB), RODATA|NOPTR, $0x40

// One as an integer of any width, and as floating-point numbers.
DATA ones<>+0x00(SB)/8, $1
DATA ones<>+0x08(SB)/8, $1.0
DATA ones<>+0x10(SB)/4, $0x3f800000
DATA ones<>+0x14(SB)/4, $0
GLOBL ones<>(SB), RODATA|NOPTR, $0x18

#define INSTRUCTION(op, b, a, out) \
	op b, a, out

// Of two zeros, and where one operand is NaN, VMIN and VMAX give the second
// source. So both orders are computed: they agree but for zeros, whose signs are
// joined, and NaN, which is put in.
#define BOTHWAYS(op, join, compare, broadcast, nan, blend, b, a, out) \
	VMOVDQU   b, Y8 \
	compare   $3, Y8, a, Y9 \
	op        Y8, a, Y10 \
	op        a, Y8, Y11 \
	join      Y10, Y11, Y10 \
	broadcast nan, Y11 \
	blend     Y9, Y11, Y10, out

#define FLOAT64(op, join, b, a, out) \
	BOTHWAYS(op, join, VCMPPD, VBROADCASTSD, nan64<>(SB), VBLENDVPD, b, a, out)

#define FLOAT32(op, join, b, a, out) \
	BOTHWAYS(op, join, VCMPPS, VBROADCASTSS, nan32<>(SB), VBLENDVPS, b, a, out)

#define MIN64(op, b, a, out) FLOAT64(op, VORPD, b, a, out)
#define MAX64(op, b, a, out) FLOAT64(op, VANDPD, b, a, out)
#define MIN32(op, b, a, out) FLOAT32(op, VORPS, b, a, out)
#define MAX32(op, b, a, out) FLOAT32(op, VANDPS, b, a, out)

// Y9 marks the 64-bit integers for which a > b = Y8; without the sign the
// comparison is that of numbers moved down by 2⁶³.
#define GREATERINT64(b, a) \
	VMOVDQU   b, Y8 \
	VPCMPGTQ  Y8, a, Y9

#define GREATERUINT64(b, a) \
	VMOVDQU      b, Y8 \
	VPBROADCASTQ sign<>(SB), Y11 \
	VPXOR        Y11, Y8, Y9 \
	VPXOR        Y11, a, Y10 \
	VPCMPGTQ     Y9, Y10, Y9

#define LESSER64(greater, b, a, out) \
	greater(b, a) \
	VBLENDVPD Y9, Y8, a, out

#define GREATER64(greater, b, a, out) \
	greater(b, a) \
	VBLENDVPD Y9, a, Y8, out

// Y8 and Y9 are where b and a are zero, Y10 has ones.
#define BOTH(out) \
	VPOR   Y9, Y8, Y8 \
	VPANDN Y10, Y8, out
#define EITHER(out) \
	VPAND  Y9, Y8, Y8 \
	VPANDN Y10, Y8, out
#define JUSTONE(out) \
	VPXOR  Y9, Y8, Y8 \
	VPAND  Y10, Y8, out

#define LOGICALINT(op, compare, broadcast, b, a, out) \
	VPXOR     Y11, Y11, Y11 \
	VMOVDQU   b, Y8 \
	compare   Y11, Y8, Y8 \
	compare   Y11, a, Y9 \
	broadcast ones<>(SB), Y10 \
	op(out)

#define LOGICALFLOAT(op, compare, broadcast, which, b, a, out) \
	VPXOR     Y11, Y11, Y11 \
	VMOVDQU   b, Y8 \
	compare   $0, Y11, Y8, Y8 \
	compare   $0, Y11, a, Y9 \
	broadcast which, Y10 \
	op(out)

#define LOGICALB(op, b, a, out) LOGICALINT(op, VPCMPEQB, VPBROADCASTB, b, a, out)
#define LOGICALW(op, b, a, out) LOGICALINT(op, VPCMPEQW, VPBROADCASTW, b, a, out)
#define LOGICALD(op, b, a, out) LOGICALINT(op, VPCMPEQD, VPBROADCASTD, b, a, out)
#define LOGICALQ(op, b, a, out) LOGICALINT(op, VPCMPEQQ, VPBROADCASTQ, b, a, out)
#define LOGICALPS(op, b, a, out) LOGICALFLOAT(op, VCMPPS, VBROADCASTSS, ones<>+0x10(SB), b, a, out)
#define LOGICALPD(op, b, a, out) LOGICALFLOAT(op, VCMPPD, VBROADCASTSD, ones<>+0x08(SB), b, a, out)

// The whole of a leaf for elements of size bytes: see avx512_amd64.s. Fewer than
// 32 bytes are masked by fours; of narrower elements there are 32 or more.
#define EACH(how, op, size) \
	MOVQ    dst+0(FP), DI \
	MOVQ    a+8(FP), SI \
	MOVQ    b+16(FP), DX \
	MOVQ    bytes+24(FP), CX \
	CMPQ    CX, $32 \
	JLT     short \
	VMOVDQU (SI), Y6 \
	how(op, (DX), Y6, Y6) \
	VMOVDQU -32(SI)(CX*1), Y7 \
	how(op, -32(DX)(CX*1), Y7, Y7) \
	MOVQ    DI, AX \
	ANDQ    $(32-size), AX \
	MOVL    $32, BX \
	SUBQ    AX, BX \
	LEAQ    -32(CX), R8 \
	LEAQ    -128(CX), R9 \
	CMPQ    BX, R9 \
	JGT     rest \
wide: \
	VMOVDQU (SI)(BX*1), Y0 \
	VMOVDQU 32(SI)(BX*1), Y1 \
	VMOVDQU 64(SI)(BX*1), Y2 \
	VMOVDQU 96(SI)(BX*1), Y3 \
	how(op, (DX)(BX*1), Y0, Y0) \
	how(op, 32(DX)(BX*1), Y1, Y1) \
	how(op, 64(DX)(BX*1), Y2, Y2) \
	how(op, 96(DX)(BX*1), Y3, Y3) \
	VMOVDQU Y0, (DI)(BX*1) \
	VMOVDQU Y1, 32(DI)(BX*1) \
	VMOVDQU Y2, 64(DI)(BX*1) \
	VMOVDQU Y3, 96(DI)(BX*1) \
	ADDQ    $128, BX \
	CMPQ    BX, R9 \
	JLE     wide \
rest: \
	CMPQ    BX, R8 \
	JGE     ends \
narrow: \
	VMOVDQU (SI)(BX*1), Y0 \
	how(op, (DX)(BX*1), Y0, Y0) \
	VMOVDQU Y0, (DI)(BX*1) \
	ADDQ    $32, BX \
	CMPQ    BX, R8 \
	JLT     narrow \
ends: \
	VMOVDQU Y6, (DI) \
	VMOVDQU Y7, -32(DI)(CX*1) \
	VZEROUPPER \
	RET \
short: \
	LEAQ    masks<>+0x20(SB), AX \
	SUBQ    CX, AX \
	VMOVDQU (AX), Y5 \
	VPMASKMOVD (SI), Y5, Y0 \
	VPMASKMOVD (DX), Y5, Y1 \
	how(op, Y1, Y0, Y0) \
	VPMASKMOVD Y0, Y5, (DI) \
	VZEROUPPER \
	RET

TEXT ·sumFloat64x4(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VADDPD, 8)

TEXT ·sumFloat32x8(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VADDPS, 4)

TEXT ·sumInt8x32(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VPADDB, 1)

TEXT ·sumInt16x16(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VPADDW, 2)

TEXT ·sumInt32x8(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VPADDD, 4)

TEXT ·sumInt64x4(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VPADDQ, 8)

TEXT ·productFloat64x4(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VMULPD, 8)

TEXT ·productFloat32x8(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VMULPS, 4)

TEXT ·productInt16x16(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VPMULLW, 2)

TEXT ·productInt32x8(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VPMULLD, 4)

TEXT ·minFloat64x4(SB), NOSPLIT, $0-32
	EACH(MIN64, VMINPD, 8)

TEXT ·minFloat32x8(SB), NOSPLIT, $0-32
	EACH(MIN32, VMINPS, 4)

TEXT ·minInt8x32(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VPMINSB, 1)

TEXT ·minInt16x16(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VPMINSW, 2)

TEXT ·minInt32x8(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VPMINSD, 4)

TEXT ·minUint8x32(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VPMINUB, 1)

TEXT ·minUint16x16(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VPMINUW, 2)

TEXT ·minUint32x8(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VPMINUD, 4)

TEXT ·maxFloat64x4(SB), NOSPLIT, $0-32
	EACH(MAX64, VMAXPD, 8)

TEXT ·maxFloat32x8(SB), NOSPLIT, $0-32
	EACH(MAX32, VMAXPS, 4)

TEXT ·maxInt8x32(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VPMAXSB, 1)

TEXT ·maxInt16x16(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VPMAXSW, 2)

TEXT ·maxInt32x8(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VPMAXSD, 4)

TEXT ·maxUint8x32(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VPMAXUB, 1)

TEXT ·maxUint16x16(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VPMAXUW, 2)

TEXT ·maxUint32x8(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VPMAXUD, 4)

TEXT ·bitAndx32(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VPAND, 1)

TEXT ·bitOrx32(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VPOR, 1)

TEXT ·bitXorx32(SB), NOSPLIT, $0-32
	EACH(INSTRUCTION, VPXOR, 1)

TEXT ·minInt64x4(SB), NOSPLIT, $0-32
	EACH(LESSER64, GREATERINT64, 8)

TEXT ·minUint64x4(SB), NOSPLIT, $0-32
	EACH(LESSER64, GREATERUINT64, 8)

TEXT ·maxInt64x4(SB), NOSPLIT, $0-32
	EACH(GREATER64, GREATERINT64, 8)

TEXT ·maxUint64x4(SB), NOSPLIT, $0-32
	EACH(GREATER64, GREATERUINT64, 8)

TEXT ·logicalAndInt8x32(SB), NOSPLIT, $0-32
	EACH(LOGICALB, BOTH, 1)

TEXT ·logicalAndInt16x16(SB), NOSPLIT, $0-32
	EACH(LOGICALW, BOTH, 2)

TEXT ·logicalAndInt32x8(SB), NOSPLIT, $0-32
	EACH(LOGICALD, BOTH, 4)

TEXT ·logicalAndInt64x4(SB), NOSPLIT, $0-32
	EACH(LOGICALQ, BOTH, 8)

TEXT ·logicalAndFloat32x8(SB), NOSPLIT, $0-32
	EACH(LOGICALPS, BOTH, 4)

TEXT ·logicalAndFloat64x4(SB), NOSPLIT, $0-32
	EACH(LOGICALPD, BOTH, 8)

TEXT ·logicalOrInt8x32(SB), NOSPLIT, $0-32
	EACH(LOGICALB, EITHER, 1)

TEXT ·logicalOrInt16x16(SB), NOSPLIT, $0-32
	EACH(LOGICALW, EITHER, 2)

TEXT ·logicalOrInt32x8(SB), NOSPLIT, $0-32
	EACH(LOGICALD, EITHER, 4)

TEXT ·logicalOrInt64x4(SB), NOSPLIT, $0-32
	EACH(LOGICALQ, EITHER, 8)

TEXT ·logicalOrFloat32x8(SB), NOSPLIT, $0-32
	EACH(LOGICALPS, EITHER, 4)

TEXT ·logicalOrFloat64x4(SB), NOSPLIT, $0-32
	EACH(LOGICALPD, EITHER, 8)

TEXT ·logicalXorInt8x32(SB), NOSPLIT, $0-32
	EACH(LOGICALB, JUSTONE, 1)

TEXT ·logicalXorInt16x16(SB), NOSPLIT, $0-32
	EACH(LOGICALW, JUSTONE, 2)

TEXT ·logicalXorInt32x8(SB), NOSPLIT, $0-32
	EACH(LOGICALD, JUSTONE, 4)

TEXT ·logicalXorInt64x4(SB), NOSPLIT, $0-32
	EACH(LOGICALQ, JUSTONE, 8)

TEXT ·logicalXorFloat32x8(SB), NOSPLIT, $0-32
	EACH(LOGICALPS, JUSTONE, 4)

TEXT ·logicalXorFloat64x4(SB), NOSPLIT, $0-32
	EACH(LOGICALPD, JUSTONE, 8)
