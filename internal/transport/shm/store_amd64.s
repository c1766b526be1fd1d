//go:build !race

#include "textflag.h"

// func storeRelease(p *uint64, v uint64)
TEXT ·storeRelease(SB), NOSPLIT, $0-16
	MOVQ p+0(FP), AX
	MOVQ v+8(FP), BX
	MOVQ BX, (AX)
	RET

// func publish(p *uint64, v uint64, soon *uint64)
TEXT ·publish(SB), NOSPLIT, $0-24
	MOVQ p+0(FP), AX
	MOVQ v+8(FP), BX
	MOVQ soon+16(FP), CX
	MOVQ BX, (AX)
	BYTE $0x0F; BYTE $0x0D; BYTE $0x09 // PREFETCHW (CX), which the assembler does not know
	RET
