//go:build !race

#include "textflag.h"

// func storeRelease(p *uint64, v uint64)
TEXT ·storeRelease(SB), NOSPLIT, $0-16
	MOVD p+0(FP), R0
	MOVD v+8(FP), R1
	STLR R1, (R0)
	RET

// func publish(p *uint64, v uint64, soon *uint64)
TEXT ·publish(SB), NOSPLIT, $0-24
	MOVD p+0(FP), R0
	MOVD v+8(FP), R1
	MOVD soon+16(FP), R2
	STLR R1, (R0)
	PRFM (R2), PSTL1KEEP
	RET
