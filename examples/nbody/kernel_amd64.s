//go:build !noasm

// The inner loops of kernel_amd64.go, whose comments say what they compute, why
// in this way, and how exactly. Eight bodies lie in the lanes of a register;
// each turn of a loop adds the term of one source to all that K1 names: lanes
// without self, which moves up one lane a turn. The loads of a source are
// broadcasts within the arithmetic.

#include "textflag.h"

DATA series<>+0x00(SB)/8, $1.0
DATA series<>+0x08(SB)/8, $0x7ff0000000000000 // +Inf
// (1−e)^(−3/2) = 1 + e(3/2 + e(15/8 + e(35/16 + e·315/128))) + O(e⁵)
DATA series<>+0x10(SB)/8, $1.5
DATA series<>+0x18(SB)/8, $1.875
DATA series<>+0x20(SB)/8, $2.1875
DATA series<>+0x28(SB)/8, $2.4609375
// (1−e)^(−1/2) = 1 + e(1/2 + e(3/8 + e(5/16 + e·35/128))) + O(e⁵)
DATA series<>+0x30(SB)/8, $0.5
DATA series<>+0x38(SB)/8, $0.375
DATA series<>+0x40(SB)/8, $0.3125
DATA series<>+0x48(SB)/8, $0.2734375
GLOBL series<>(SB), RODATA|NOPTR, $0x50

// AX lanes, also in K3, DX self, Z0 Z1 Z2 the bodies, Z3 ε², Z4 one, Z5 +Inf, Z6…Z9 the coefficients.
#define LOAD(coefficients) \
	MOVWLZX      lanes+0(FP), AX \
	MOVWLZX      self+2(FP), DX \
	KMOVW        AX, K3 \
	MOVQ         x+8(FP), SI \
	VMOVUPD.Z    (SI), K3, Z0 \
	MOVQ         y+16(FP), SI \
	VMOVUPD.Z    (SI), K3, Z1 \
	MOVQ         z+24(FP), SI \
	VMOVUPD.Z    (SI), K3, Z2 \
	VBROADCASTSD eps2+32(FP), Z3 \
	VBROADCASTSD series<>+0x00(SB), Z4 \
	VBROADCASTSD series<>+0x08(SB), Z5 \
	VBROADCASTSD series<>+coefficients+0x00(SB), Z6 \
	VBROADCASTSD series<>+coefficients+0x08(SB), Z7 \
	VBROADCASTSD series<>+coefficients+0x10(SB), Z8 \
	VBROADCASTSD series<>+coefficients+0x18(SB), Z9 \
	MOVQ         sx+40(FP), R8 \
	MOVQ         sy+48(FP), R9 \
	MOVQ         sz+56(FP), R10 \
	MOVQ         sm+64(FP), R11 \
	MOVQ         n+72(FP), CX

// Z10 Z11 Z12 = body − source, Z13 = r², Z14 = y ≈ 1/r, K2 the lanes with r² ≠ +Inf.
#define DISTANCE \
	ANDNL       AX, DX, SI \
	KMOVW       SI, K1 \
	ADDL        DX, DX \
	VSUBPD.BCST (R8)(BX*8), Z0, Z10 \
	VSUBPD.BCST (R9)(BX*8), Z1, Z11 \
	VSUBPD.BCST (R10)(BX*8), Z2, Z12 \
	VMOVAPD     Z3, Z13 \
	VFMADD231PD Z10, Z10, Z13 \
	VFMADD231PD Z11, Z11, Z13 \
	VFMADD231PD Z12, Z12, Z13 \
	VCMPPD      $4, Z5, Z13, K2 \
	VRSQRT14PD  Z13, Z14

// From Z16 = y² and Z15 = the term for 1/r = y: Z16 = e = 1 − r²y², and Z15 the
// term itself, Z15 + (Z15·e)·(series), or 0 where r² = +Inf.
#define REFINE \
	VFNMADD213PD Z4, Z13, Z16 \
	VMOVAPD      Z8, Z17 \
	VFMADD231PD  Z9, Z16, Z17 \
	VFMADD213PD  Z7, Z16, Z17 \
	VFMADD213PD  Z6, Z16, Z17 \
	VMULPD       Z15, Z16, Z16 \
	VFMADD231PD.Z Z16, Z17, K2, Z15

// func attract8(lanes, self uint16, x, y, z *float64, eps2 float64, sx, sy, sz, sm *float64, n int, ax, ay, az *float64)
TEXT ·attract8(SB), NOSPLIT, $0-104
	LOAD(0x10)
	MOVQ      ax+80(FP), R12
	MOVQ      ay+88(FP), R13
	MOVQ      az+96(FP), DI
	VMOVUPD.Z (R12), K3, Z18
	VMOVUPD.Z (R13), K3, Z19
	VMOVUPD.Z (DI), K3, Z20
	XORL      BX, BX

attraction:
	DISTANCE
	VMULPD.BCST   (R11)(BX*8), Z14, Z15
	VMULPD        Z14, Z14, Z16
	VMULPD        Z16, Z15, Z15
	REFINE
	VFNMADD231PD  Z10, Z15, K1, Z18
	VFNMADD231PD  Z11, Z15, K1, Z19
	VFNMADD231PD  Z12, Z15, K1, Z20
	INCQ          BX
	CMPQ          BX, CX
	JLT           attraction

	VMOVUPD Z18, K3, (R12)
	VMOVUPD Z19, K3, (R13)
	VMOVUPD Z20, K3, (DI)
	VZEROUPPER
	RET

// func potential8(lanes, self uint16, x, y, z *float64, eps2 float64, sx, sy, sz, sm *float64, n int, phi *float64)
TEXT ·potential8(SB), NOSPLIT, $0-88
	LOAD(0x30)
	MOVQ      phi+80(FP), R12
	VMOVUPD.Z (R12), K3, Z18
	XORL      BX, BX

depth:
	DISTANCE
	VMULPD.BCST (R11)(BX*8), Z14, Z15
	VMULPD      Z14, Z14, Z16
	REFINE
	VSUBPD      Z15, Z18, K1, Z18
	INCQ        BX
	CMPQ        BX, CX
	JLT         depth

	VMOVUPD Z18, K3, (R12)
	VZEROUPPER
	RET
