#include "textflag.h"

// func dot4(w *float32, stride uintptr, x *float32, n uintptr, out *[4]float32)
TEXT ·dot4(SB), NOSPLIT, $0-40
	MOVQ w+0(FP), AX
	MOVQ stride+8(FP), BX
	MOVQ x+16(FP), SI
	MOVQ n+24(FP), CX
	MOVQ out+32(FP), DI
	LEAQ (AX)(BX*1), R8
	LEAQ (R8)(BX*1), R9
	LEAQ (R9)(BX*1), R10
	XORQ DX, DX
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3

loop:
	VMOVUPS (SI)(DX*4), Y4
	VFMADD231PS (AX)(DX*4), Y4, Y0
	VFMADD231PS (R8)(DX*4), Y4, Y1
	VFMADD231PS (R9)(DX*4), Y4, Y2
	VFMADD231PS (R10)(DX*4), Y4, Y3
	ADDQ $8, DX
	CMPQ DX, CX
	JB   loop

	// The eight sums of each row become one.
	VHADDPS Y1, Y0, Y0
	VHADDPS Y3, Y2, Y2
	VHADDPS Y2, Y0, Y0
	VEXTRACTF128 $1, Y0, X1
	VADDPS X1, X0, X0
	VMOVUPS X0, (DI)
	VZEROUPPER
	RET
