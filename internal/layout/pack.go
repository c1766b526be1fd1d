package layout

import "unsafe"

// pack copies packed bytes [off, off+len(dst)) of p, which p has and which are
// not none, from mem.
func (p *Plan) pack(dst, mem []byte, off int) {
	if p.runs != nil {
		k := p.find(off)
		for from := p.runs[k].mem + off - p.runs[k].packed; ; from = p.runs[k].mem {
			n := move(dst, mem[from:p.runs[k].mem+p.runLen(k)])
			if dst = dst[n:]; len(dst) == 0 {
				return
			}
			k++
		}
	}
	c := p.seek(off)
	if c.left < p.block {
		n := copy(dst, mem[c.at:c.at+c.left])
		dst = dst[n:]
		c.take(n)
	}
	for whole, _ := divide(len(dst), p.block); whole > 0; {
		n := min(whole, p.inner.Count-c.i)
		gather(dst[:n*p.block], mem, c.at, p.block, p.inner.Stride, n)
		dst = dst[n*p.block:]
		whole -= n
		c.skip(n)
	}
	if len(dst) > 0 {
		copy(dst, mem[c.at:c.at+p.block])
	}
}

// unpack is pack the other way.
func (p *Plan) unpack(mem, src []byte, off int) {
	if p.runs != nil {
		k := p.find(off)
		for from := p.runs[k].mem + off - p.runs[k].packed; ; from = p.runs[k].mem {
			n := move(mem[from:p.runs[k].mem+p.runLen(k)], src)
			if src = src[n:]; len(src) == 0 {
				return
			}
			k++
		}
	}
	c := p.seek(off)
	if c.left < p.block {
		n := copy(mem[c.at:c.at+c.left], src)
		src = src[n:]
		c.take(n)
	}
	for whole, _ := divide(len(src), p.block); whole > 0; {
		n := min(whole, p.inner.Count-c.i)
		scatter(mem, src[:n*p.block], c.at, p.block, p.inner.Stride, n)
		src = src[n*p.block:]
		whole -= n
		c.skip(n)
	}
	if len(src) > 0 {
		copy(mem[c.at:c.at+p.block], src)
	}
}

// move is copy, without a call of memmove for the sizes that most elements have.
func move(dst, src []byte) int {
	n := min(len(dst), len(src))
	switch n {
	case 4:
		*(*[4]byte)(dst) = *(*[4]byte)(src)
	case 8:
		*(*[8]byte)(dst) = *(*[8]byte)(src)
	case 16:
		*(*[16]byte)(dst) = *(*[16]byte)(src)
	default:
		copy(dst, src)
	}
	return n
}

// gather packs n blocks of mem, the first at offset at, into dst.
func gather(dst, mem []byte, at, block, stride, n int) {
	switch block {
	case 1:
		gatherCells[[1]byte](dst, mem, at, stride, n)
	case 2:
		gatherCells[[2]byte](dst, mem, at, stride, n)
	case 4:
		gatherCells[[4]byte](dst, mem, at, stride, n)
	case 8:
		gatherCells[[8]byte](dst, mem, at, stride, n)
	case 12:
		gatherCells[[12]byte](dst, mem, at, stride, n)
	case 16:
		gatherCells[[16]byte](dst, mem, at, stride, n)
	case 24:
		gatherCells[[24]byte](dst, mem, at, stride, n)
	case 32:
		gatherCells[[32]byte](dst, mem, at, stride, n)
	case 64:
		gatherCells[[64]byte](dst, mem, at, stride, n)
	default:
		for i := range n {
			from := at + i*stride
			copy(dst[i*block:(i+1)*block], mem[from:from+block])
		}
	}
}

// scatter is gather the other way.
func scatter(mem, src []byte, at, block, stride, n int) {
	switch block {
	case 1:
		scatterCells[[1]byte](mem, src, at, stride, n)
	case 2:
		scatterCells[[2]byte](mem, src, at, stride, n)
	case 4:
		scatterCells[[4]byte](mem, src, at, stride, n)
	case 8:
		scatterCells[[8]byte](mem, src, at, stride, n)
	case 12:
		scatterCells[[12]byte](mem, src, at, stride, n)
	case 16:
		scatterCells[[16]byte](mem, src, at, stride, n)
	case 24:
		scatterCells[[24]byte](mem, src, at, stride, n)
	case 32:
		scatterCells[[32]byte](mem, src, at, stride, n)
	case 64:
		scatterCells[[64]byte](mem, src, at, stride, n)
	default:
		for i := range n {
			to := at + i*stride
			copy(mem[to:to+block], src[i*block:(i+1)*block])
		}
	}
}

// cell is a block whose size the compiler knows, so that it moves in registers
// instead of through a call of memmove. Arrays of bytes may lie anywhere.
type cell interface {
	[1]byte | [2]byte | [4]byte | [8]byte | [12]byte | [16]byte | [24]byte | [32]byte | [64]byte
}

func gatherCells[C cell](dst, mem []byte, at, stride, n int) {
	cells, first := cells[C](dst, mem, at, stride, n)
	for i := range cells {
		cells[i] = *(*C)(unsafe.Add(first, i*stride))
	}
}

func scatterCells[C cell](mem, src []byte, at, stride, n int) {
	cells, first := cells[C](src, mem, at, stride, n)
	for i := range cells {
		*(*C)(unsafe.Add(first, i*stride)) = cells[i]
	}
}

// cells returns the n cells of packed and the address of the first of n in mem,
// one every stride bytes from offset at. It panics unless all of them lie
// inside: the places in between then do too, so the loops need not ask again.
func cells[C cell](packed, mem []byte, at, stride, n int) ([]C, unsafe.Pointer) {
	var c C
	last := at + (n-1)*stride
	_, _, _ = packed[n*len(c)-1], mem[at], mem[last]
	_, _ = mem[at+len(c)-1], mem[last+len(c)-1]
	return unsafe.Slice((*C)(unsafe.Pointer(unsafe.SliceData(packed))), n),
		unsafe.Add(unsafe.Pointer(unsafe.SliceData(mem)), at)
}
